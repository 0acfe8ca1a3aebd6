"""Statements that are kept as text: prepared on PostgreSQL, and well where they were forgotten."""

import uuid

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from offload_portal.common.rows import Columns, one_row
from orgs.models import Person
from tests import factories

PERSON = Columns(Person, "person")
BY_EMAIL = (
    f"SELECT {PERSON.sql} FROM orgs_person AS person "  # noqa: S608 - names of columns
    "WHERE person.email = %s AND person.name LIKE 'Ann%%'"
)


@pytest.mark.django_db
def test_a_row_is_the_model_that_the_orm_would_give():
    made = factories.person("Ann Other", "ann@example.com")
    with CaptureQueriesContext(connection) as queries:
        row = one_row(BY_EMAIL, ["ann@example.com"])
        assert row is not None
        found = PERSON.made(row)
        for field in Person._meta.concrete_fields:
            assert getattr(found, field.attname) == getattr(made, field.attname)
    assert len(queries) == 1
    assert one_row(BY_EMAIL, ["nobody@example.com"]) is None
    assert PERSON.made([None] * len(PERSON)) is None


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_server_that_forgot_a_prepared_statement_is_asked_plainly():
    factories.person("Ann Other", "ann@example.com")
    assert one_row(BY_EMAIL, ["ann@example.com"])
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    assert one_row(BY_EMAIL, ["ann@example.com"])
    assert one_row(BY_EMAIL, ["ann@example.com"])


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_statement_whose_columns_a_migration_changed_is_asked_anew():
    statement = "SELECT * FROM orgs_policy WHERE id <> %s"
    assert one_row(statement, [uuid.UUID(int=0)]) is None
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orgs_policy ADD COLUMN newer integer")
    try:
        assert one_row(statement, [uuid.UUID(int=0)]) is None
        assert one_row(statement, [uuid.UUID(int=0)]) is None
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE orgs_policy DROP COLUMN newer")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_behind_a_proxy_nothing_is_prepared(settings):
    settings.DATABASE_PREPARE = False
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        one_row(BY_EMAIL, ["ann@example.com"])
    assert any(query["sql"].startswith("SELECT") for query in queries)
