"""Models from statements that are kept as text.

Building a statement through the ORM costs several times what the database needs to answer it. Where
each request asks the same question, its text is kept; the columns still come from the models.
"""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Any, Generic, TypeVar

import psycopg
from django.conf import settings
from django.db import (
    DEFAULT_DB_ALIAS,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    connection,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

M = TypeVar("M", bound=Model)
Converter = Callable[[Any, Any, BaseDatabaseWrapper], Any]


class Columns(Generic[M]):
    """The columns of a model in a statement, under an alias.

    All of them: one left out would be asked for later, in a statement of its own.
    `sql` is their list; `made` gives the model that a row's values stand for, or None where its key
    is empty, as in an outer join.
    """

    def __init__(self, model: type[M], alias: str) -> None:
        self.model = model
        self.fields: list[Field[Any, Any]] = list(model._meta.concrete_fields)
        self.names = [field.attname for field in self.fields]
        self.sql = ", ".join(f'{alias}."{field.column}"' for field in self.fields)
        self._key = self.names.index(model._meta.pk_fields[0].attname)

    def __len__(self) -> int:
        return len(self.fields)

    def made(self, values: Sequence[Any]) -> M | None:
        if values[self._key] is None:
            return None
        row = list(values)
        for place, expression, converters in self._converters:
            for convert in converters:
                row[place] = convert(row[place], expression, connection)
        return self.model.from_db(DEFAULT_DB_ALIAS, self.names, row)

    @cached_property
    def _converters(self) -> list[tuple[int, Any, list[Converter]]]:
        found = []
        for place, field in enumerate(self.fields):
            column = field.get_col("")
            converters = connection.ops.get_db_converters(column)
            converters = [*converters, *column.get_db_converters(connection)]
            if converters:
                found.append((place, column, converters))
        return found


@cache
def vendor() -> str:
    """Which database it is, asked once: each look through Django's proxy costs microseconds."""
    return connection.vendor


def key_value(key: uuid.UUID) -> Any:
    """An identifier as a parameter."""
    return key if vendor() == "postgresql" else key.hex


def instant_value(at: datetime | None) -> Any:
    """An instant as a parameter."""
    if at is None or vendor() == "postgresql":
        return at
    return connection.ops.adapt_datetimefield_value(at)


def one_row(statement: str, parameters: Sequence[Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        run(cursor, statement, parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def run(cursor: Any, statement: str, parameters: Sequence[Any]) -> None:
    """Execute it; on PostgreSQL prepared once for each connection.

    Planning a statement over eleven tables costs the database more than running it.
    """
    if vendor() != "postgresql" or not settings.DATABASE_PREPARE:
        cursor.execute(statement, parameters)
        return
    prepared = _prepared(statement)
    _prepare(prepared)
    try:
        cursor.execute(prepared.execute, parameters)
    except (ProgrammingError, OperationalError, NotSupportedError) as error:
        # The server forgot it, or a migration changed what it gives.
        state = getattr(error.__cause__, "sqlstate", None)
        if connection.in_atomic_block or state not in ("26000", "0A000"):
            raise
        _forget(prepared)
        cursor.execute(statement, parameters)


@dataclass(frozen=True, slots=True)
class _Prepared:
    name: str
    prepare: str
    execute: str


@cache
def _prepared(statement: str) -> _Prepared:
    name = "portal_" + hashlib.sha256(statement.encode()).hexdigest()[:16]
    parts = statement.split("%s")
    numbered = "".join(f"{part}${number}" for number, part in enumerate(parts[:-1], start=1))
    places = ", ".join(["%s"] * (len(parts) - 1))
    text = (numbered + parts[-1]).replace("%%", "%")
    return _Prepared(name, f"PREPARE {name} AS {text}", f"EXECUTE {name} ({places})")


def _known() -> set[str]:
    """What the server's end of the connection has prepared."""
    link = connection.connection
    known: set[str] | None = getattr(link, "prepared_by_name", None)
    if known is None:
        known = link.prepared_by_name = set()
    return known


def _prepare(prepared: _Prepared) -> None:
    known = _known()
    if prepared.name not in known:
        # Not through Django's cursor: it belongs to making the connection, not to the request.
        with connection.wrap_database_errors:
            connection.connection.execute(prepared.prepare)
        known.add(prepared.name)


def _forget(prepared: _Prepared) -> None:
    _known().discard(prepared.name)
    with connection.wrap_database_errors, suppress(psycopg.errors.InvalidSqlStatementName):
        connection.connection.execute(f"DEALLOCATE {prepared.name}")
