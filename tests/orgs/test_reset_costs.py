"""Asking for a new password costs the same for a known and an unknown address (R17)."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "mail_waits")]


def asked(address):
    """The statements by kind and table."""
    with CaptureQueriesContext(connection) as queries:
        Client().post("/account/password/reset/", {"email": address})
    words = [query["sql"].split()[0] for query in queries.captured_queries]
    # A server-side cursor is how PostgreSQL is asked for rows one after another.
    kinds = ["SELECT" if word == "DECLARE" else word for word in words]
    return [word for word in kinds if word in ("SELECT", "INSERT", "UPDATE")]


def test_it_asks_the_database_as_often_and_writes_nothing_more(owner):
    Client().post("/account/password/reset/", {"email": "first@example.com"})
    assert asked("nobody@example.com") == asked(owner.email)
