"""What every request passes through."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _

Handler = Callable[[HttpRequest], HttpResponseBase]

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)


def security_headers(get_response: Handler) -> Handler:
    """A strict policy: nothing inline, nothing from another host."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), microphone=(), geolocation=()"
        )
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response

    return middleware


def _impossible(text: str) -> bool:
    return "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text)


def refuse_impossible_text(get_response: Handler) -> Handler:
    """A NUL byte or a lone surrogate can't be stored; say so before any query meets it."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        texts = [
            request.path,
            *(part for pair in request.GET.lists() for part in [pair[0], *pair[1]]),
        ]
        if request.method == "POST" and request.content_type in (
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ):
            texts += [part for pair in request.POST.lists() for part in [pair[0], *pair[1]]]
        if any(map(_impossible, texts)):
            return _refusal(request)
        return get_response(request)

    return middleware


def _refusal(request: HttpRequest) -> HttpResponse:
    sentence = _("The request has a character that can't be stored (a NUL or half of a pair).")
    if request.path.startswith("/api/"):
        from offload_portal.common.refusals import problem_bytes

        body = problem_bytes(400, "impossible_character", sentence)
        return HttpResponse(body, status=400, content_type="application/problem+json")
    return HttpResponse(sentence, status=400, content_type="text/plain; charset=utf-8")
