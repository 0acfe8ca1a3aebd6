"""A JSON document that is sent while it is being read, so that few rows are held in memory."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import StreamingHttpResponse

Section = tuple[str, Iterable[Mapping[str, Any]]]


def json_sections(sections: Iterable[Section]) -> Iterator[str]:
    """An object with a list for each section, a row to a line."""
    yield "{"
    for number, (name, rows) in enumerate(sections):
        yield f"{',' if number else ''}\n{json.dumps(name)}: ["
        for place, row in enumerate(rows):
            text = json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False)
            yield f"{',' if place else ''}\n  {text}"
        yield "\n]"
    yield "\n}\n"


def json_download(sections: Iterable[Section], filename: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(json_sections(sections), content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    response.headers["Cache-Control"] = "no-store"
    return response
