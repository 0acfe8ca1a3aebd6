"""What organizations may still use, and how long that lasts (product.md rules 16 to 19).

Times are whole compute-seconds, money is micro-dollars. Everything is as of the watermark, but
for pools that expired since. Five statements, whatever the number of organizations.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import F, Q, Sum

from offload_portal.common.allowance_bar import AllowanceFigures
from offload_portal.common.money import per_hour
from offload_portal.common.periods import DAY, HOUR, from_seconds, hour_of, to_seconds
from orgs.models import Organization
from usage.enums import EntrySource, OnDemand, PoolKind
from usage.models import Allowance, LedgerEntry, Pool, Subscription
from usage.pools import OnDemand as OnDemandValue
from usage.pools import OnDemandMode
from usage.selectors.rates import rate_at, rates_of
from usage.selectors.reconciled import NEVER_RECONCILED, Reconciled, reconciled_of

WEEK = 7 * DAY
LONGEST_PERIOD = timedelta(days=32)


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source in this period. None is without a bound; `left` is total less used."""

    total_compute_seconds: int | None = 0
    used_compute_seconds: int = 0
    reserved_compute_seconds: int = 0
    left_compute_seconds: int | None = 0
    total_microusd: int | None = 0
    used_microusd: int = 0
    reserved_microusd: int = 0
    left_microusd: int | None = 0


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool that can be drawn from; in the order of draw-down."""

    kind: str
    origin: str
    compute_seconds: int
    used_compute_seconds: int
    starts_at: datetime
    expires_at: datetime
    bought_at: datetime
    price_microusd: int

    @property
    def left_compute_seconds(self) -> int:
        return self.compute_seconds - self.used_compute_seconds

    @property
    def used_microusd(self) -> int:
        """The share of its price that was used, rounded down."""
        if not self.compute_seconds:
            return 0
        return self.price_microusd * self.used_compute_seconds // self.compute_seconds


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast it goes: compute-seconds within a number of wall seconds."""

    used: int = 0
    within: int = HOUR

    @property
    def per_hour(self) -> int:
        return self.used * HOUR // self.within

    def lasts(self, left: int | None) -> int | None:
        """Wall seconds until `left` is used at this pace; None where that never comes."""
        if left is None or not self.used:
            return None
        return left * self.within // self.used


@dataclass(frozen=True, slots=True)
class AllowanceView:
    """What an organization may use now (rule 19), on every page, in the API and for clients."""

    organization_id: uuid.UUID
    as_of: datetime
    subscription: Subscription | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    usable_until: datetime | None = None
    on_demand_mode: str = OnDemand.OFF
    on_demand_limit_microusd: int | None = None
    let_finish: bool = False
    committed: SourceState = SourceState()
    top_up: SourceState = SourceState()
    on_demand: SourceState = SourceState()
    over_limit_compute_seconds: int = 0
    over_limit_microusd: int = 0
    left_compute_seconds: int | None = 0
    reserved_compute_seconds: int = 0
    # If everything goes on as it did when it was metered (rule 19); None is not in sight.
    spent_at: datetime | None = None
    sessions_end_at: datetime | None = None
    ends_by_limit: bool = False
    rates: tuple[tuple[date, int], ...] = ()
    rate_microusd: int | None = None
    pools: tuple[PoolView, ...] = ()
    burn_now: Pace = Pace()
    burn_week: Pace = Pace()
    used_by_source: Mapping[str, int] | None = None
    reconciled: Reconciled = NEVER_RECONCILED
    has_caps: bool = False  # or had some

    @property
    def rate_per_hour_microusd(self) -> int | None:
        return None if self.rate_microusd is None else per_hour(self.rate_microusd)

    @property
    def burn_compute_seconds_per_hour(self) -> int:
        """The present burn rate: the last one to two hours."""
        return self.burn_now.per_hour

    @property
    def seconds_left_at_burn(self) -> int | None:
        """Wall seconds that the rest lasts at the present burn rate; None: no end is in sight."""
        return self.burn_now.lasts(self.left_compute_seconds)

    @property
    def forecast_at(self) -> datetime | None:
        """When it runs out at the pace of the last week, if that is before it is replenished."""
        lasts = self.burn_week.lasts(self.left_compute_seconds)
        if not lasts or self.usable_until is None:
            return None
        ends = to_seconds(self.as_of) + lasts
        return from_seconds(ends) if ends < to_seconds(self.usable_until) else None

    @property
    def used_compute_seconds(self) -> int:
        """Everything used in the period, also from pools that are gone."""
        return sum((self.used_by_source or {}).values())

    @property
    def forecast_compute_seconds(self) -> int | None:
        """All use expected by the period's end, or the trial's, at the pace of the last week."""
        if self.usable_until is None or not self.burn_week.used:
            return None
        rest = max(0, to_seconds(self.usable_until) - to_seconds(self.as_of))
        used = self.figures_used
        return used + self.burn_week.used * rest // self.burn_week.within

    @property
    def figures_used(self) -> int:
        on_demand = self.on_demand.used_compute_seconds + self.over_limit_compute_seconds
        return self.committed.used_compute_seconds + self.top_up.used_compute_seconds + on_demand

    @property
    def figures(self) -> AllowanceFigures:
        """The allowance bar's numbers."""
        return AllowanceFigures(
            committed=self.committed.total_compute_seconds or 0,
            committed_used=self.committed.used_compute_seconds,
            top_ups=self.top_up.total_compute_seconds or 0,
            top_ups_used=self.top_up.used_compute_seconds,
            on_demand=str(self.on_demand_mode),
            on_demand_limit=self.on_demand.total_compute_seconds or 0,
            on_demand_used=self.on_demand.used_compute_seconds,
            over_limit=self.over_limit_compute_seconds,
            reserved=self.reserved_compute_seconds,
            forecast=self.forecast_compute_seconds,
            on_demand_used_microusd=self.on_demand.used_microusd,
            on_demand_limit_microusd=self.on_demand_limit_microusd,
        )


@dataclass(frozen=True, slots=True)
class _Use:
    """From the ledger: by source in the period, and over the last hours and days."""

    by_source: Mapping[str, int]
    cost_by_source: Mapping[str, int]
    now: int
    week: int


NO_USE = _Use({}, {}, 0, 0)


def allowance_of(organization: Organization, at: datetime) -> AllowanceView:
    return allowances_of([organization.pk], at)[organization.pk]


def allowances_of(
    organizations: Iterable[uuid.UUID], at: datetime
) -> dict[uuid.UUID, AllowanceView]:
    """By organization; one without a subscription has an allowance of nothing."""
    ids = list(organizations)
    rows = Allowance.objects.filter(pk__in=ids).select_related("organization__reconciliation")
    allowances = {row.organization_id: row for row in rows}
    subscriptions = _subscriptions(ids)
    pools, rates, uses = _pools(ids, at), rates_of(ids), _uses(ids, at)
    views = {}
    for key in ids:
        allowance = allowances.get(key)
        if allowance is None:
            views[key] = AllowanceView(key, at)
            continue
        views[key] = _view(
            allowance,
            subscriptions.get(key),
            pools.get(key, ()),
            rates.get(key, ()),
            uses.get(key, NO_USE),
            at,
        )
    return views


def _subscriptions(ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Subscription]:
    rows = Subscription.objects.current().filter(organization_id__in=ids)
    return {row.organization_id: row for row in rows.select_related("plan", "next_plan")}


def _pools(ids: Sequence[uuid.UUID], at: datetime) -> dict[uuid.UUID, tuple[PoolView, ...]]:
    found: dict[uuid.UUID, list[PoolView]] = defaultdict(list)
    for row in Pool.objects.filter(organization_id__in=ids).open_at(at):
        found[row.organization_id].append(
            PoolView(
                kind=row.kind,
                origin=row.origin,
                compute_seconds=row.compute_seconds,
                used_compute_seconds=row.used_compute_seconds,
                starts_at=row.starts_at,
                expires_at=row.expires_at,
                bought_at=row.bought_at,
                price_microusd=row.price_microusd,
            )
        )
    return {key: tuple(rows) for key, rows in found.items()}


def _uses(ids: Sequence[uuid.UUID], at: datetime) -> dict[uuid.UUID, _Use]:
    now_from = from_seconds(hour_of(to_seconds(at)) - HOUR)
    in_period = Q(period_start=F("organization__allowance__period_start"))
    rows = (
        LedgerEntry.objects.filter(organization_id__in=ids, hour__gte=at - LONGEST_PERIOD)
        .values("organization_id", "source")
        .annotate(
            period=Sum("compute_seconds", filter=in_period, default=0),
            cost=Sum("cost_microusd", filter=in_period, default=0),
            now=Sum("compute_seconds", filter=Q(hour__gte=now_from), default=0),
            week=Sum(
                "compute_seconds", filter=Q(hour__gte=at - timedelta(seconds=WEEK)), default=0
            ),
        )
        .order_by("organization_id", "source")
    )
    found = defaultdict(list)
    for row in rows:
        found[row["organization_id"]].append(row)
    return {
        key: _Use(
            by_source={row["source"]: row["period"] for row in many},
            cost_by_source={row["source"]: row["cost"] for row in many},
            now=sum(row["now"] for row in many),
            week=sum(row["week"] for row in many),
        )
        for key, many in found.items()
    }


def _view(
    allowance: Allowance,
    subscription: Subscription | None,
    pools: tuple[PoolView, ...],
    rates: tuple[tuple[date, int], ...],
    use: _Use,
    at: datetime,
) -> AllowanceView:
    rate = rate_at(rates, at)
    reserved = allowance.reserved_compute_seconds
    committed = _of_pools([pool for pool in pools if pool.kind == PoolKind.COMMITTED], reserved)
    reserved -= committed.reserved_compute_seconds
    top_up = _of_pools([pool for pool in pools if pool.kind == PoolKind.TOP_UP], reserved)
    reserved -= top_up.reserved_compute_seconds
    used = use.by_source.get(EntrySource.ON_DEMAND, 0)
    on_demand = _of_on_demand(allowance, used, reserved, rate)
    return AllowanceView(
        organization_id=allowance.organization_id,
        reconciled=reconciled_of(getattr(allowance.organization, "reconciliation", None)),
        has_caps=allowance.has_caps,
        as_of=allowance.metered_until,
        subscription=subscription,
        period_start=allowance.period_start,
        period_end=allowance.period_end,
        usable_until=_usable_until(allowance, subscription),
        on_demand_mode=allowance.on_demand_mode,
        on_demand_limit_microusd=allowance.on_demand_limit_microusd,
        let_finish=allowance.let_finish,
        committed=committed,
        top_up=top_up,
        on_demand=on_demand,
        over_limit_compute_seconds=use.by_source.get(EntrySource.OVER_LIMIT, 0),
        over_limit_microusd=use.cost_by_source.get(EntrySource.OVER_LIMIT, 0),
        left_compute_seconds=_left(committed, top_up, on_demand),
        reserved_compute_seconds=allowance.reserved_compute_seconds,
        spent_at=allowance.spent_at,
        sessions_end_at=allowance.sessions_end_at,
        ends_by_limit=allowance.ends_by_limit,
        rates=rates,
        rate_microusd=rate,
        pools=pools,
        burn_now=Pace(use.now, to_seconds(at) - hour_of(to_seconds(at)) + HOUR),
        burn_week=Pace(use.week, _week_within(subscription, at)),
        used_by_source=use.by_source,
    )


def _usable_until(allowance: Allowance, subscription: Subscription | None) -> datetime | None:
    ends = [allowance.period_end, subscription.ends_at if subscription else None]
    return min((end for end in ends if end is not None), default=None)


def _week_within(subscription: Subscription | None, at: datetime) -> int:
    """The seconds that the last week's use took: less than a week where it began since.

    At least a day, so that the first busy hour doesn't frighten anybody.
    """
    if subscription is None:
        return WEEK
    since = to_seconds(at) - to_seconds(subscription.started_at)
    return min(WEEK, max(DAY, since))


def _of_pools(pools: Sequence[PoolView], reserved: int) -> SourceState:
    total = sum(pool.compute_seconds for pool in pools)
    used = sum(pool.used_compute_seconds for pool in pools)
    price = sum(pool.price_microusd for pool in pools)
    used_price = sum(pool.used_microusd for pool in pools)
    held = min(reserved, total - used)
    return SourceState(
        total_compute_seconds=total,
        used_compute_seconds=used,
        reserved_compute_seconds=held,
        left_compute_seconds=total - used,
        total_microusd=price,
        used_microusd=used_price,
        reserved_microusd=price * held // total if total else 0,
        left_microusd=price - used_price,
    )


def _of_on_demand(allowance: Allowance, used: int, reserved: int, rate: int | None) -> SourceState:
    setting = OnDemandValue(
        OnDemandMode(allowance.on_demand_mode),
        allowance.on_demand_limit_microusd,
        allowance.on_demand_used_microusd,
        allowance.let_finish,
    )
    left = setting.payable(rate or 0) if setting.is_on else 0
    limit = allowance.on_demand_limit_microusd if setting.is_on else 0
    held = reserved if left is None else min(reserved, left)
    return SourceState(
        total_compute_seconds=None if left is None else used + left,
        used_compute_seconds=used,
        reserved_compute_seconds=held,
        left_compute_seconds=left,
        total_microusd=limit,
        used_microusd=setting.used,
        reserved_microusd=held * (rate or 0),
        left_microusd=None if limit is None else max(0, limit - setting.used),
    )


def _left(*sources: SourceState) -> int | None:
    rooms = [source.left_compute_seconds for source in sources]
    return None if None in rooms else sum(room for room in rooms if room is not None)
