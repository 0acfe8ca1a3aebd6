"""What rollups should hold by the ledger, and where they don't."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Max, Min, Sum
from django.db.models.functions import TruncDate

from usage.models import LedgerEntry, UsageDay, UsageQuarter
from usage.selectors.parts import PARTS, part_at, part_of

# So much is compared at once: it bounds what is held in memory.
SLICE = timedelta(days=7)
Sums = tuple[int, int, int]  # wall seconds, compute-seconds, micro-dollars


def day_rows(entries: models.QuerySet[LedgerEntry]) -> models.QuerySet[Any, Any]:
    """(organization, day, person, size, source, sums) of entries, as `UsageDay` has them."""
    return (
        entries.annotate(day=TruncDate("hour", tzinfo=UTC))
        .values_list("organization_id", "day", "person_id", "engine_size", "source")
        .annotate(wall=Sum("seconds"), compute=Sum("compute_seconds"), cost=Sum("cost_microusd"))
        .exclude(wall=0, compute=0, cost=0)
        .order_by("organization_id", "day", "person_id", "engine_size", "source")
    )


def quarter_rows(entries: models.QuerySet[LedgerEntry], number: int) -> models.QuerySet[Any, Any]:
    """The same of each hour's `number`-th quarter, counted from 0, as `UsageQuarter` has them."""
    seconds, compute, cost = part_of(number)
    return (
        entries.annotate(at=part_at(number))
        .values_list("organization_id", "at", "engine_size", "source")
        .annotate(wall=Sum(seconds), compute=Sum(compute), cost=Sum(cost))
        .exclude(wall=0, compute=0, cost=0)
        .order_by("organization_id", "at", "engine_size", "source")
    )


@dataclass(frozen=True, slots=True)
class RollupDifference:
    """`key` is the rollup's row without its organization; both are its sums."""

    key: tuple[Any, ...]
    ledger: Sums
    rollup: Sums


def rollup_differences(
    organization_id: uuid.UUID, start: datetime, end: datetime
) -> Iterator[RollupDifference]:
    """Rows of [start, end) that the ledger does not explain; a day that `end` cuts is left out.

    `start` is a midnight, `end` a whole hour, both UTC.
    """
    entries = LedgerEntry.objects.filter(organization_id=organization_id)
    while start < end:
        until = min(start + SLICE, end)
        part = entries.in_period(start, until)
        yield from _differences(_quarters_due(part), _quarters(organization_id, start, until))
        midnight = until.replace(hour=0)
        whole = _sums(day_rows(part.filter(hour__lt=midnight)))
        yield from _differences(whole, _days(organization_id, start, midnight))
        start = until


def ledger_bounds(organization_id: uuid.UUID) -> tuple[datetime, datetime] | None:
    """The whole UTC days that hold all entries and all rollups; None where nothing was used."""
    entries = LedgerEntry.objects.filter(organization_id=organization_id)
    quarters = UsageQuarter.objects.filter(organization_id=organization_id)
    found = [
        *entries.aggregate(first=Min("hour"), last=Max("hour")).values(),
        *quarters.aggregate(first=Min("at"), last=Max("at")).values(),
    ]
    known = [at.astimezone(UTC) for at in found if at is not None]
    if not known:
        return None
    first, last = min(known), max(known)
    midnight = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}
    return first.replace(**midnight), last.replace(**midnight) + timedelta(days=1)


def _quarters_due(entries: models.QuerySet[LedgerEntry]) -> dict[tuple[Any, ...], Sums]:
    found: dict[tuple[Any, ...], Sums] = {}
    for number in PARTS:
        found.update(_sums(quarter_rows(entries, number)))
    return found


def _quarters(
    organization_id: uuid.UUID, start: datetime, end: datetime
) -> dict[tuple[Any, ...], Sums]:
    rows = UsageQuarter.objects.filter(organization_id=organization_id, at__gte=start, at__lt=end)
    fields = [field.attname for field in UsageQuarter._meta.local_concrete_fields]
    return _sums(rows.values_list(*fields))


def _days(
    organization_id: uuid.UUID, start: datetime, end: datetime
) -> dict[tuple[Any, ...], Sums]:
    rows = UsageDay.objects.filter(
        organization_id=organization_id, day__gte=start.date(), day__lt=end.date()
    )
    fields = [field.attname for field in UsageDay._meta.local_concrete_fields]
    return _sums(rows.values_list(*fields))


def _sums(rows: Any) -> dict[tuple[Any, ...], Sums]:
    """A correction may leave a row of nothing, which is no row."""
    return {tuple(row[1:-3]): row[-3:] for row in rows if any(row[-3:])}


def _differences(
    due: Mapping[tuple[Any, ...], Sums], there: Mapping[tuple[Any, ...], Sums]
) -> Iterator[RollupDifference]:
    nothing = (0, 0, 0)
    for key in sorted(due.keys() | there.keys(), key=str):
        if due.get(key, nothing) != there.get(key, nothing):
            yield RollupDifference(key, due.get(key, nothing), there.get(key, nothing))
