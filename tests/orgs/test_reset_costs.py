"""Asking for a new password costs the same for a known and an unknown address (R17)."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "mail_waits")]


def asked(address):
    """The statements by kind and table."""
    with CaptureQueriesContext(connection) as queries:
        Client().post("/account/password/reset/", {"email": address})
    found = [re.match(r'(\w+).*?"(\w+)"', query["sql"]) for query in queries.captured_queries]
    return [match[1] for match in found if match and match[1] in ("SELECT", "INSERT", "UPDATE")]


def test_it_asks_the_database_as_often_and_writes_nothing_more(owner):
    Client().post("/account/password/reset/", {"email": "first@example.com"})
    assert asked("nobody@example.com") == asked(owner.email)
