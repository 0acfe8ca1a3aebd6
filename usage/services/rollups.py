"""Rollups: added to with each entry, in the meter's transaction, and made anew from the ledger.

The caller holds the organization's lock.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, models, transaction

from offload_portal.common.locks import lock_alone
from orgs.models import Organization
from usage.models import LedgerEntry, UsageDay, UsageQuarter
from usage.selectors.parts import PARTS
from usage.selectors.rollups import day_rows, quarter_rows

SUMS = ("seconds", "compute_seconds", "cost_microusd")
Sums = list[int]


@dataclass(frozen=True, slots=True)
class Use:
    """A quarter's part of an entry: wall seconds, compute-seconds, micro-dollars."""

    at: datetime
    person_id: uuid.UUID
    engine_size: str
    source: str
    seconds: int
    compute_seconds: int
    cost_microusd: int


def add(organization_id: uuid.UUID, uses: Iterable[Use]) -> None:
    """Add to the sums. Two statements, none where nothing was used."""
    quarters: dict[tuple[Any, ...], Sums] = defaultdict(lambda: [0, 0, 0])
    days: dict[tuple[Any, ...], Sums] = defaultdict(lambda: [0, 0, 0])
    for use in uses:
        of = (use.engine_size, use.source)
        for sums in (
            quarters[use.at, *of],
            days[use.at.astimezone(UTC).date(), use.person_id, *of],
        ):
            sums[0] += use.seconds
            sums[1] += use.compute_seconds
            sums[2] += use.cost_microusd
    _upsert(UsageQuarter, organization_id, quarters)
    _upsert(UsageDay, organization_id, days)


def _upsert(
    model: type[models.Model], organization_id: uuid.UUID, sums: Mapping[tuple[Any, ...], Sums]
) -> None:
    rows = [[organization_id, *key, *amounts] for key, amounts in sums.items() if any(amounts)]
    fields = model._meta.local_concrete_fields
    # SQLite takes no more than some ten thousand values in one statement.
    for first in range(0, len(rows), 500):
        _upsert_rows(model, fields, rows[first : first + 500])


def _upsert_rows(model: type[models.Model], fields: Sequence[Any], rows: list[list[Any]]) -> None:
    quoted = connection.ops.quote_name
    table = quoted(model._meta.db_table)
    names = [quoted(str(field.column)) for field in fields]
    grown = ", ".join(
        f"{quoted(name)} = {table}.{quoted(name)} + excluded.{quoted(name)}" for name in SUMS
    )
    key = ", ".join(names[: -len(SUMS)])
    place = "(" + ", ".join(["%s"] * len(fields)) + ")"
    values = [
        field.get_db_prep_value(value, connection)
        for row in rows
        for field, value in zip(fields, row, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join([place] * len(rows))}"  # noqa: S608 - names of our own columns
            f" ON CONFLICT ({key}) DO UPDATE SET {grown}",
            values,
        )


# From the ledger


def rebuild(organization_id: uuid.UUID) -> int:
    """Make the organization's rollups anew from its ledger; gives how many rows there are now."""
    with transaction.atomic():
        lock_alone(organization_id)
        UsageQuarter.objects.filter(organization_id=organization_id).delete()
        UsageDay.objects.filter(organization_id=organization_id).delete()
        entries = LedgerEntry.objects.filter(organization_id=organization_id)
        made = sum(_insert(UsageQuarter, quarter_rows(entries, number)) for number in PARTS)
        return made + _insert(UsageDay, day_rows(entries))


def rebuild_everywhere() -> int:
    """Each organization in a transaction of its own."""
    keys = Organization.objects.order_by("pk").values_list("pk", flat=True)
    return sum(rebuild(key) for key in list(keys))


def _insert(model: type[models.Model], rows: models.QuerySet[Any, Any]) -> int:
    """Without reading them: the database makes the one from the other."""
    text, given = rows.query.sql_with_params()
    quoted = connection.ops.quote_name
    names = ", ".join(quoted(str(field.column)) for field in model._meta.local_concrete_fields)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {quoted(model._meta.db_table)} ({names}) {text}", given)
        return int(cursor.rowcount)
