"""Every error as RFC 9457 problem+json (api.md, Conventions)."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions

from offload_portal.common.refusals import Refusal, not_found, problem

logger = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
DATABASE_AWAY_SECONDS = 5


def answer(refusal: Refusal, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """The refusal as an HTTP answer."""
    body = problem(
        refusal.status, refusal.code, refusal.sentence, refusal.extra, refusal.errors or None
    )
    response = HttpResponse(
        json.dumps(body, ensure_ascii=False).encode(),
        status=refusal.status,
        content_type=PROBLEM_JSON,
        headers=dict(headers or {}),
    )
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    response.headers["Cache-Control"] = "no-store"
    return response


def too_large() -> Refusal:
    sentence = _("The request is larger than 5 MB; send it in several smaller ones.")
    return Refusal("too_large", sentence, 413)


def database_away() -> Refusal:
    sentence = _("The portal's database is away for a moment; try again soon.")
    return Refusal("database_away", sentence, 503, retry_after=DATABASE_AWAY_SECONDS)


def broken() -> Refusal:
    return Refusal("internal_error", _("The portal failed at this; nothing was changed."), 500)


def handle(exc: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's exception handler: whatever went wrong in an API view becomes a problem."""
    if isinstance(exc, Refusal):
        return answer(exc, _headers_of_refusal(exc))
    if isinstance(exc, exceptions.APIException):
        return answer(_from_drf(exc), _headers_of_drf(exc))
    known = _from_django(exc)
    if known is not None:
        return answer(known)
    request = context.get("request")
    logger.error("Unhandled in %s", getattr(request, "path", "?"), exc_info=exc)
    got_request_exception.send(sender=handle, request=getattr(request, "_request", request))
    return answer(broken())


def _from_django(exc: Exception) -> Refusal | None:
    if isinstance(exc, Http404):
        return not_found()
    if isinstance(exc, RequestDataTooBig):
        return too_large()
    if isinstance(exc, OperationalError | InterfaceError):
        logger.warning("The database is away: %s", exc)
        if not connection.in_atomic_block:
            connection.close()
        return database_away()
    if isinstance(exc, PermissionDenied):
        return Refusal("forbidden", _("You may not do this."), 403)
    if isinstance(exc, SuspiciousOperation):
        return Refusal("bad_request", _("The request can't be understood."), 400)
    return None


def _headers_of_refusal(refusal: Refusal) -> dict[str, str]:
    if refusal.code == "insufficient_scope":
        return {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    if refusal.code == "moved":
        return {"Location": str(refusal.extra["location"])}
    return {}


def _headers_of_drf(exc: exceptions.APIException) -> dict[str, str]:
    if isinstance(exc, exceptions.AuthenticationFailed):
        return {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    if isinstance(exc, exceptions.NotAuthenticated):
        return {"WWW-Authenticate": "Bearer"}
    return {}


def _from_drf(exc: exceptions.APIException) -> Refusal:
    if isinstance(exc, exceptions.ValidationError):
        return invalid(dict(_flat(exc.detail)))
    if isinstance(exc, exceptions.AuthenticationFailed):
        sentence = _("The token is unknown, expired or revoked.")
        return Refusal("invalid_token", sentence, 401)
    if isinstance(exc, exceptions.NotAuthenticated):
        sentence = _("Sign in: send `Authorization: Bearer` with a token.")
        return Refusal("not_authenticated", sentence, 401)
    if isinstance(exc, exceptions.NotFound):
        return not_found()
    code = {405: "method_not_allowed", 406: "not_acceptable", 415: "unsupported_media_type"}
    return Refusal(
        code.get(exc.status_code, str(exc.default_code)), str(exc.detail), exc.status_code
    )


def invalid(errors: Mapping[str, list[str]]) -> Refusal:
    """400 with each field and what is wrong with it; `detail` tells the first."""
    field, sentences = next(iter(errors.items()), ("", [_("The request is not valid.")]))
    detail = sentences[0] if field in ("", "body") else f"{field}: {sentences[0]}"
    return Refusal("invalid", detail, 400, errors=errors)


def _flat(detail: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Nested errors with dotted paths: `containers.0.image`."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            whole = path if name == "non_field_errors" else f"{path}.{name}".strip(".")
            yield from _flat(inner, whole)
    elif isinstance(detail, Sequence) and not isinstance(detail, str):
        texts = [str(item) for item in detail if isinstance(item, str)]
        if texts:
            yield path or "body", texts
        for number, item in enumerate(detail):
            if not isinstance(item, str):
                yield from _flat(item, f"{path}.{number}".strip("."))
    else:
        yield path or "body", [str(detail)]


@csrf_exempt
def not_found_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """For paths under the API that no route knows: the same body as for foreign things."""
    return answer(not_found())
