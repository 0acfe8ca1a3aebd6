"""What all views of the API share: the clock, scopes, strict queries and bodies, tags."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, ListField
from rest_framework.views import APIView

from offload_portal.api import etags, throttling
from offload_portal.api.callers import Caller, caller_of, insufficient_scope, not_a_person
from offload_portal.api.pagination import PAGE_SIZE
from offload_portal.api.problems import answer, invalid
from offload_portal.api.renderers import JSONRenderer
from offload_portal.api.serializers import Shape
from offload_portal.common.actors import Actor
from offload_portal.common.periods import cut_to_second


class HasScope(BasePermission):
    """The token has one of the scopes of the route; an organization's token only reads."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(view, PortalView) or request.auth is None:
            return True
        method = "GET" if request.method == "HEAD" else str(request.method)
        caller = caller_of(request)
        if caller.organization is not None and method not in view.organization_tokens:
            raise not_a_person()
        wanted = view.scopes.get(method, ())
        if wanted and not caller.has_any(wanted):
            raise insufficient_scope(wanted)
        return True


class NoQuery(Shape):
    """Of a route that takes no query."""


class PortalView(APIView):
    """Parse, one call, render.

    `scopes` maps a method to the scopes of which one is needed, none where it is missing;
    `organization_tokens` lists the methods that an organization's token may use; `queries` maps a
    method to the shape of its query; `refusals` names statuses beside the usual ones.
    """

    permission_classes = [IsAuthenticated, HasScope]
    metadata_class = None
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    scopes: Mapping[str, tuple[str, ...]] = {}
    organization_tokens: tuple[str, ...] = ()
    queries: Mapping[str, type[Shape]] = {}
    refusals: Mapping[str, tuple[int, ...]] = {}
    # For routes that always count an organization before they do anything (`throttling`).
    counts_late = False
    at: datetime
    query: dict[str, Any]

    def perform_content_negotiation(
        self,
        request: Request,
        force: bool = False,
    ) -> tuple[BaseRenderer, str]:
        """What nearly all ask for needs no search."""
        if self.renderer_classes == [JSONRenderer]:
            accept = request._request.META.get("HTTP_ACCEPT", "*/*")
            if accept in ("*/*", "application/json") and not self.format_kwarg:
                return JSONRenderer(), JSONRenderer.media_type
        return super().perform_content_negotiation(request, force)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.at = cut_to_second(timezone.now())
        super().initial(request, *args, **kwargs)
        self.query = self._query(request)

    def authenticate_anew(self) -> None:
        """Ask once more who calls: whoever waited may have lost token or scope meanwhile."""
        (authentication,) = self.get_authenticators()
        found = authentication.authenticate(self.request)
        if found is None:
            raise NotAuthenticated
        self.request.user, self.request.auth = found
        self.check_permissions(self.request)

    def _query(self, request: Request) -> dict[str, Any]:
        method = "GET" if request.method == "HEAD" else str(request.method)
        kind = self.queries.get(method, NoQuery)
        if not request._request.META.get("QUERY_STRING") and kind is NoQuery:
            return {}
        shape = kind()
        data: dict[str, Any] = {}
        for name, values in request.query_params.lists():
            if isinstance(shape.fields.get(name), ListField):
                data[name] = values
            elif len(values) > 1:
                raise invalid({name: [_once()]})
            else:
                data[name] = values[0]
        return dict(kind.valid(data))

    def checked(self, shape: BaseSerializer[Any]) -> dict[str, Any]:
        shape.is_valid(raise_exception=True)
        return dict(shape.validated_data)

    def body(self, shape: type[Shape]) -> dict[str, Any]:
        """The body in this shape, or 400 that names each field at fault."""
        return dict(self.valid(shape))

    def valid(self, shape: type[Shape]) -> Any:
        """What the shape makes of the body, which need not be a dictionary."""
        return shape.valid(self.request.data)

    @property
    def caller(self) -> Caller:
        return caller_of(self.request)

    @property
    def page_size(self) -> int:
        return int(self.query.get("page_size") or PAGE_SIZE)

    @property
    def actor(self) -> Actor:
        return Actor(self.request.user.pk, origin_of(self.request._request))

    def tagged(self, body: Any, version: str | None = None) -> Response:
        """200 with a weak tag, or 304 where the caller has this version.

        Without a version the tag is of the body, less the fields that tick.
        """
        etag = etags.weak(version if version is not None else etags.version_of(body))
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if etags.matches(self.request, etag):
            return Response(status=304, headers=headers)
        return Response(body, headers=headers)

    def rendered(self, response: Response) -> bytes:
        """The answer's bytes, before DRF finishes it."""
        renderer = self.request.accepted_renderer
        made = renderer.render(response.data, renderer.media_type, {})
        return made.encode() if isinstance(made, str) else made

    def finalize_response(  # type: ignore[override]  # plain answers of Django pass, too
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        too_many = throttling.settle(request)
        if too_many is not None:
            response = answer(too_many)
        final = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        throttling.show(request._request, final)
        final.headers.setdefault("Cache-Control", "private, no-cache")
        return final


def _once() -> str:
    from django.utils.translation import gettext as _

    return _("Give it once.")


def origin_of(request: HttpRequest) -> str:
    """The caller's address, through as many proxies as the operator trusts."""
    forwarded = [
        part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part
    ]
    trusted = settings.TRUSTED_PROXIES
    if trusted and len(forwarded) >= trusted:
        return forwarded[-trusted][:64]
    return str(request.META.get("REMOTE_ADDR", ""))[:64]
