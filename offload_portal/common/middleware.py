"""What requests pass through: every one, or those of pages."""

import re
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.gzip import GZipMiddleware
from django.utils.translation import gettext as _

API = "/api/"
FORMS = ("GET", "HEAD", "POST", "OPTIONS")
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


class PageCompression(GZipMiddleware):
    """Pages go out compressed, padded by chance so that their length tells no secret in them.

    Answers of the API are small and asked for all the time; they go as they are.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> Any:
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)


EVENLY = frozenset({"/account/login/", "/account/signup/", "/account/password/reset/"})


def answer_evenly(get_response: Handler) -> Handler:
    """Where an address is typed by somebody unknown, no answer's time tells what is known of it.

    Each comes at the next multiple of a fixed time (targets R17). Guessing is limited before that,
    so a thread that sleeps costs little.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST" or request.path_info not in EVENLY:
            return get_response(request)
        began = time.monotonic()
        response = get_response(request)
        step = settings.EVEN_ANSWER_MILLISECONDS / 1_000
        if step:
            time.sleep(step - (time.monotonic() - began) % step)
        return response

    return middleware


_IMPOSSIBLE = re.compile("[\x00\ud800-\udfff]")


class PagesOnly:
    """The API's requests carry a token, no cookie and no form: they pass by (targets P1)."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(API):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]  # of the middleware beside it


class PageSessions(PagesOnly, SessionMiddleware):
    pass


class PageForms(PagesOnly, CsrfViewMiddleware):
    pass


class PagePeople(PagesOnly, AuthenticationMiddleware):
    pass


class PageMessages(PagesOnly, MessageMiddleware):
    pass


def refuse_what_no_form_sends(get_response: Handler) -> Handler:
    """Pages are read and posted to; another method would only look like a change."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.method in FORMS or request.path_info.startswith(API):
            return get_response(request)
        return HttpResponseNotAllowed(FORMS)

    return middleware


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
        if any(map(_IMPOSSIBLE.search, texts)):
            return _refusal(request)
        return get_response(request)

    return middleware


def _refusal(request: HttpRequest) -> HttpResponse:
    sentence = _("The request has a character that can't be stored (a NUL or half of a pair).")
    if request.path.startswith(API):
        from offload_portal.common.refusals import problem_bytes

        body = problem_bytes(400, "impossible_character", sentence)
        return HttpResponse(body, status=400, content_type="application/problem+json")
    return HttpResponse(sentence, status=400, content_type="text/plain; charset=utf-8")
