"""Is the commitment the right size? What closed periods used, and what would have cost least."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from offload_portal.common.periods import HOUR, boundary, period_number
from orgs.models import Organization
from usage.enums import EntrySource, PoolKind, PoolOrigin
from usage.models import LedgerEntry, Pool, Subscription

MOST_PERIODS = 3
PAID_AFTERWARDS = (EntrySource.ON_DEMAND, EntrySource.OVER_LIMIT)


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """Compute-seconds of a billing period that is over: committed, used of that, used on demand."""

    start: datetime
    end: datetime
    committed: int
    committed_used: int
    on_demand: int
    on_demand_microusd: int

    @property
    def used(self) -> int:
        """What a commitment could have paid; top-ups were bought and are left alone."""
        return self.committed_used + self.on_demand

    @property
    def unused(self) -> int:
        return self.committed - self.committed_used


@dataclass(frozen=True, slots=True)
class CommitmentCheck:
    """The commitment of now beside the one that would have cost least in `periods`.

    Compute-seconds per period; `saved_microusd` is per period, on average, rounded down.
    """

    periods: tuple[ClosedPeriod, ...]
    committed: int
    included: int
    best: int
    saved_microusd: int
    commitment_rate_microusd: int
    on_demand_rate_microusd: int


def commitment_check(
    organization: Organization, rate_microusd: int | None, at: datetime
) -> CommitmentCheck | None:
    """From at most three closed periods; None without any, without a rate, or in a trial.

    Three statements.
    """
    subscription = (
        Subscription.objects.current()
        .filter(organization=organization)
        .select_related("plan")
        .first()
    )
    if subscription is None or subscription.is_trial or rate_microusd is None:
        return None
    periods = _closed(organization, subscription, at)
    if not periods:
        return None
    plan = subscription.plan
    committed = subscription.committed_compute_seconds
    included = min(plan.committed_compute_seconds, committed)
    best, saved = best_commitment(
        [period.used for period in periods],
        committed=committed,
        included=included,
        commitment_rate=plan.commitment_rate_microusd,
        on_demand_rate=rate_microusd,
    )
    return CommitmentCheck(
        periods, committed, included, best, saved, plan.commitment_rate_microusd, rate_microusd
    )


def best_commitment(
    used: Sequence[int],
    *,
    committed: int,
    included: int,
    commitment_rate: int,
    on_demand_rate: int,
) -> tuple[int, int]:
    """(compute-seconds, micro-dollars saved per period) of the commitment that costs least.

    What is committed beyond `included` costs `commitment_rate` a second whether it is used or not,
    what is used beyond the commitment costs `on_demand_rate`. Whole hours, and never below what the
    plan includes. Where nothing saves anything it is the commitment of now.
    """

    def cost(commitment: int) -> int:
        ahead = max(0, commitment - included) * commitment_rate * len(used)
        return ahead + sum(max(0, one - commitment) * on_demand_rate for one in used)

    wanted = {max(included, -(-one // HOUR) * HOUR) for one in used} | {included}
    best = min(sorted(wanted), key=cost)
    saved = (cost(committed) - cost(best)) // len(used)
    return (best, saved) if saved > 0 else (committed, 0)


def _closed(
    organization: Organization, subscription: Subscription, at: datetime
) -> tuple[ClosedPeriod, ...]:
    """Whole periods of this subscription that are over, the newest first."""
    now = period_number(subscription.anchor, at)
    bounds = [
        (boundary(subscription.anchor, now - back), boundary(subscription.anchor, now - back + 1))
        for back in range(1, MOST_PERIODS + 1)
    ]
    bounds = [(start, end) for start, end in bounds if end > subscription.started_at]
    pools = _pools(organization, [end for _start, end in bounds])
    used = _on_demand(organization, [start for start, _end in bounds])
    return tuple(
        ClosedPeriod(start, end, *pools[end], *used.get(start, (0, 0)))
        for start, end in bounds
        if end in pools
    )


def _pools(organization: Organization, ends: Iterable[datetime]) -> dict[datetime, tuple[int, int]]:
    """(committed, used) of the pools of a period by its end; those of a trial are left out."""
    rows = (
        Pool.objects.for_organization(organization)
        .filter(kind=PoolKind.COMMITTED, expires_at__in=list(ends))
        .exclude(origin=PoolOrigin.TRIAL)
        .values_list("expires_at")
        .annotate(whole=Sum("compute_seconds"), used=Sum("used_compute_seconds"))
        .order_by("expires_at")
    )
    return {end: (whole, used) for end, whole, used in rows}


def _on_demand(
    organization: Organization, starts: Iterable[datetime]
) -> dict[datetime, tuple[int, int]]:
    rows = (
        LedgerEntry.objects.for_organization(organization)
        .filter(period_start__in=list(starts), source__in=PAID_AFTERWARDS)
        .values_list("period_start")
        .annotate(used=Sum("compute_seconds"), cost=Sum("cost_microusd"))
        .order_by("period_start")
    )
    return {start: (used, cost) for start, used, cost in rows}
