"""Partial updates: the same views answer a whole page, or the part that htmx asks for."""

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.cache import patch_cache_control, patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect

View = Callable[..., HttpResponseBase]


def asked_part(request: HttpRequest) -> str:
    """The id of the element that htmx will fill; empty for a whole page."""
    details: Any = getattr(request, "htmx", None)
    if not details or details.boosted or details.history_restore_request:
        return ""
    return details.target or ""


def live_page(view: View) -> View:
    """For views that are polled: parts never come from a cache, and nobody's sign-in page is put
    into the middle of a page once the session is over."""

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if getattr(request, "htmx", None) and not request.user.is_authenticated:
            where = urlencode({"next": request.get_full_path()})
            return HttpResponseClientRedirect(f"{resolve_url(settings.LOGIN_URL)}?{where}")
        response = view(request, *args, **kwargs)
        patch_vary_headers(response, ["HX-Request", "HX-Target"])
        patch_cache_control(response, private=True, no_cache=True)
        return response

    return answer
