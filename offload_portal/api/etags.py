"""Weak tags of the version of a resource's facts; fields that tick don't change them."""

import hashlib

from django.http import HttpRequest
from django.utils.http import parse_etags
from rest_framework.request import Request


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
