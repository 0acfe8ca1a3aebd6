"""Answers as JSON, compact and in UTF-8. Instants are made by `serializers.InstantField`."""

from rest_framework import renderers


class JSONRenderer(renderers.JSONRenderer):
    charset = None
    ensure_ascii = False


class CSVRenderer(renderers.BaseRenderer):
    """Lets `Accept: text/csv` through; the view streams the rows itself."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data: object, *args: object, **kwargs: object) -> bytes:
        return str(data).encode()
