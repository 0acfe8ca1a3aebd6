"""Use by local day and source: what charts and reports show."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from offload_portal.common.periods import Period, local_days
from orgs.models import Organization
from usage.models import Allowance, LedgerEntry, UsageQuarter
from usage.selectors.ledger import SourceUse
from usage.selectors.parts import as_day, pieces, sums_of_parts


@dataclass(frozen=True, slots=True)
class DayOfUse:
    """What was used on one calendar day of a zone, by source; sources without use are left out.

    Use belongs to the day on which its quarter of a UTC hour begins there.
    """

    day: date
    by_source: Mapping[str, SourceUse]

    @property
    def seconds(self) -> int:
        return sum(use.seconds for use in self.by_source.values())

    @property
    def compute_seconds(self) -> int:
        return sum(use.compute_seconds for use in self.by_source.values())

    @property
    def cost_microusd(self) -> int:
        return sum(use.cost_microusd for use in self.by_source.values())


def use_by_day(
    organization_id: uuid.UUID,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    *,
    people: Iterable[uuid.UUID] | None = None,
    sessions: QuerySet[Any, Any] | None = None,
) -> tuple[DayOfUse, ...]:
    """Each local day of [start, end), days without use included. One statement.

    `people` and `sessions` (a query of identifiers) narrow it, and are asked of the ledger;
    everything is in the rollups.
    """
    if people is None and sessions is None:
        found = _everything(organization_id, start, end, zone)
    else:
        found = _narrowed(organization_id, start, end, zone, people, sessions)
    by_day: dict[date, dict[str, SourceUse]] = {}
    for day, source, *sums in found:
        by_day.setdefault(day, {})[source] = SourceUse(*sums)
    return tuple(
        DayOfUse(local.day, by_day.get(local.day, {})) for local in local_days(zone, start, end)
    )


Found = tuple[date, str, int, int, int]


def _everything(
    organization_id: uuid.UUID, start: datetime, end: datetime, zone: ZoneInfo
) -> list[Found]:
    rows = UsageQuarter.objects.filter(
        organization_id=organization_id, at__gte=start, at__lt=end
    ).annotate(day=TruncDate("at", tzinfo=zone))
    return _summed(rows)


def _summed(rows: QuerySet[Any]) -> list[Found]:
    summed: Any = (
        rows.values("day", "source")
        .annotate(wall=Sum("seconds"), compute=Sum("compute_seconds"), cost=Sum("cost_microusd"))
        .order_by("day", "source")
    )
    return [(row["day"], row["source"], row["wall"], row["compute"], row["cost"]) for row in summed]


def _narrowed(
    organization_id: uuid.UUID,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    people: Iterable[uuid.UUID] | None,
    sessions: QuerySet[Any, Any] | None,
) -> list[Found]:
    entries = LedgerEntry.objects.filter(organization_id=organization_id)
    if people is not None:
        entries = entries.filter(person_id__in=list(people))
    if sessions is not None:
        entries = entries.filter(session_id__in=sessions)
    parts = [
        (
            piece,
            entries.in_period(piece.start, piece.end).annotate(
                bucket=TruncDate(piece.at, tzinfo=zone), group=F("source")
            ),
        )
        for piece in pieces(start, end, zone)
    ]
    return [
        (as_day(day), source, wall, compute, cost)
        for day, source, wall, compute, cost, _sessions, _people in sums_of_parts(parts)
    ]


def use_by_source(
    organization_id: uuid.UUID, periods: Sequence[Period]
) -> list[dict[str, SourceUse]]:
    """What each source paid in each of the periods, all of it, from the rollups. One statement."""
    sums = {"wall": "seconds", "compute": "compute_seconds", "cost": "cost_microusd"}
    rows: Any = (
        UsageQuarter.objects.filter(
            organization_id=organization_id,
            at__gte=min(period.start for period in periods),
            at__lt=max(period.end for period in periods),
        )
        .values("source")
        .annotate(
            **{
                f"{name}_{number}": Sum(
                    column, filter=Q(at__gte=period.start, at__lt=period.end), default=0
                )
                for number, period in enumerate(periods)
                for name, column in sums.items()
            }
        )
        .order_by("source")
    )
    found: list[dict[str, SourceUse]] = [{} for _period in periods]
    for row in rows:
        for number, by_source in enumerate(found):
            use = SourceUse(*(row[f"{name}_{number}"] for name in sums))
            if use.seconds or use.compute_seconds or use.cost_microusd:
                by_source[row["source"]] = use
    return found


def billing_period(organization: Organization) -> Period | None:
    """The period that the meter is in; None before the first subscription."""
    bounds = Allowance.objects.filter(pk=organization.pk).values_list("period_start", "period_end")
    start, end = bounds.first() or (None, None)
    return None if start is None or end is None else Period(start, end)
