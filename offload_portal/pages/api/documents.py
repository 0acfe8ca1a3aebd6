"""`/schema`, the OpenAPI document, and `/docs`, a page to read it."""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from offload_portal.api.views import PortalView
from offload_portal.pages.api.reference import Reference, reference


def document() -> dict[str, Any]:
    """The OpenAPI document of version 1."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # untyped
    return made


def as_yaml() -> str:
    """The document as it is committed in docs/openapi.yaml."""
    text: Any = OpenApiYamlRenderer().render(document(), renderer_context={})  # type: ignore[no-untyped-call]
    return text.decode() if isinstance(text, bytes) else str(text)


class SchemaView(PortalView):
    authentication_classes = []
    permission_classes = []
    renderer_classes = [OpenApiJsonRenderer, JSONRenderer, OpenApiYamlRenderer]
    versioning_class = None

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(document())


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The same to be read: made on the server, so that it needs no script and has our look."""
    return render(request, "api/docs.html", {"reference": _reference()})


@cache
def _reference() -> Reference:
    return reference(document())
