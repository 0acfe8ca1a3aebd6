"""Use by local day and source, straight from the ledger: what charts and reports show."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDate

from offload_portal.common.periods import Period, local_days
from orgs.models import Organization
from usage.models import Allowance, LedgerEntry
from usage.selectors.ledger import SourceUse


@dataclass(frozen=True, slots=True)
class DayOfUse:
    """What was used on one calendar day of a zone, by source; sources without use are left out.

    An entry belongs to the day on which its UTC hour begins there.
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

    `people` and `sessions` (a query of identifiers) narrow it; without them it is everything.
    """
    entries = LedgerEntry.objects.filter(
        organization_id=organization_id, hour__gte=start, hour__lt=end
    )
    if people is not None:
        entries = entries.filter(person_id__in=list(people))
    if sessions is not None:
        entries = entries.filter(session_id__in=sessions)
    rows = (
        entries.annotate(day=TruncDate("hour", tzinfo=zone))
        .values("day", "source")
        .annotate(wall=Sum("seconds"), compute=Sum("compute_seconds"), cost=Sum("cost_microusd"))
        .order_by("day", "source")
    )
    found: dict[date, dict[str, SourceUse]] = {}
    for row in rows:
        use = SourceUse(row["wall"], row["compute"], row["cost"])
        found.setdefault(row["day"], {})[row["source"]] = use
    return tuple(
        DayOfUse(local.day, found.get(local.day, {})) for local in local_days(zone, start, end)
    )


def billing_period(organization: Organization) -> Period | None:
    """The period that the meter is in; None before the first subscription."""
    bounds = Allowance.objects.filter(pk=organization.pk).values_list("period_start", "period_end")
    start, end = bounds.first() or (None, None)
    return None if start is None or end is None else Period(start, end)
