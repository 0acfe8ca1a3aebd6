"""On-demand off, limited and unlimited (rule 19)."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from offload_portal.common.refusals import Refusal
from orgs.enums import Event
from orgs.models import AuditEntry, Organization, Person
from tests import factories
from tests.usage import worlds
from tests.usage.worlds import DOLLAR, HOUR
from usage import services
from usage.enums import OnDemand
from usage.models import Allowance, LimitVersion
from usage.selectors import LimitState, Setting, allowance_of, effective_instant, limit_history
from usage.services import metering

SECOND = timedelta(seconds=1)
NOTICE = timedelta(seconds=600)


def metered(organization: Organization, owner: Person, at: datetime) -> Allowance:
    """The allowance after nothing but time has passed up to the instant."""
    row = worlds.allowance(organization)
    worlds.use(organization, owner, row.metered_until, 0, until=at)
    return worlds.allowance(organization)


@pytest.fixture
def spent(organization: Organization, owner: Person, at: datetime) -> Organization:
    """The commitment is used up and $1.80 of on-demand time beyond it, of a limit of $10."""
    worlds.on_demand(organization, owner, at, "limited", 10)
    worlds.use(organization, owner, at, 110 * HOUR)
    return organization


@pytest.fixture
def now(at: datetime) -> datetime:
    return at + timedelta(hours=110)


@pytest.mark.django_db
class TestModes:
    def test_a_limit_of_zero_leaves_committed_time_untouched(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.on_demand(organization, owner, at, "limited", 0)
        assert worlds.allowance(organization).left_compute_seconds == 100 * HOUR
        assert metering.reserve(organization.pk, 60)

    def test_a_limit_of_zero_behaves_as_off_when_nothing_is_left(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.on_demand(organization, owner, at, "limited", 0)
        worlds.use(organization, owner, at, 100 * HOUR)
        assert worlds.allowance(organization).left_compute_seconds == 0
        assert not metering.reserve(organization.pk, 60)

    def test_a_limit_pays_whole_compute_seconds_and_never_more(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        services.set_on_demand(
            actor=factories.actor(owner),
            at=at,
            organization=organization,
            mode="limited",
            limit_microusd=149,
        )
        assert worlds.allowance(organization).left_compute_seconds == 100 * HOUR + 2

    def test_unlimited_has_no_bound(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.on_demand(organization, owner, at, "unlimited")
        assert worlds.allowance(organization).left_compute_seconds is None
        assert allowance_of(organization, at).left_compute_seconds is None

    def test_the_limit_counts_from_the_start_of_the_period_whenever_it_was_set(
        self, spent: Organization, owner: Person, now: datetime
    ) -> None:
        worlds.on_demand(spent, owner, now, "unlimited")
        worlds.on_demand(spent, owner, now, "limited", 2)
        assert worlds.allowance(spent).left_compute_seconds == 200_000 // 50

    def test_a_new_period_counts_from_zero(
        self, spent: Organization, owner: Person, now: datetime
    ) -> None:
        allowance = metered(spent, owner, datetime(2026, 4, 11, tzinfo=UTC))
        assert allowance.on_demand_used_microusd == 0
        assert allowance.left_compute_seconds == 100 * HOUR + 10 * DOLLAR // 50


@pytest.mark.django_db
class TestLowering:
    def test_under_what_is_used_takes_effect_after_the_notice(
        self, spent: Organization, owner: Person, now: datetime
    ) -> None:
        version = worlds.on_demand(spent, owner, now, "limited", 1)
        assert version.effective_at == now + NOTICE
        assert worlds.allowance(spent).on_demand_limit_microusd == 10 * DOLLAR
        before = metered(spent, owner, now + NOTICE - SECOND)
        assert before.on_demand_limit_microusd == 10 * DOLLAR
        after = metered(spent, owner, now + NOTICE)
        assert (after.on_demand_limit_microusd, after.left_compute_seconds) == (DOLLAR, 0)

    def test_to_exactly_what_is_used_takes_effect_at_once(
        self, spent: Organization, owner: Person, now: datetime
    ) -> None:
        used = worlds.allowance(spent).on_demand_used_microusd
        version = services.set_on_demand(
            actor=factories.actor(owner),
            at=now,
            organization=spent,
            mode="limited",
            limit_microusd=used,
        )
        assert version.effective_at == now
        assert worlds.allowance(spent).left_compute_seconds == 0

    def test_the_owner_may_say_at_once(
        self, spent: Organization, owner: Person, now: datetime
    ) -> None:
        version = worlds.on_demand(spent, owner, now, "off", at_once=True)
        assert version.effective_at == now
        assert worlds.allowance(spent).left_compute_seconds == 0

    def test_off_is_under_what_is_used(
        self, spent: Organization, owner: Person, now: datetime
    ) -> None:
        assert worlds.on_demand(spent, owner, now, "off").effective_at == now + NOTICE

    def test_off_is_at_once_where_nothing_is_used(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.on_demand(organization, owner, at, "limited", 10)
        assert worlds.on_demand(organization, owner, at, "off").effective_at == at

    def test_no_longer_letting_sessions_finish_gets_the_notice_too(
        self, spent: Organization, owner: Person, now: datetime
    ) -> None:
        worlds.on_demand(spent, owner, now, "limited", 1, let_finish=True, at_once=True)
        version = worlds.on_demand(spent, owner, now, "limited", 1)
        assert version.effective_at == now + NOTICE


@pytest.mark.django_db
class TestRaising:
    def test_takes_effect_at_once_and_opens_new_starts(
        self, spent: Organization, owner: Person, now: datetime
    ) -> None:
        worlds.on_demand(spent, owner, now, "off", at_once=True)
        assert not metering.reserve(spent.pk, 60)
        assert worlds.on_demand(spent, owner, now, "limited", 5).effective_at == now
        assert metering.reserve(spent.pk, 60)

    def test_still_under_what_is_used_is_no_lowering(
        self, spent: Organization, owner: Person, now: datetime
    ) -> None:
        worlds.on_demand(spent, owner, now, "off", at_once=True)
        assert worlds.on_demand(spent, owner, now, "limited", 1).effective_at == now

    def test_replaces_a_lower_limit_that_was_to_come_for_good(
        self, spent: Organization, owner: Person, now: datetime
    ) -> None:
        worlds.on_demand(spent, owner, now, "off")
        worlds.on_demand(spent, owner, now + NOTICE / 2, "limited", 20)
        metered(spent, owner, now + NOTICE - SECOND)  # the meter passes what replaced it
        allowance = metered(spent, owner, now + 2 * NOTICE)
        assert allowance.on_demand_limit_microusd == 20 * DOLLAR
        states = [change.state for change in limit_history(spent, now + 2 * NOTICE)]
        assert states == [LimitState.IN_FORCE, LimitState.REPLACED, LimitState.PAST]


@pytest.mark.django_db
class TestRefusals:
    @pytest.mark.parametrize(
        ("mode", "limit", "field"),
        [
            ("sometimes", None, "mode"),
            ("", None, "mode"),
            ("limited", None, "limit_microusd"),
            ("limited", -1, "limit_microusd"),
            ("limited", 10**15 + 1, "limit_microusd"),
            ("limited", 10**30, "limit_microusd"),
            ("off", 0, "limit_microusd"),
            ("unlimited", 5, "limit_microusd"),
        ],
    )
    def test_a_setting_that_says_nothing_clear_changes_nothing(
        self,
        organization: Organization,
        owner: Person,
        at: datetime,
        mode: str,
        limit: int | None,
        field: str,
    ) -> None:
        with pytest.raises(Refusal) as refused:
            services.set_on_demand(
                actor=factories.actor(owner),
                at=at,
                organization=organization,
                mode=mode,
                limit_microusd=limit,
            )
        assert (refused.value.status, list(refused.value.errors)) == (400, [field])
        assert not LimitVersion.objects.exists()

    @pytest.mark.parametrize(("mode", "dollars"), [("off", None), ("limited", 0)])
    def test_sessions_can_finish_past_a_limit_only_while_on_demand_is_on(
        self,
        organization: Organization,
        owner: Person,
        at: datetime,
        mode: str,
        dollars: int | None,
    ) -> None:
        with pytest.raises(Refusal) as refused:
            worlds.on_demand(organization, owner, at, mode, dollars, let_finish=True)
        assert "let_finish" in refused.value.errors

    def test_a_reason_has_at_most_two_hundred_characters(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.on_demand(organization, owner, at, "unlimited", reason="界" * 200)
        with pytest.raises(Refusal) as refused:
            worlds.on_demand(organization, owner, at, "off", reason="x" * 201)
        assert "reason" in refused.value.errors

    def test_without_a_subscription_there_is_no_limit_to_set(
        self, owner: Person, at: datetime
    ) -> None:
        with pytest.raises(Refusal) as refused:
            worlds.on_demand(factories.organization(owner, at=at), owner, at, "off")
        assert refused.value.code == "not_subscribed"

    def test_the_database_refuses_an_amount_without_a_limit(
        self, organization: Organization
    ) -> None:
        allowances = Allowance.objects.filter(pk=organization.pk)
        with pytest.raises(IntegrityError), transaction.atomic():
            allowances.update(on_demand_mode=OnDemand.LIMITED)
        with pytest.raises(IntegrityError), transaction.atomic():
            allowances.update(on_demand_limit_microusd=5)


@pytest.mark.django_db
def test_the_history_says_who_when_what_and_why(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.on_demand(organization, owner, at, "limited", 10, reason=" the release ")
    worlds.on_demand(organization, owner, at + SECOND, "unlimited")
    newest, first = limit_history(organization, at + SECOND)
    assert (newest.mode, newest.state) == ("unlimited", LimitState.IN_FORCE)
    assert (first.actor_name, first.reason, first.limit_microusd, first.state) == (
        "Olga Owner",
        "the release",
        10 * DOLLAR,
        LimitState.PAST,
    )
    entry = AuditEntry.objects.filter(event=Event.LIMIT_CHANGED).order_by("id")[0]
    assert entry.before == {"mode": "off", "limit_microusd": None, "let_finish": False}
    assert entry.after["limit_microusd"] == 10 * DOLLAR


SETTINGS = st.one_of(
    st.just(Setting(OnDemand.OFF, None)),
    st.builds(
        Setting,
        st.just(OnDemand.LIMITED),
        st.integers(min_value=0, max_value=20),
        st.booleans(),
    ),
    st.builds(Setting, st.just(OnDemand.UNLIMITED), st.none(), st.booleans()),
)


@given(before=SETTINGS, after=SETTINGS, used=st.integers(min_value=0, max_value=20))
def test_only_a_lowering_under_what_is_used_waits(
    before: Setting, after: Setting, used: int
) -> None:
    instant = datetime(2026, 3, 11, tzinfo=UTC)
    waits = effective_instant(before, after, used, instant, at_once=False) != instant
    allowed = {OnDemand.OFF: 0, OnDemand.UNLIMITED: 10**9}
    old = allowed.get(before.mode, before.limit_microusd or 0)
    new = allowed.get(after.mode, after.limit_microusd or 0)
    less = new < old or (before.let_finish and not after.let_finish)
    assert waits == (less and new < used)
    assert effective_instant(before, after, used, instant, at_once=True) == instant
