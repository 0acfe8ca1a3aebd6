"""Subscriptions, plans and limits as pages and the API show them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from orgs.models import Organization
from usage.models import LimitVersion, Plan, Subscription
from usage.rates import DEFAULT_SIZES
from usage.selectors.allowances import AllowanceView
from usage.selectors.quotes import PlanTerms, plan_terms


def subscription_of(organization: Organization) -> Subscription | None:
    """The one that has not ended, with its plans; None without."""
    return (
        Subscription.objects.current()
        .filter(organization=organization)
        .select_related("plan", "next_plan")
        .first()
    )


def plans_offered() -> tuple[PlanTerms, ...]:
    """The catalog, in the operators' order."""
    return tuple(plan_terms(plan) for plan in Plan.objects.offered())


def find_plan(slug: str) -> Plan | None:
    """An offered plan by its slug."""
    return Plan.objects.offered().filter(slug=slug).first()


def had_trial(organization: Organization) -> bool:
    return Subscription.objects.filter(
        organization=organization, trial_ends_at__isnull=False
    ).exists()


class LimitState(StrEnum):
    IN_FORCE = "in_force"
    TO_COME = "to_come"
    REPLACED = "replaced"  # by a later one, before it came into force
    PAST = "past"


@dataclass(frozen=True, slots=True)
class LimitChange:
    """A change of the on-demand limit: who, when, from when on, what, why."""

    recorded_at: datetime
    effective_at: datetime
    actor_name: str  # empty: the portal itself, or somebody who is gone
    mode: str
    limit_microusd: int | None
    let_finish: bool
    reason: str
    state: LimitState


def limit_history(
    organization: Organization, at: datetime, *, most: int = 50
) -> tuple[LimitChange, ...]:
    """The newest changes first. One statement."""
    rows = list(
        LimitVersion.objects.filter(organization=organization)
        .select_related("actor")
        .order_by("-recorded_at", "-id")[:most]
    )
    changes: list[LimitChange] = []
    found_force = False
    for number, row in enumerate(rows):
        replaced = any(later.effective_at <= row.effective_at for later in rows[:number])
        state = _state(row, at, replaced=replaced, found_force=found_force)
        found_force = found_force or state is LimitState.IN_FORCE
        changes.append(_change(row, state))
    return tuple(changes)


def _state(row: LimitVersion, at: datetime, *, replaced: bool, found_force: bool) -> LimitState:
    if replaced and row.effective_at > row.recorded_at:
        return LimitState.REPLACED
    if row.effective_at > at:
        return LimitState.TO_COME
    return LimitState.PAST if found_force or replaced else LimitState.IN_FORCE


def _change(row: LimitVersion, state: LimitState) -> LimitChange:
    actor = row.actor
    return LimitChange(
        recorded_at=row.recorded_at,
        effective_at=row.effective_at,
        actor_name=(actor.name or actor.email) if actor else "",
        mode=row.mode,
        limit_microusd=row.limit_microusd,
        let_finish=row.let_finish,
        reason=row.reason,
        state=state,
    )


@dataclass(frozen=True, slots=True)
class SizeRate:
    """What an hour of one engine size costs on demand, in micro-dollars."""

    name: str
    vcpus: int
    memory_bytes: int
    gpus: int
    multiplier: int
    per_hour_microusd: int


@dataclass(frozen=True, slots=True)
class RatesInForce:
    """The on-demand rate per compute-second, each size's hour, and what is to come."""

    rate_microusd: int
    valid_from: date
    sizes: tuple[SizeRate, ...]
    coming: tuple[tuple[date, int], ...]


def rates_in_force(view: AllowanceView, at: datetime) -> RatesInForce | None:
    """From an allowance that was read; None where no rate holds."""
    today = at.astimezone(UTC).date()
    held = [rate for rate in view.rates if rate[0] <= today]
    if not held:
        return None
    valid_from, rate = held[-1]
    sizes = tuple(
        SizeRate(
            size.name,
            size.vcpus,
            size.memory_bytes,
            size.gpus,
            size.multiplier,
            rate * size.multiplier * 3_600,
        )
        for size in DEFAULT_SIZES
    )
    coming = tuple(other for other in view.rates if other[0] > today)
    return RatesInForce(rate, valid_from, sizes, coming)
