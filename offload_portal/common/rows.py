"""Models from statements that are kept as text.

Building a statement through the ORM costs several times what the database needs to answer it. Where
each request asks the same question, its text is kept; the columns still come from the models.
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

M = TypeVar("M", bound=Model)
Converter = Callable[[Any, Any, BaseDatabaseWrapper], Any]


class Columns(Generic[M]):
    """The columns of a model in a statement, under an alias: all of them, or those named.

    `sql` is their list; `made` gives the model that a row's values stand for, or None where its key
    is empty, as in an outer join.
    """

    def __init__(self, model: type[M], alias: str, *names: str) -> None:
        self.model = model
        fields: list[Field[Any, Any]] = list(model._meta.concrete_fields)
        self.fields = [field for field in fields if not names or field.attname in names]
        self.names = [field.attname for field in self.fields]
        self.sql = ", ".join(f'{alias}."{field.column}"' for field in self.fields)
        self._key = self.names.index(model._meta.pk_fields[0].attname)

    def __len__(self) -> int:
        return len(self.fields)

    def made(self, values: Sequence[Any]) -> M | None:
        if values[self._key] is None:
            return None
        row = list(values)
        for place, expression, converters in self._converters(connection.vendor):
            for convert in converters:
                row[place] = convert(row[place], expression, connection)
        return self.model.from_db(connection.alias, self.names, row)

    @cache  # noqa: B019 - a handful of these, all of which live as long as the process
    def _converters(self, vendor: str) -> list[tuple[int, Any, list[Converter]]]:
        found = []
        for place, field in enumerate(self.fields):
            column = field.get_col("")
            converters = connection.ops.get_db_converters(column)
            converters = [*converters, *column.get_db_converters(connection)]
            if converters:
                found.append((place, column, converters))
        return found


def key_value(key: uuid.UUID) -> Any:
    """An identifier as a parameter."""
    return key if connection.features.has_native_uuid_field else key.hex


def instant_value(at: datetime | None) -> Any:
    """An instant as a parameter."""
    return None if at is None else connection.ops.adapt_datetimefield_value(at)


def one_row(statement: str, parameters: Sequence[Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
