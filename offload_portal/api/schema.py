"""The OpenAPI document that the code generates, problems included."""

from collections.abc import Iterable
from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from offload_portal.api.problems import PROBLEM_JSON
from offload_portal.api.serializers import (
    INSTANTS,
    ONE_LINE,
    SOMETHING,
    InstantField,
    NumberField,
    ProblemShape,
    Shape,
    TextField,
)
from offload_portal.api.views import PortalView

MEANINGS = {
    307: "The organization has another address now: ask again at `Location`.",
    400: "The request is not valid; `errors` names the fields.",
    401: "No token, or not a good one.",
    402: "Spending forbids it.",
    403: "A grant, the policy or the token's scopes forbid it.",
    404: "It does not exist, or it is not yours to see.",
    406: "JSON alone is spoken here.",
    409: "The state forbids it, or the idempotency key is in use.",
    410: "The session has ended.",
    413: "Larger than 5 MB.",
    415: "JSON alone is understood here.",
    422: "The idempotency key was used for another request.",
    429: "Too many requests; `Retry-After` says when to go on.",
    503: "Away for a moment; `Retry-After` says when to try again.",
}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    target_class = "orgs.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": (
                "A token of a person (`opat_…`), of an organization (`ooat_…`), or an access token "
                "of OAuth 2.0: see `/.well-known/openid-configuration`. The scopes that an "
                "operation names are alternatives: one of them is enough."
            ),
        }

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, list[str]]:
        view = auto_schema.view
        scopes = view.scopes.get(auto_schema.method, ()) if isinstance(view, PortalView) else ()
        return {"bearer": [str(scope) for scope in scopes]}


class PortalSchema(AutoSchema):
    """Adds what every operation has: its query, its key for retries, its problems."""

    def get_operation_id(self) -> str:
        names: dict[str, str] = getattr(self.view, "operation_ids", {})
        return names[self.method]

    def _get_serializer_name(self, serializer: Any, direction: str, *args: Any) -> str:
        name: str = super()._get_serializer_name(serializer, direction, *args)
        return name.replace("Shape", "")

    def get_tags(self) -> list[str]:
        return [str(getattr(self.view, "tag", "portal"))]

    def get_override_parameters(self) -> list[Any]:
        found: list[Any] = []
        if isinstance(self.view, PortalView) and self.method in self.view.queries:
            found.append(self.view.queries[self.method])
        if self._takes_key():
            found.append(
                OpenApiParameter(
                    "Idempotency-Key",
                    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
                    OpenApiParameter.HEADER,
                    description="The same key and body get the same answer, for 24 hours.",
                )
            )
        return found

    def _handler(self) -> Any:
        return getattr(self.view, self.method.lower(), None)

    def _takes_key(self) -> bool:
        return bool(getattr(self._handler(), "takes_idempotency_key", False))

    def _problems(self) -> Iterable[int]:
        view, body = self.view, self.method in ("POST", "PUT", "PATCH")
        found = {400, 406, 429, 503}
        if view.permission_classes:
            found.add(401)
        if isinstance(view, PortalView) and view.permission_classes:
            found.add(403)
            found |= set(view.refusals.get(self.method, ()))
        if "{" in self.path:
            found.add(404)
        if "{slug}" in self.path:
            found.add(307)
        if body:
            found |= {413, 415}
        if self._takes_key():
            found |= {409, 422}
        return sorted(found)

    def _get_response_bodies(
        self, direction: Literal["request", "response"] = "response"
    ) -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self._problems():
            known = self._get_response_for_code(  # type: ignore[no-untyped-call]
                ProblemShape, str(status), media_types=[PROBLEM_JSON], direction=direction
            )
            known["description"] = MEANINGS[status]
            if status in (429, 503):
                known["headers"] = {
                    "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}
                }
            if status == 307:
                known["headers"] = {
                    "Location": {"schema": {"type": "string"}, "description": "Where it is now."}
                }
            bodies.setdefault(str(status), known)
        return dict(sorted(bodies.items()))

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request" and isinstance(serializer, Shape):
            schema["additionalProperties"] = False
            schema.update(serializer.limits)
        return schema

    def _get_request_body(self, direction: Any = "request") -> Any:
        body = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        if body and "minProperties" in getattr(self.get_request_serializer(), "limits", {}):
            body["required"] = True
        return body

    def _number(self, field: Any, direction: str) -> dict[str, Any]:
        meta = self._get_serializer_field_meta(field, direction)  # type: ignore[no-untyped-call]
        return {"type": "number", "minimum": 0, "maximum": field.most, **meta}

    def _map_serializer_field(
        self, field: Any, direction: Any, bypass_extensions: Any = False
    ) -> Any:
        if isinstance(field, InstantField):
            schema: dict[str, Any] = {"type": "string", "format": "date-time"}
            if direction == "request":
                schema["pattern"] = INSTANTS
            meta = self._get_serializer_field_meta(field, direction)  # type: ignore[no-untyped-call]
            if field.allow_null:
                schema["type"] = ["string", "null"]
            return {**schema, **meta}
        if isinstance(field, NumberField):
            return self._number(field, direction)
        known = super()._map_serializer_field(field, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if isinstance(field, TextField):
            known["pattern"] = field.pattern or (ONE_LINE if field.allow_blank else SOMETHING)
        known.update(getattr(field, "limits", {}))
        return known
