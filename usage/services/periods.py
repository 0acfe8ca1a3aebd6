"""Billing periods of an organization: what the meter does at a boundary (product.md rule 22)."""

import uuid
from datetime import UTC, datetime, timedelta

from offload_portal.common.actors import PORTAL
from offload_portal.common.periods import boundary, period_number
from orgs.enums import Event
from orgs.services import audit, set_license_pool
from usage.enums import PoolKind, PoolOrigin
from usage.models import Allowance, Plan, Pool, Rate, Subscription


def roll_period(allowance: Allowance, at: datetime) -> Pool | None:
    """Open the period that begins at the boundary `at`; give its committed pool.

    The new bounds are set on `allowance`, which the caller saves; its row is locked. Without a
    subscription that goes on there is no further period. Doing it twice changes nothing.
    """
    subscription = going_on(allowance, at)
    if subscription is None:
        allowance.period_start = allowance.period_end = None
        return None
    allowance.period_start = at
    allowance.period_end = boundary(subscription.anchor, period_number(subscription.anchor, at) + 1)
    _apply_next(subscription, at)
    if subscription.is_trial:  # its hours were given once, for all of it (rule 23)
        return None
    return period_pool(subscription, at, allowance.period_end, at)


def going_on(allowance: Allowance, at: datetime) -> Subscription | None:
    """The subscription that the period beginning at the instant belongs to.

    The meter may be late: one that ended since then still had this period.
    """
    return (
        Subscription.objects.going_on(at)
        .filter(organization_id=allowance.organization_id)
        .select_related("plan", "next_plan", "organization")
        .first()
    )


def period_pool(
    subscription: Subscription, period_start: datetime, period_end: datetime, at: datetime
) -> Pool:
    """The committed time of a period, usable from `at` on; made once."""
    ends_at = subscription.ends_at
    pool, _ = Pool.objects.get_or_create(
        organization_id=subscription.organization_id,
        cause=f"period:{period_start:%Y-%m-%d}",
        defaults={
            "kind": PoolKind.COMMITTED,
            "origin": PoolOrigin.PLAN,
            "compute_seconds": subscription.committed_compute_seconds,
            "starts_at": at,
            "expires_at": period_end if ends_at is None else min(period_end, ends_at),
            "bought_at": at,
            "price_microusd": subscription.price_microusd,
        },
    )
    return pool


def next_terms(subscription: Subscription) -> tuple[Plan, int]:
    """The plan of the next period, and its committed compute-seconds."""
    committed = subscription.next_committed_compute_seconds
    if committed is not None:
        return subscription.next_plan or subscription.plan, committed
    if subscription.next_plan is not None:
        return subscription.next_plan, subscription.next_plan.committed_compute_seconds
    return subscription.plan, subscription.committed_compute_seconds


def _apply_next(subscription: Subscription, at: datetime) -> None:
    """A smaller plan and less commitment take effect with the new period (rule 22)."""
    plan, committed = next_terms(subscription)
    if subscription.next_plan is None and subscription.next_committed_compute_seconds is None:
        return
    _tell(subscription, plan, committed, at)
    Subscription.objects.filter(pk=subscription.pk).update(
        plan=plan,
        next_plan=None,
        licenses=plan.licenses,
        committed_compute_seconds=committed,
        next_committed_compute_seconds=None,
        price_microusd=price_of(plan, committed),
    )
    subscription.refresh_from_db()


def _tell(subscription: Subscription, plan: Plan, committed: int, at: datetime) -> None:
    audit.record(
        event=Event.SUBSCRIPTION_CHANGED,
        actor=PORTAL,
        at=at,
        organization_id=subscription.organization_id,
        subject=("subscription", subscription.pk),
        before={
            "plan": subscription.plan.slug,
            "committed_compute_seconds": subscription.committed_compute_seconds,
        },
        after={"plan": plan.slug, "committed_compute_seconds": committed},
    )
    if plan.pk != subscription.plan_id:
        set_rate(subscription.organization_id, plan.on_demand_rate_microusd, at)
        set_license_pool(
            actor=PORTAL, at=at, organization=subscription.organization, licenses=plan.licenses
        )


def price_of(plan: Plan, committed_compute_seconds: int) -> int:
    """Micro-dollars for a whole period: the plan's price and what is committed beyond it."""
    more = max(0, committed_compute_seconds - plan.committed_compute_seconds)
    return plan.price_microusd + more * plan.commitment_rate_microusd


def set_rate(organization_id: uuid.UUID, microusd: int, at: datetime) -> None:
    """The on-demand rate from the first midnight (UTC) on at which nothing is priced yet.

    Where no rate holds so far that is the midnight before `at`; else what was priced today keeps
    its rate and the new one holds from tomorrow, or from `at` where that is a midnight (rule 22).
    """
    day = at.astimezone(UTC).date()
    rates = Rate.objects.filter(organization_id=organization_id)
    is_midnight = (at.hour, at.minute, at.second) == (0, 0, 0)
    if rates.filter(valid_from__lte=day).exists() and not is_midnight:
        day += timedelta(days=1)
    holds_then = rates.filter(valid_from__lte=day).order_by("-valid_from").first()
    if holds_then is not None and holds_then.microusd_per_compute_second == microusd:
        return
    Rate.objects.update_or_create(
        organization_id=organization_id,
        valid_from=day,
        defaults={"microusd_per_compute_second": microusd},
    )
