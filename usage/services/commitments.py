"""Committed usage and top-ups (product.md rules 18, 22)."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.identifiers import uuid7
from offload_portal.common.refusals import Refusal
from orgs.enums import Event
from orgs.models import Organization
from orgs.services import audit
from usage.enums import PoolKind, PoolOrigin
from usage.models import Pool, Subscription
from usage.selectors.quotes import CommitmentQuote, quote_commitment, quote_top_up, terms_of
from usage.services import metering
from usage.services.contract import Contract, check_compute_seconds, contract_of, refuse_field


@transaction.atomic
def change_commitment(
    *, actor: Actor, at: datetime, organization: Organization, compute_seconds: int
) -> CommitmentQuote:
    """Commit to `compute_seconds` a period: more at once, less from the next period on.

    Refuses a trial, a subscription that ends, and less than the plan includes.
    """
    contract = contract_of(organization, at)
    check_commitment(contract.subscription, compute_seconds)
    quote = quote_commitment(
        terms_of(contract.subscription, contract.allowance), compute_seconds, at
    )
    subscription = contract.subscription
    before = _commitment(subscription)
    if quote.granted_compute_seconds:
        _commit_more(contract, quote, actor, at)
    else:
        _commit_next(subscription, quote)
    audit.record(
        event=Event.COMMITMENT_CHANGED,
        actor=actor,
        at=at,
        organization_id=organization.pk,
        subject=("subscription", subscription.pk),
        before=before,
        after={**_commitment(subscription), "charge_microusd": quote.charge_microusd},
    )
    metering.refresh_left(contract.allowance, at)
    return quote


def _commitment(subscription: Subscription) -> dict[str, int | None]:
    return {
        "committed_compute_seconds": subscription.committed_compute_seconds,
        "next_committed_compute_seconds": subscription.next_committed_compute_seconds,
        "price_microusd": subscription.price_microusd,
    }


def check_commitment(subscription: Subscription, compute_seconds: int) -> None:
    """Raise the refusal that a change of the commitment would meet."""
    check_compute_seconds(compute_seconds, field="compute_seconds")
    if subscription.is_trial:
        sentence = _("A trial's hours are fixed. Choose a plan to commit to more.")
        raise Refusal("trial_is_fixed", sentence, status=409)
    plan = subscription.next_plan or subscription.plan
    if compute_seconds < plan.committed_compute_seconds:
        sentence = _("The plan %(plan)s includes %(hours)s compute-hours; choose another plan.") % {
            "plan": plan.name,
            "hours": f"{plan.committed_compute_seconds // 3_600:,}",
        }
        raise refuse_field("compute_seconds", sentence)
    if compute_seconds < subscription.committed_compute_seconds and subscription.cancel_at:
        sentence = _("The subscription ends with this period, so there is no next one. Resume it.")
        raise Refusal("subscription_ends", sentence, status=409)


def _commit_more(contract: Contract, quote: CommitmentQuote, actor: Actor, at: datetime) -> None:
    subscription = contract.subscription
    Pool.objects.create(
        organization_id=subscription.organization_id,
        kind=PoolKind.COMMITTED,
        origin=PoolOrigin.COMMITMENT,
        compute_seconds=quote.granted_compute_seconds,
        starts_at=at,
        expires_at=contract.usable_until,
        bought_at=at,
        bought_by_id=actor.id,
        price_microusd=quote.charge_microusd,
        cause=f"commitment:{uuid7()}",
    )
    subscription.committed_compute_seconds = quote.compute_seconds
    subscription.next_committed_compute_seconds = None
    subscription.price_microusd = quote.price_microusd
    subscription.save(
        update_fields=[
            "committed_compute_seconds",
            "next_committed_compute_seconds",
            "price_microusd",
        ]
    )


def _commit_next(subscription: Subscription, quote: CommitmentQuote) -> None:
    """Less, or as much as now, which takes back less that was to come."""
    same = quote.compute_seconds == subscription.committed_compute_seconds
    keeps = same and subscription.next_plan_id is None
    subscription.next_committed_compute_seconds = None if keeps else quote.compute_seconds
    subscription.save(update_fields=["next_committed_compute_seconds"])


def check_top_up(compute_seconds: int) -> None:
    """Raise the refusal that a top-up would meet."""
    check_compute_seconds(compute_seconds, field="compute_seconds", least=1)


@transaction.atomic
def buy_top_up(
    *, actor: Actor, at: datetime, organization: Organization, compute_seconds: int
) -> Pool:
    """Compute time for the rest of the period, drawn after committed time (rules 18, 22)."""
    contract = contract_of(organization, at)
    check_top_up(compute_seconds)
    price = quote_top_up(terms_of(contract.subscription, contract.allowance), compute_seconds)
    pool = Pool.objects.create(
        organization=organization,
        kind=PoolKind.TOP_UP,
        origin=PoolOrigin.PURCHASE,
        compute_seconds=compute_seconds,
        starts_at=at,
        expires_at=contract.usable_until,
        bought_at=at,
        bought_by_id=actor.id,
        price_microusd=price,
        cause=f"top_up:{uuid7()}",
    )
    audit.record(
        event=Event.TOP_UP_BOUGHT,
        actor=actor,
        at=at,
        organization_id=organization.pk,
        subject=("pool", pool.pk),
        after={"compute_seconds": compute_seconds, "price_microusd": price},
    )
    metering.refresh_left(contract.allowance, at)
    return pool
