"""Committed usage and top-ups (rules 18, 22)."""

from datetime import UTC, datetime, timedelta

import pytest

from offload_portal.common.refusals import Refusal
from orgs.enums import Event
from orgs.models import AuditEntry, Organization, Person
from tests import factories
from tests.usage import worlds
from tests.usage.worlds import HOUR
from usage import services
from usage.enums import PoolKind
from usage.models import Pool
from usage.selectors import CommitmentQuote, allowance_of, quote_commitment, terms_of

SECOND = timedelta(seconds=1)
BOUNDARY = datetime(2026, 4, 11, tzinfo=UTC)
PERIOD = 31 * 86_400
RATE = 40  # micro-dollars for a committed compute-second on the team plan
pytestmark = pytest.mark.django_db


def test_more_takes_effect_at_once_granted_up_and_charged_down(
    organization: Organization, owner: Person, at: datetime
) -> None:
    left = int((BOUNDARY - at).total_seconds())
    worlds.commit(organization, owner, at, 201)
    bought = worlds.pools(organization)[-1]
    assert bought.kind == PoolKind.COMMITTED
    assert bought.compute_seconds == -(-101 * HOUR * left // PERIOD)
    assert bought.price_microusd == 101 * HOUR * RATE * left // PERIOD
    assert bought.expires_at == BOUNDARY
    assert worlds.subscription(organization).committed_compute_seconds == 201 * HOUR
    left_now = worlds.allowance(organization).left_compute_seconds
    assert left_now == 100 * HOUR + bought.compute_seconds


def test_in_the_last_second_of_a_period_one_second_of_it_is_bought(
    organization: Organization, owner: Person
) -> None:
    worlds.commit(organization, owner, BOUNDARY - SECOND, 100 + 744)  # an hour for each hour
    bought = worlds.pools(organization)[-1]
    assert bought.compute_seconds == 1
    assert bought.price_microusd == RATE
    worlds.use(organization, owner, BOUNDARY - SECOND, 1, until=BOUNDARY)
    assert worlds.allowance(organization).left_compute_seconds == 844 * HOUR


def test_at_the_boundary_a_whole_period_is_bought(
    organization: Organization, owner: Person
) -> None:
    worlds.commit(organization, owner, BOUNDARY, 110)
    bought = worlds.pools(organization)[-1]
    assert bought.compute_seconds == 10 * HOUR
    assert bought.price_microusd == 10 * HOUR * RATE


def test_less_waits_for_the_next_period_and_then_holds(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.commit(organization, owner, at, 200)
    worlds.commit(organization, owner, at, 120)
    subscription = worlds.subscription(organization)
    assert subscription.committed_compute_seconds == 200 * HOUR
    assert subscription.next_committed_compute_seconds == 120 * HOUR
    assert len(worlds.pools(organization)) == 2
    worlds.use(organization, owner, BOUNDARY - SECOND, 1, until=BOUNDARY)
    subscription = worlds.subscription(organization)
    assert subscription.committed_compute_seconds == 120 * HOUR
    assert subscription.next_committed_compute_seconds is None
    assert worlds.pools(organization)[-1].compute_seconds == 120 * HOUR
    assert worlds.pools(organization)[-1].price_microusd == 29_000_000 + 20 * HOUR * RATE


def test_the_present_commitment_takes_back_less_that_was_to_come(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.commit(organization, owner, at, 200)
    worlds.commit(organization, owner, at, 120)
    worlds.commit(organization, owner, at, 200)
    assert worlds.subscription(organization).next_committed_compute_seconds is None


def test_the_preview_is_what_is_charged(
    organization: Organization, owner: Person, at: datetime
) -> None:
    terms = terms_of(worlds.subscription(organization), worlds.allowance(organization))
    later = at + timedelta(seconds=12_345)
    quote = quote_commitment(terms, 333 * HOUR, later)
    done = worlds.commit(organization, owner, later, 333)
    bought = worlds.pools(organization)[-1]
    assert done == quote
    assert (bought.compute_seconds, bought.price_microusd) == (
        quote.granted_compute_seconds,
        quote.charge_microusd,
    )


@pytest.mark.parametrize("seconds", [-1, 0, 100 * HOUR - 1, 10**15, 10**30])
def test_a_commitment_below_the_plan_or_beyond_reason_is_refused(
    organization: Organization, owner: Person, at: datetime, seconds: int
) -> None:
    with pytest.raises(Refusal) as refused:
        services.change_commitment(
            actor=factories.actor(owner), at=at, organization=organization, compute_seconds=seconds
        )
    assert refused.value.status == 400
    assert "compute_seconds" in refused.value.errors
    assert worlds.subscription(organization).committed_compute_seconds == 100 * HOUR


def test_a_trial_can_not_commit_to_more(owner: Person, at: datetime) -> None:
    acme = factories.subscribed_organization(owner, at=at, plan="trial")
    with pytest.raises(Refusal) as refused:
        worlds.commit(acme, owner, at, 20)
    assert refused.value.code == "trial_is_fixed"


def test_less_is_refused_where_no_period_follows(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.commit(organization, owner, at, 200)
    services.cancel(actor=factories.actor(owner), at=at, organization=organization)
    with pytest.raises(Refusal) as refused:
        worlds.commit(organization, owner, at, 150)
    assert refused.value.code == "subscription_ends"
    assert isinstance(worlds.commit(organization, owner, at, 250), CommitmentQuote)


# Top-ups


def test_a_top_up_is_bought_at_once_and_expires_with_the_period(
    organization: Organization, owner: Person, at: datetime
) -> None:
    pool = worlds.top_up(organization, owner, at, 20)
    assert (pool.starts_at, pool.expires_at) == (at, BOUNDARY)
    assert pool.price_microusd == 20 * HOUR * RATE
    assert worlds.allowance(organization).left_compute_seconds == 120 * HOUR
    worlds.use(organization, owner, BOUNDARY - SECOND, 1, until=BOUNDARY)
    assert worlds.allowance(organization).left_compute_seconds == 100 * HOUR


def test_a_top_up_is_drawn_after_committed_time(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.top_up(organization, owner, at, 1)
    worlds.use(organization, owner, at, 100 * HOUR + 60)
    committed, bought = worlds.pools(organization)
    assert committed.left_compute_seconds == 0
    assert bought.used_compute_seconds == 60


def test_a_top_up_in_a_trial_expires_with_the_trial(owner: Person, at: datetime) -> None:
    acme = factories.subscribed_organization(owner, at=at, plan="trial")
    assert worlds.top_up(acme, owner, at, 1).expires_at == at + timedelta(days=14)


@pytest.mark.parametrize("seconds", [-HOUR, 0, 10**15])
def test_a_top_up_of_nothing_or_beyond_reason_is_refused(
    organization: Organization, owner: Person, at: datetime, seconds: int
) -> None:
    with pytest.raises(Refusal) as refused:
        services.buy_top_up(
            actor=factories.actor(owner), at=at, organization=organization, compute_seconds=seconds
        )
    assert "compute_seconds" in refused.value.errors
    assert not Pool.objects.filter(kind=PoolKind.TOP_UP).exists()


def test_every_purchase_leaves_an_audit_entry_of_the_actor(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.commit(organization, owner, at, 150)
    worlds.top_up(organization, owner, at, 2)
    entries = AuditEntry.objects.filter(
        organization_id=organization.pk,
        event__in=[Event.COMMITMENT_CHANGED, Event.TOP_UP_BOUGHT],
    ).order_by("id")
    assert [entry.actor_id for entry in entries] == [owner.pk, owner.pk]
    assert entries[0].before["committed_compute_seconds"] == 100 * HOUR
    assert entries[0].after["committed_compute_seconds"] == 150 * HOUR


def test_what_is_left_is_the_same_in_the_view_and_for_the_meter(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.commit(organization, owner, at, 150)
    worlds.top_up(organization, owner, at, 2)
    worlds.on_demand(organization, owner, at, "limited", 7)
    worlds.use(organization, owner, at, 3 * HOUR)
    later = at + timedelta(hours=3)
    view = allowance_of(organization, later)
    assert view.left_compute_seconds == worlds.allowance(organization).left_compute_seconds
    assert view.as_of == later
