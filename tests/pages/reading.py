"""What a page says, for tests."""

from collections.abc import Callable
from html import unescape
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from orgs.models import Person

SignIn = Callable[[Person], Client]
HTMX = {"HX-Request": "true"}


def part(target: str) -> dict[str, str]:
    """The headers with which htmx asks for one element."""
    return {**HTMX, "HX-Target": target}


def words(answer: Any) -> str:
    """The page without its markup, one space between words."""
    return " ".join(unescape(strip_tags(answer.content.decode())).split())


def statements(client: Client, address: str, query: dict[str, str] | None = None) -> int:
    """How many statements the page takes, once caches are warm."""
    client.get(address, query)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address, query).status_code == 200
    return len(captured)
