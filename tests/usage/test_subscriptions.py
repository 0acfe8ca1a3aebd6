"""Subscribing, changing plan, cancelling, and the end as a fact (rules 22, 23)."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from offload_portal.common.refusals import Refusal
from orgs.enums import Event
from orgs.models import AuditEntry, Organization, Person
from tests import factories
from tests.usage import worlds
from tests.usage.worlds import HOUR
from usage import services
from usage.enums import OnDemand, SubscriptionState
from usage.models import Plan, Pool, Rate, Subscription
from usage.selectors import plans_offered
from usage.services import metering

SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(owner: Person, at: datetime) -> Organization:
    return factories.organization(owner, at=at)


def subscribe(
    acme: Organization, owner: Person, at: datetime, slug: str = "team", **more: int
) -> Subscription:
    return services.subscribe(
        actor=factories.actor(owner),
        at=at,
        organization=acme,
        plan=worlds.plan(slug),
        **more,
    )


def audited(acme: Organization) -> list[str]:
    entries = AuditEntry.objects.filter(organization_id=acme.pk).order_by("at", "id")
    return [entry.event for entry in entries if entry.event.startswith("subscription")]


def test_the_catalog_offers_a_trial_and_three_plans(db: None) -> None:
    offered = plans_offered()
    assert [plan.slug for plan in offered] == ["trial", "team", "business", "scale"]
    trial = offered[0]
    assert (trial.trial_days, trial.committed_compute_seconds) == (14, 10 * HOUR)
    assert (trial.licenses, trial.price_microusd) == (5, 0)
    assert all(plan.commitment_rate_microusd < plan.on_demand_rate_microusd for plan in offered)


def test_the_first_period_begins_with_the_day_of_subscribing(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscription = subscribe(acme, owner, at)
    allowance = worlds.allowance(acme)
    assert subscription.state == SubscriptionState.ACTIVE
    assert subscription.anchor == at.date()
    assert allowance.metered_until == at
    assert allowance.period_start == datetime(2026, 3, 11, tzinfo=UTC)
    assert allowance.period_end == datetime(2026, 4, 11, tzinfo=UTC)
    assert allowance.left_compute_seconds == 100 * HOUR


def test_a_subscription_brings_its_pool_rate_and_licenses(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscribe(acme, owner, at)
    (pool,) = worlds.pools(acme)
    acme.refresh_from_db()
    rate = Rate.objects.get(organization=acme)
    assert pool.cause == "period:2026-03-11"
    assert (pool.starts_at, pool.expires_at) == (at, datetime(2026, 4, 11, tzinfo=UTC))
    assert pool.price_microusd == worlds.plan("team").price_microusd
    assert (rate.valid_from, rate.microusd_per_compute_second) == (at.date(), 50)
    assert acme.licenses == 10
    assert audited(acme) == [Event.SUBSCRIPTION_STARTED]


def test_more_than_the_plan_includes_can_be_committed_from_the_start(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscription = subscribe(acme, owner, at, committed_compute_seconds=150 * HOUR)
    plan = worlds.plan("team")
    more = 50 * HOUR * plan.commitment_rate_microusd
    assert subscription.price_microusd == plan.price_microusd + more
    assert worlds.pools(acme)[0].compute_seconds == 150 * HOUR


@pytest.mark.parametrize("committed", [-1, 0, 100 * HOUR - 1, 10**18])
def test_a_commitment_that_no_plan_allows_is_refused_and_changes_nothing(
    acme: Organization, owner: Person, at: datetime, committed: int
) -> None:
    with pytest.raises(Refusal) as refused:
        subscribe(acme, owner, at, committed_compute_seconds=committed)
    assert refused.value.status == 400
    assert "committed_compute_seconds" in refused.value.errors
    assert not Subscription.objects.exists()


def test_a_second_subscription_is_refused(acme: Organization, owner: Person, at: datetime) -> None:
    subscribe(acme, owner, at)
    with pytest.raises(Refusal) as refused:
        subscribe(acme, owner, at, "business")
    assert (refused.value.code, refused.value.status) == ("already_subscribed", 409)


def test_the_database_refuses_a_second_subscription_too(
    acme: Organization, owner: Person, at: datetime
) -> None:
    first = subscribe(acme, owner, at)
    second = Subscription(
        organization=acme,
        plan=first.plan,
        state=first.state,
        anchor=first.anchor,
        started_at=at,
        licenses=1,
        committed_compute_seconds=0,
        price_microusd=0,
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        second.save()


def test_a_plan_that_is_no_longer_offered_is_refused(
    acme: Organization, owner: Person, at: datetime
) -> None:
    Plan.objects.filter(slug="team").update(is_offered=False)
    with pytest.raises(Refusal) as refused:
        subscribe(acme, owner, at)
    assert "plan" in refused.value.errors


# The trial


def test_a_trial_lasts_fourteen_days_to_the_second_and_brings_ten_hours(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscription = subscribe(acme, owner, at, "trial")
    (pool,) = worlds.pools(acme)
    assert subscription.state == SubscriptionState.TRIALING
    assert subscription.trial_ends_at == at + timedelta(days=14)
    assert (pool.compute_seconds, pool.price_microusd) == (10 * HOUR, 0)
    assert pool.expires_at == at + timedelta(days=14)


@pytest.mark.parametrize(("late", "ended"), [(-SECOND, 0), (timedelta(), 1), (SECOND, 1)])
def test_a_trial_ends_at_its_instant_and_not_before(
    acme: Organization, owner: Person, at: datetime, late: timedelta, ended: int
) -> None:
    subscribe(acme, owner, at, "trial")
    ends_at = at + timedelta(days=14)
    assert services.settle_subscriptions(at=ends_at + late) == ended
    subscription = worlds.subscription(acme)
    assert subscription.ended_at == (ends_at if ended else None)
    assert (subscription.state == SubscriptionState.CANCELLED) == bool(ended)


def test_an_end_found_late_holds_from_its_own_instant_and_is_written_once(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscribe(acme, owner, at, "trial")
    much_later = at + timedelta(days=40)
    assert services.settle_subscriptions(at=much_later) == 1
    assert services.settle_subscriptions(at=much_later) == 0
    assert worlds.subscription(acme).ended_at == at + timedelta(days=14)
    assert audited(acme) == [Event.SUBSCRIPTION_STARTED, Event.SUBSCRIPTION_CHANGED]


def test_nothing_pays_after_the_end(acme: Organization, owner: Person, at: datetime) -> None:
    subscribe(acme, owner, at, "trial")
    worlds.on_demand(acme, owner, at, "limited", 20)
    worlds.top_up(acme, owner, at, 5)
    ends_at = at + timedelta(days=14)
    services.settle_subscription(organization_id=acme.pk, at=ends_at)
    worlds.use(acme, owner, ends_at - timedelta(seconds=60), 120)
    allowance = worlds.allowance(acme)
    assert Pool.objects.filter(organization=acme, expires_at__gt=ends_at).count() == 0
    assert allowance.on_demand_mode == OnDemand.OFF
    assert allowance.left_compute_seconds == 0
    assert sum(pool.used_compute_seconds for pool in worlds.pools(acme)) == 60


def test_a_trial_gets_no_second_helping_with_the_next_period(
    acme: Organization, owner: Person, at: datetime
) -> None:
    Plan.objects.filter(slug="trial").update(trial_days=60)
    subscribe(acme, owner, at, "trial")
    boundary = datetime(2026, 4, 11, tzinfo=UTC)
    worlds.use(acme, owner, boundary - timedelta(seconds=10), 20)
    assert worlds.allowance(acme).period_start == boundary
    assert len(worlds.pools(acme)) == 1


def test_a_second_trial_is_refused(acme: Organization, owner: Person, at: datetime) -> None:
    subscribe(acme, owner, at, "trial")
    later = at + timedelta(days=20)
    with pytest.raises(Refusal) as refused:
        subscribe(acme, owner, later, "trial")
    assert refused.value.code == "trial_used"
    assert subscribe(acme, owner, later, "team").started_at == later


# Changing plan


def change(acme: Organization, owner: Person, at: datetime, slug: str) -> object:
    return services.change_plan(
        actor=factories.actor(owner), at=at, organization=acme, plan=worlds.plan(slug)
    )


def test_a_trial_becomes_a_plan_at_once_and_keeps_its_hours(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscribe(acme, owner, at, "trial")
    later = datetime(2026, 3, 21, tzinfo=UTC)  # 21 of the period's 31 days are left
    change(acme, owner, later, "team")
    subscription = worlds.subscription(acme)
    trial, bought = worlds.pools(acme)
    assert subscription.state == SubscriptionState.ACTIVE
    assert subscription.ends_at is None
    assert trial.expires_at == at + timedelta(days=14)
    assert bought.compute_seconds == -(-100 * HOUR * 21 // 31)
    assert bought.price_microusd == 29_000_000 * 21 // 31
    assert worlds.allowance(acme).left_compute_seconds == 10 * HOUR + bought.compute_seconds
    assert services.settle_subscriptions(at=at + timedelta(days=15)) == 0


def test_a_dearer_plan_holds_at_once_and_its_rate_from_the_next_midnight(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscribe(acme, owner, at)
    change(acme, owner, at, "business")
    acme.refresh_from_db()
    rates = list(Rate.objects.filter(organization=acme).order_by("valid_from"))
    assert acme.licenses == 50
    assert [rate.microusd_per_compute_second for rate in rates] == [50, 45]
    assert [rate.valid_from for rate in rates] == [date(2026, 3, 11), date(2026, 3, 12)]


def test_a_cheaper_plan_waits_for_the_next_period(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscribe(acme, owner, at, "business")
    change(acme, owner, at, "team")
    assert worlds.subscription(acme).plan.slug == "business"
    boundary = datetime(2026, 4, 11, tzinfo=UTC)
    worlds.use(acme, owner, boundary - timedelta(seconds=10), 5, until=boundary - SECOND)
    assert worlds.subscription(acme).plan.slug == "business"
    worlds.use(acme, owner, boundary - SECOND, 0, until=boundary)
    subscription = worlds.subscription(acme)
    assert (subscription.plan.slug, subscription.next_plan) == ("team", None)
    assert subscription.price_microusd == worlds.plan("team").price_microusd
    assert worlds.pools(acme)[-1].compute_seconds == 100 * HOUR
    assert Rate.objects.get(organization=acme, valid_from=boundary.date())


def test_choosing_the_present_plan_takes_back_the_cheaper_one_to_come(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscribe(acme, owner, at, "business")
    change(acme, owner, at, "team")
    change(acme, owner, at, "business")
    subscription = worlds.subscription(acme)
    assert subscription.next_plan is None
    assert subscription.next_committed_compute_seconds is None
    with pytest.raises(Refusal) as refused:
        change(acme, owner, at, "business")
    assert refused.value.code == "already_on_plan"


# Cancelling, resuming, periods


def test_cancelling_keeps_access_until_the_period_ends(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscribe(acme, owner, at)
    services.cancel(actor=factories.actor(owner), at=at, organization=acme)
    boundary = datetime(2026, 4, 11, tzinfo=UTC)
    assert worlds.subscription(acme).cancel_at == boundary
    assert services.settle_subscriptions(at=boundary - SECOND) == 0
    assert services.settle_subscriptions(at=boundary) == 1
    worlds.use(acme, owner, boundary - SECOND, 1, until=boundary)
    allowance = worlds.allowance(acme)
    assert allowance.period_end is None
    assert allowance.left_compute_seconds == 0
    assert len(worlds.pools(acme)) == 1


def test_cancelling_twice_and_resuming_twice_are_refused(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscribe(acme, owner, at)
    actor = factories.actor(owner)
    with pytest.raises(Refusal, match="isn't cancelled"):
        services.resume(actor=actor, at=at, organization=acme)
    services.cancel(actor=actor, at=at, organization=acme)
    with pytest.raises(Refusal, match="cancelled already"):
        services.cancel(actor=actor, at=at, organization=acme)
    services.resume(actor=actor, at=at, organization=acme)
    assert worlds.subscription(acme).ends_at is None
    assert audited(acme)[1:] == [Event.SUBSCRIPTION_CANCELLED, Event.SUBSCRIPTION_RESUMED]


def test_a_cancelled_subscription_can_be_resumed_until_its_last_second(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscribe(acme, owner, at)
    actor = factories.actor(owner)
    services.cancel(actor=actor, at=at, organization=acme)
    boundary = datetime(2026, 4, 11, tzinfo=UTC)
    with pytest.raises(Refusal) as refused:
        services.resume(actor=actor, at=boundary, organization=acme)
    assert refused.value.code == "not_subscribed"
    services.resume(actor=actor, at=boundary - SECOND, organization=acme)
    assert worlds.subscription(acme).cancel_at is None


def test_without_a_subscription_nothing_can_be_changed(
    acme: Organization, owner: Person, at: datetime
) -> None:
    with pytest.raises(Refusal) as refused:
        services.cancel(actor=factories.actor(owner), at=at, organization=acme)
    assert (refused.value.code, refused.value.status) == ("not_subscribed", 402)


@pytest.mark.parametrize(
    ("start", "ends"),
    [
        (date(2026, 1, 31), [(2, 28), (3, 31), (4, 30)]),
        (date(2028, 1, 30), [(2, 29), (3, 30), (4, 30)]),
        (date(2026, 1, 29), [(2, 28), (3, 29), (4, 29)]),
    ],
)
def test_every_boundary_comes_from_the_anchor(
    acme: Organization, owner: Person, start: date, ends: list[tuple[int, int]]
) -> None:
    at = datetime(start.year, start.month, start.day, 15, 30, tzinfo=UTC)
    subscribe(acme, owner, at)
    for month, day in ends:
        boundary = datetime(start.year, month, day, tzinfo=UTC)
        assert worlds.allowance(acme).period_end == boundary
        worlds.use(acme, owner, boundary - SECOND, 1, until=boundary)
    causes = [pool.cause for pool in worlds.pools(acme)]
    assert causes[1:] == [f"period:{start.year}-{month:02}-{day:02}" for month, day in ends]


def test_committed_time_does_not_roll_over(acme: Organization, owner: Person, at: datetime) -> None:
    subscribe(acme, owner, at)
    boundary = datetime(2026, 4, 11, tzinfo=UTC)
    worlds.use(acme, owner, boundary - timedelta(seconds=30), 60)
    first, second = worlds.pools(acme)
    assert (first.used_compute_seconds, second.used_compute_seconds) == (30, 30)
    assert worlds.allowance(acme).left_compute_seconds == 100 * HOUR - 30


def test_rolling_a_period_twice_makes_one_pool(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscribe(acme, owner, at)
    boundary = datetime(2026, 4, 11, tzinfo=UTC)
    with transaction.atomic():
        allowance = metering.lock(acme.pk)
        assert allowance is not None
        first = services.roll_period(allowance, boundary)
        second = services.roll_period(allowance, boundary)
    assert first == second
    assert allowance.period_end == datetime(2026, 5, 11, tzinfo=UTC)


def test_a_meter_that_comes_late_opens_every_period_it_missed(
    acme: Organization, owner: Person, at: datetime
) -> None:
    subscribe(acme, owner, at)
    worlds.use(acme, owner, at, 10, until=datetime(2026, 6, 20, tzinfo=UTC))
    assert [pool.cause for pool in worlds.pools(acme)] == [
        "period:2026-03-11",
        "period:2026-04-11",
        "period:2026-05-11",
        "period:2026-06-11",
    ]


def test_the_database_says_when_a_contract_ends_as_its_row_does(
    acme: Organization, owner: Person, at: datetime
) -> None:
    """In whatever state, with whatever of the three instants."""
    row = subscribe(acme, owner, at)
    later = [None, at + SECOND, at + 2 * SECOND]
    for state, trial, cancel, ended in itertools.product(SubscriptionState, later, later, later):
        if (state == SubscriptionState.CANCELLED) != (ended is not None):
            continue
        row.state, row.trial_ends_at, row.cancel_at, row.ended_at = state, trial, cancel, ended
        row.suspended_at = at
        row.save()
        found = Subscription.objects.with_end().get(pk=row.pk)
        assert found.end == row.ends_at, (state, trial, cancel, ended)  # type: ignore[attr-defined]  # annotated
