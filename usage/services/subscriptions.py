"""Subscribing, changing plan, cancelling, and the end as a fact (product.md rules 22, 23)."""

import logging
import uuid
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import PORTAL, Actor
from offload_portal.common.identifiers import uuid7
from offload_portal.common.locks import lock_alone
from offload_portal.common.periods import boundary
from offload_portal.common.refusals import Refusal
from orgs.enums import Event
from orgs.models import Organization
from orgs.services import audit, set_license_pool
from usage.enums import OnDemand, PoolKind, PoolOrigin, SubscriptionState
from usage.models import Allowance, Cap, LimitVersion, Plan, Pool, Subscription
from usage.selectors.quotes import PlanQuote, plan_terms, quote_plan, terms_of
from usage.services import metering
from usage.services.contract import (
    Contract,
    check_compute_seconds,
    contract_of,
    refuse_field,
)
from usage.services.periods import period_pool, price_of, set_rate

logger = logging.getLogger(__name__)


@transaction.atomic
def subscribe(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    plan: Plan,
    committed_compute_seconds: int | None = None,
) -> Subscription:
    """Begin a subscription; its first period begins with the day (UTC) of `at`.

    Refuses a second subscription, a second trial, and a plan that is not offered.
    """
    lock_alone(organization.pk)
    settle_subscription(organization_id=organization.pk, at=at)
    committed = _check_subscribe(organization, plan, committed_compute_seconds)
    subscription = _create(organization, plan, committed, at)
    allowance = _open_allowance(subscription, at)
    _first_pool(subscription, allowance, at)
    set_rate(organization.pk, plan.on_demand_rate_microusd, at)
    set_license_pool(actor=actor, at=at, organization=organization, licenses=plan.licenses)
    audit.record(
        event=Event.SUBSCRIPTION_STARTED,
        actor=actor,
        at=at,
        organization_id=organization.pk,
        subject=("subscription", subscription.pk),
        after=_summary(subscription, plan),
    )
    metering.refresh_left(allowance, at)
    return subscription


def _summary(subscription: Subscription, plan: Plan) -> dict[str, object]:
    return {
        "plan": plan.slug,
        "licenses": subscription.licenses,
        "committed_compute_seconds": subscription.committed_compute_seconds,
        "price_microusd": subscription.price_microusd,
    }


def _check_subscribe(organization: Organization, plan: Plan, committed: int | None) -> int:
    """The committed compute-seconds to begin with, or a refusal."""
    if not plan.is_offered:
        raise refuse_field("plan", _("This plan is no longer offered."))
    earlier = Subscription.objects.filter(organization=organization)
    if earlier.filter(ended_at=None).exists():
        raise _subscribed_already()
    if plan.is_trial and earlier.filter(trial_ends_at__isnull=False).exists():
        sentence = _("The organization has had its trial. Choose one of the other plans.")
        raise Refusal("trial_used", sentence, status=409)
    if committed is None or plan.is_trial:
        return plan.committed_compute_seconds
    check_compute_seconds(
        committed, field="committed_compute_seconds", least=plan.committed_compute_seconds
    )
    return committed


def _subscribed_already() -> Refusal:
    sentence = _("The organization has a subscription already. Change its plan instead.")
    return Refusal("already_subscribed", sentence, status=409)


def _create(organization: Organization, plan: Plan, committed: int, at: datetime) -> Subscription:
    trial_ends_at = at + timedelta(days=plan.trial_days) if plan.is_trial else None
    try:
        with transaction.atomic():
            return Subscription.objects.create(
                organization=organization,
                plan=plan,
                state=SubscriptionState.TRIALING if plan.is_trial else SubscriptionState.ACTIVE,
                anchor=at.astimezone(UTC).date(),
                started_at=at,
                licenses=plan.licenses,
                committed_compute_seconds=committed,
                price_microusd=price_of(plan, committed),
                trial_ends_at=trial_ends_at,
            )
    except IntegrityError:  # somebody else subscribed between the check and this row
        raise _subscribed_already() from None


def _open_allowance(subscription: Subscription, at: datetime) -> Allowance:
    """Its row, with the bounds of the first period; nothing was used in it so far."""
    allowance, _created = Allowance.objects.get_or_create(
        organization_id=subscription.organization_id, defaults={"metered_until": at}
    )
    allowance.period_start = boundary(subscription.anchor, 0)
    allowance.period_end = boundary(subscription.anchor, 1)
    allowance.on_demand_used_microusd = 0
    allowance.save(update_fields=["period_start", "period_end", "on_demand_used_microusd"])
    Cap.objects.filter(organization_id=allowance.pk).update(used_compute_seconds=0)
    return allowance


def _first_pool(subscription: Subscription, allowance: Allowance, at: datetime) -> None:
    if subscription.trial_ends_at is None:
        start, end = allowance.period_start, allowance.period_end
        if start is None or end is None:
            raise ValueError("The first period has no bounds.")
        period_pool(subscription, start, end, at)
    elif subscription.committed_compute_seconds:
        Pool.objects.create(
            organization_id=subscription.organization_id,
            kind=PoolKind.COMMITTED,
            origin=PoolOrigin.TRIAL,
            compute_seconds=subscription.committed_compute_seconds,
            starts_at=at,
            expires_at=subscription.trial_ends_at,
            bought_at=at,
            cause=f"trial:{at:%Y-%m-%d}",
        )


# Changing the plan


@transaction.atomic
def change_plan(*, actor: Actor, at: datetime, organization: Organization, plan: Plan) -> PlanQuote:
    """From a trial and to a dearer plan at once, prorated; to a cheaper one from the next period.

    A trial's hours stay usable until they would have ended.
    """
    contract = contract_of(organization, at)
    subscription = contract.subscription
    _check_change(subscription, plan)
    quote = quote_plan(terms_of(subscription, contract.allowance), plan_terms(plan), at)
    before = _summary(subscription, subscription.plan)
    if quote.effective_at == at:
        _change_now(contract, plan, quote, actor, at)
    else:
        _change_next(subscription, plan, quote)
    audit.record(
        event=Event.SUBSCRIPTION_CHANGED,
        actor=actor,
        at=at,
        organization_id=organization.pk,
        subject=("subscription", subscription.pk),
        before=before,
        after={
            "plan": plan.slug,
            "effective_at": quote.effective_at.isoformat(),
            "charge_microusd": quote.charge_microusd,
        },
    )
    metering.refresh_left(contract.allowance, at)
    return quote


def _check_change(subscription: Subscription, plan: Plan) -> None:
    if not plan.is_offered or plan.is_trial:
        raise refuse_field("plan", _("A subscription can't change to this plan."))
    if subscription.plan_id == plan.pk and subscription.next_plan_id is None:
        sentence = _("The organization is on this plan already.")
        raise Refusal("already_on_plan", sentence, status=409)
    cheaper = plan.price_microusd <= subscription.plan.price_microusd
    if cheaper and subscription.cancel_at is not None and not subscription.is_trial:
        sentence = _("The subscription ends with this period, so there is no next one. Resume it.")
        raise Refusal("subscription_ends", sentence, status=409)


def _change_now(
    contract: Contract, plan: Plan, quote: PlanQuote, actor: Actor, at: datetime
) -> None:
    subscription = contract.subscription
    subscription.plan = plan
    subscription.next_plan = None
    if subscription.is_trial:
        subscription.state = SubscriptionState.ACTIVE
        subscription.cancel_at = None
    subscription.licenses = plan.licenses
    subscription.committed_compute_seconds = quote.compute_seconds
    subscription.next_committed_compute_seconds = None
    subscription.price_microusd = quote.price_microusd
    subscription.save()
    Pool.objects.create(
        organization_id=subscription.organization_id,
        kind=PoolKind.COMMITTED,
        origin=PoolOrigin.PLAN,
        compute_seconds=quote.granted_compute_seconds,
        starts_at=at,
        expires_at=contract.usable_until,
        bought_at=at,
        bought_by_id=actor.id,
        price_microusd=quote.charge_microusd,
        cause=f"plan:{uuid7()}",
    )
    set_rate(subscription.organization_id, plan.on_demand_rate_microusd, at)
    set_license_pool(
        actor=actor, at=at, organization=subscription.organization, licenses=plan.licenses
    )


def _change_next(subscription: Subscription, plan: Plan, quote: PlanQuote) -> None:
    """A cheaper plan to come, or the present one again, which takes back what was to come."""
    stays = plan.pk == subscription.plan_id
    subscription.next_plan = None if stays else plan
    subscription.next_committed_compute_seconds = None if stays else quote.compute_seconds
    subscription.save(update_fields=["next_plan", "next_committed_compute_seconds"])


MOST_TRIAL_DAYS = 90


@transaction.atomic
def extend_trial(
    *, actor: Actor, at: datetime, organization: Organization, days: int
) -> Subscription:
    """Let a trial that goes on last longer, its hours with it: at most 90 days in all."""
    contract = contract_of(organization, at)
    subscription = contract.subscription
    end = subscription.trial_ends_at
    if not subscription.is_trial or end is None:
        raise Refusal("no_trial", _("The organization is in no trial."), status=409)
    later = end + timedelta(days=days)
    if days < 1 or later > subscription.started_at + timedelta(days=MOST_TRIAL_DAYS):
        sentence = _("A trial is extended by a day at least, and lasts at most %(most)s in all.")
        raise refuse_field("days", sentence % {"most": MOST_TRIAL_DAYS})
    pools = Pool.objects.filter(
        organization_id=organization.pk, origin=PoolOrigin.TRIAL, expires_at=end
    )
    pools.update(expires_at=later)
    subscription.trial_ends_at = later
    subscription.save(update_fields=["trial_ends_at"])
    audit.record(
        event=Event.SUBSCRIPTION_CHANGED,
        actor=actor,
        at=at,
        organization_id=organization.pk,
        subject=("subscription", subscription.pk),
        before={"trial_ends_at": end.isoformat()},
        after={"trial_ends_at": later.isoformat()},
    )
    metering.refresh_left(contract.allowance, at)
    return subscription


# Cancelling and resuming


@transaction.atomic
def cancel(*, actor: Actor, at: datetime, organization: Organization) -> Subscription:
    """Access stays until the period ends, or the trial (rule 23)."""
    contract = contract_of(organization, at)
    subscription = contract.subscription
    if subscription.cancel_at is not None:
        raise Refusal("already_cancelled", _("The subscription is cancelled already."), status=409)
    return _set_cancel_at(
        subscription, contract.usable_until, Event.SUBSCRIPTION_CANCELLED, actor, at
    )


@transaction.atomic
def resume(*, actor: Actor, at: datetime, organization: Organization) -> Subscription:
    """Take a cancellation back before the period ends."""
    subscription = contract_of(organization, at).subscription
    if subscription.cancel_at is None:
        raise Refusal("not_cancelled", _("The subscription isn't cancelled."), status=409)
    return _set_cancel_at(subscription, None, Event.SUBSCRIPTION_RESUMED, actor, at)


def _set_cancel_at(
    subscription: Subscription,
    cancel_at: datetime | None,
    event: Event,
    actor: Actor,
    at: datetime,
) -> Subscription:
    before = subscription.cancel_at
    subscription.cancel_at = cancel_at
    subscription.save(update_fields=["cancel_at"])
    audit.record(
        event=event,
        actor=actor,
        at=at,
        organization_id=subscription.organization_id,
        subject=("subscription", subscription.pk),
        before={"cancel_at": before.isoformat() if before else None},
        after={"cancel_at": cancel_at.isoformat() if cancel_at else None},
    )
    return subscription


# The end


@transaction.atomic
def end_now(*, actor: Actor, at: datetime, organization: Organization) -> bool:
    """End the subscription at the instant, whatever was paid ahead; False where there is none.

    For an organization that is deleted. Periods and pools stay as the ledger knows them.
    """
    lock_alone(organization.pk)
    subscription = Subscription.objects.current().filter(organization=organization).first()
    if subscription is None:
        return False
    _set_cancel_at(subscription, at, Event.SUBSCRIPTION_CANCELLED, actor, at)
    return settle_subscription(organization_id=organization.pk, at=at)


def settle_subscriptions(*, at: datetime) -> int:
    """Write down every end that is true by the instant; how many. One failure stops no other."""
    ended = 0
    due = Subscription.objects.due_to_end(at).values_list("organization_id", flat=True)
    for organization_id in list(due):
        try:
            ended += settle_subscription(organization_id=organization_id, at=at)
        except Exception:  # one organization's fault must not keep the others'
            logger.exception("The subscription of %s could not be settled", organization_id)
    return ended


@transaction.atomic(savepoint=False)
def settle_subscription(*, organization_id: uuid.UUID, at: datetime) -> bool:
    """Write down the organization's end, at its own instant, where that has come by `at`.

    Called before the organization is metered to `at`, so that the meter finds nothing to pay
    with after the end. Doing it twice changes nothing. Licenses stay with their holders: without
    a subscription nobody starts, and who subscribes again finds access as it was.
    """
    subscription = (
        Subscription.objects.due_to_end(at).filter(organization_id=organization_id).first()
    )
    if subscription is None or subscription.ends_at is None:
        return False
    lock_alone(organization_id)
    ends_at = subscription.ends_at
    changed = (
        Subscription.objects.due_to_end(at)
        .filter(pk=subscription.pk)
        .update(
            state=SubscriptionState.CANCELLED,
            ended_at=ends_at,
        )
    )
    if not changed:
        return False
    _close_allowance(organization_id, ends_at)
    audit.record(
        event=Event.SUBSCRIPTION_CHANGED,
        actor=PORTAL,
        at=ends_at,
        organization_id=organization_id,
        subject=("subscription", subscription.pk),
        before={"state": subscription.state},
        after={"state": SubscriptionState.CANCELLED, "ended_at": ends_at.isoformat()},
    )
    return True


def _close_allowance(organization_id: uuid.UUID, ends_at: datetime) -> None:
    """No pool is usable after the end, and on-demand is off from there on."""
    pools = Pool.objects.filter(organization_id=organization_id, expires_at__gt=ends_at)
    pools.filter(starts_at__lt=ends_at).update(expires_at=ends_at)
    pools.filter(starts_at__gte=ends_at, used_compute_seconds=0).delete()
    _switch_off(organization_id, ends_at)


def _switch_off(organization_id: uuid.UUID, ends_at: datetime) -> None:
    """On-demand ends too; what is metered already stays as it is (rule 18)."""
    allowance = Allowance.objects.filter(pk=organization_id).first()
    versions = LimitVersion.objects.filter(organization_id=organization_id)
    last = versions.order_by("-recorded_at", "-id").first()
    modes = {
        allowance.on_demand_mode if allowance else OnDemand.OFF,
        last.mode if last else OnDemand.OFF,
    }
    if allowance is None or modes == {OnDemand.OFF}:
        return
    at = max(ends_at, allowance.metered_until)
    LimitVersion.objects.create(
        organization_id=organization_id,
        recorded_at=at,
        effective_at=at,
        mode=OnDemand.OFF,
        reason=_("The subscription ended."),
    )
