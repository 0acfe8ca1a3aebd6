"""Weak tags of the version of a resource's facts; fields that tick don't change them."""

import hashlib
import json
from typing import Any

from django.http import HttpRequest
from django.utils.http import parse_etags
from rest_framework.request import Request

# Fields that go on by themselves; they come with `as_of`.
TICKING = frozenset({"as_of", "seconds_until_idle", "seconds_until_end", "elapsed_seconds"})


def version_of(body: Any) -> str:
    """The version of a body: everything in it but what ticks."""
    return json.dumps(_still(body), sort_keys=True, default=str)


def _still(body: Any) -> Any:
    if isinstance(body, dict):
        return {name: _still(value) for name, value in body.items() if name not in TICKING}
    if isinstance(body, list | tuple):
        return [_still(value) for value in body]
    return body


def weak(version: str) -> str:
    """`W/"…"` of any text that stands for the version."""
    return f'W/"{hashlib.sha256(version.encode()).hexdigest()[:24]}"'


def matches(request: Request | HttpRequest, etag: str) -> bool:
    """Whether `If-None-Match` names the tag, compared weakly (RFC 9110)."""
    asked = request.headers.get("If-None-Match", "")
    if asked.strip() == "*":
        return True
    bare = etag.removeprefix("W/")
    return any(tag.removeprefix("W/") == bare for tag in parse_etags(asked))
