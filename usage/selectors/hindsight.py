"""When a limit would have been reached in the last period (product.md rule 19, the editor)."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Max, Q, QuerySet, Sum

from offload_portal.common.periods import QUARTER, from_seconds, to_seconds
from orgs.models import Organization
from usage.enums import EntrySource
from usage.models import Allowance, LedgerEntry

PAID_AFTERWARDS = Q(source__in=[EntrySource.ON_DEMAND, EntrySource.OVER_LIMIT])


@dataclass(frozen=True, slots=True)
class Reached:
    """The period looked at, half-open, and the end of the quarter of an hour in which it was.

    `is_last`: a whole one before the present one. `at` None: it would not have been reached.
    """

    start: datetime
    end: datetime
    is_last: bool
    at: datetime | None


def reached_in_last_period(
    organization: Organization, entries: Q, limit: int, *, in_money: bool
) -> Reached | None:
    """`limit` is micro-dollars or compute-seconds; None where nothing was ever used.

    The last whole period, or the present one where it is the first. Three statements.
    """
    allowance = Allowance.objects.filter(pk=organization.pk).first()
    if allowance is None or allowance.period_start is None:
        return None
    rows = LedgerEntry.objects.for_organization(organization)
    before = rows.filter(period_start__lt=allowance.period_start)
    last = before.aggregate(last=Max("period_start"))["last"]
    start = last or allowance.period_start
    end = allowance.period_start if last else allowance.metered_until
    used = 0
    for at, amount in _quarters(rows.filter(entries, period_start=start), in_money=in_money):
        used += amount
        if used >= limit:
            return Reached(start, end, last is not None, at)
    return Reached(start, end, last is not None, start if limit == 0 else None)


def _quarters(rows: QuerySet[LedgerEntry], *, in_money: bool) -> list[tuple[datetime, int]]:
    """(end of the quarter, what was used in it), in order of time."""
    priced = F("rate_microusd") if in_money else 1
    later = {f"part_{n}": Sum(F(f"compute_{n}") * priced, default=0) for n in (1, 2, 3)}
    whole = Sum("cost_microusd" if in_money else "compute_seconds", default=0)
    found = []
    sums = rows.values("hour").annotate(whole=whole, **later).order_by("hour")
    for hour, all_of_it, *parts in sums.values_list("hour", "whole", *later):
        for number, amount in enumerate([all_of_it - sum(parts), *parts]):
            end = to_seconds(hour) + (number + 1) * QUARTER
            found.append((from_seconds(end), amount))
    return found
