"""What is left, how long it lasts, and who used it (rules 16 to 19)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pytest_django import DjangoAssertNumQueries

from offload_portal.common.allowance_bar import UNLIMITED
from orgs.models import Organization, Person
from tests import factories
from tests.usage import worlds
from tests.usage.worlds import DOLLAR, HOUR
from usage.selectors import (
    Grain,
    GroupBy,
    Pace,
    allowance_of,
    allowances_of,
    rates_in_force,
    subscription_of,
    usage_by,
)
from usage.services import settle_subscriptions

DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


class TestAllowance:
    def test_without_a_subscription_it_is_nothing(self, owner: Person, at: datetime) -> None:
        view = allowance_of(factories.organization(owner, at=at), at)
        assert (view.left_compute_seconds, view.period_end, view.rate_microusd) == (0, None, None)
        assert view.figures.state == "nothing"

    def test_each_source_has_its_total_used_and_left(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.top_up(organization, owner, at, 10)
        worlds.on_demand(organization, owner, at, "limited", 10)
        worlds.use(organization, owner, at, 111 * HOUR)
        view = allowance_of(organization, at + timedelta(hours=111))
        assert view.committed.total_compute_seconds == 100 * HOUR
        assert view.committed.left_compute_seconds == 0
        assert view.top_up.used_compute_seconds == 10 * HOUR
        assert view.on_demand.used_compute_seconds == HOUR
        assert view.on_demand.used_microusd == HOUR * 50
        assert view.on_demand.left_microusd == 10 * DOLLAR - HOUR * 50
        assert view.on_demand.left_compute_seconds == (10 * DOLLAR - HOUR * 50) // 50
        assert view.left_compute_seconds == view.on_demand.left_compute_seconds
        assert view.used_compute_seconds == 111 * HOUR
        assert view.figures.left == view.left_compute_seconds

    def test_what_is_reserved_stands_with_the_source_that_will_pay(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.use(organization, owner, at, 100 * HOUR - 60)
        worlds.on_demand(organization, owner, at, "limited", 10)
        worlds.allowance(organization)
        row = worlds.allowance(organization)
        row.reserved_compute_seconds = 100
        row.save()
        view = allowance_of(organization, at + timedelta(hours=100))
        assert view.committed.reserved_compute_seconds == 60
        assert view.on_demand.reserved_compute_seconds == 40
        assert view.on_demand.reserved_microusd == 40 * 50

    def test_past_the_limit_stands_apart(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.on_demand(organization, owner, at, "limited", 1, let_finish=True)
        worlds.use(organization, owner, at, 110 * HOUR)
        view = allowance_of(organization, at + timedelta(hours=110))
        assert view.on_demand.used_compute_seconds == 20_000
        assert view.over_limit_compute_seconds == 10 * HOUR - 20_000
        assert view.over_limit_microusd == (10 * HOUR - 20_000) * 50
        assert view.left_compute_seconds == 0
        assert view.figures.state == "over"

    def test_a_pool_counts_until_its_last_second(self, owner: Person, at: datetime) -> None:
        acme = factories.subscribed_organization(owner, at=at, plan="trial")
        end = at + timedelta(days=14)
        assert allowance_of(acme, end - timedelta(seconds=1)).left_compute_seconds == 10 * HOUR
        assert allowance_of(acme, end).left_compute_seconds == 0

    def test_the_bar_shows_on_demand_without_a_limit(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.on_demand(organization, owner, at, "unlimited")
        figures = allowance_of(organization, at).figures
        assert (figures.on_demand, figures.left) == (UNLIMITED, None)

    @pytest.mark.parametrize("number", [1, 5])
    def test_it_asks_five_questions_whatever_the_number(
        self,
        owner: Person,
        at: datetime,
        number: int,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        made = [factories.subscribed_organization(owner, at=at) for _ in range(number)]
        for acme in made:
            worlds.use(acme, owner, at, HOUR)
        # allowances, subscriptions, pools, rates, the ledger
        with django_assert_num_queries(5):
            views = allowances_of([acme.pk for acme in made], at + timedelta(hours=1))
        assert {view.used_compute_seconds for view in views.values()} == {HOUR}


class TestForecast:
    def test_the_present_burn_counts_this_hour_and_the_one_before(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.use(organization, owner, at, HOUR, multiplier=2)
        view = allowance_of(organization, at + timedelta(hours=1))
        assert view.burn_compute_seconds_per_hour == 2 * HOUR
        assert view.seconds_left_at_burn == 98 * HOUR // 2

    def test_it_runs_out_on_a_day_where_the_pace_of_the_week_comes_to_the_end(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.use(organization, owner, at, 10 * HOUR, multiplier=5, until=at + DAY)
        view = allowance_of(organization, at + DAY)
        assert view.burn_week == Pace(50 * HOUR, 86_400)
        assert view.forecast_at == at + 2 * DAY
        assert view.figures.forecast_passes

    def test_the_first_hour_is_not_taken_for_a_day(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.use(organization, owner, at, HOUR)
        view = allowance_of(organization, at + timedelta(hours=1))
        assert view.burn_week.within == 86_400
        assert view.forecast_at is None  # the period ends before

    def test_nothing_used_lasts(self, organization: Organization, at: datetime) -> None:
        view = allowance_of(organization, at)
        assert (view.seconds_left_at_burn, view.forecast_at, view.figures.forecast) == (
            None,
            None,
            None,
        )


class TestRates:
    def test_each_size_has_its_hour(self, organization: Organization, at: datetime) -> None:
        rates = rates_in_force(allowance_of(organization, at), at)
        assert rates is not None
        assert rates.rate_microusd == 50
        hours = {size.name: size.per_hour_microusd for size in rates.sizes}
        assert hours == {"standard": 180_000, "large": 360_000, "gpu": 1_080_000}

    def test_a_rate_to_come_holds_from_its_midnight(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        organization.rates.create(valid_from=date(2026, 4, 1), microusd_per_compute_second=70)
        before = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
        rates = rates_in_force(allowance_of(organization, before), before)
        assert rates is not None
        assert (rates.rate_microusd, rates.coming) == (50, ((date(2026, 4, 1), 70),))
        midnight = before + timedelta(seconds=1)
        assert allowance_of(organization, midnight).rate_microusd == 70


class TestUsage:
    def test_it_adds_up_by_day_and_source(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.on_demand(organization, owner, at, "unlimited")
        worlds.use(organization, owner, at, 101 * HOUR)
        report = usage_by(
            organization,
            at - DAY,
            at + timedelta(days=6),
            group_by=GroupBy.SOURCE,
        )
        assert report.totals.compute_seconds == 101 * HOUR
        assert sum(row.sums.compute_seconds for row in report.rows) == 101 * HOUR
        assert report.totals.cost_microusd == HOUR * 50
        assert report.totals.sessions == 1
        assert {row.label for row in report.rows} == {"Committed", "On-demand"}
        assert report.as_of == at + timedelta(hours=101)

    def test_a_member_gets_only_their_own(
        self, organization: Organization, owner: Person, member: Person, at: datetime
    ) -> None:
        worlds.use(organization, owner, at, HOUR)
        worlds.use(organization, member, at + DAY, 60)
        report = usage_by(
            organization,
            at - DAY,
            at + 2 * DAY,
            grain=Grain.WHOLE,
            group_by=GroupBy.MEMBER,
            person_ids=[member.pk],
        )
        assert [(row.label, row.sums.compute_seconds) for row in report.rows] == [
            ("Max Member", 60)
        ]
        assert report.totals.compute_seconds == 60

    def test_another_organization_is_never_counted(
        self, organization: Organization, owner: Person, stranger: Person, at: datetime
    ) -> None:
        other = factories.subscribed_organization(stranger, at=at)
        worlds.use(other, stranger, at, HOUR)
        assert usage_by(organization, at - DAY, at + DAY).totals.compute_seconds == 0

    @pytest.mark.parametrize(
        ("instant", "day"),
        [
            (datetime(2026, 3, 28, 22, tzinfo=UTC), date(2026, 3, 28)),
            (datetime(2026, 3, 28, 23, tzinfo=UTC), date(2026, 3, 29)),
            (datetime(2026, 3, 29, 21, tzinfo=UTC), date(2026, 3, 29)),  # a day of 23 hours
            (datetime(2026, 3, 29, 22, tzinfo=UTC), date(2026, 3, 30)),
        ],
    )
    def test_days_are_those_of_the_zone(
        self, organization: Organization, owner: Person, instant: datetime, day: date
    ) -> None:
        zone = ZoneInfo("Europe/Berlin")
        worlds.use(organization, owner, instant, 10)
        report = usage_by(
            organization,
            datetime(2026, 3, 1, tzinfo=UTC),
            datetime(2026, 4, 5, tzinfo=UTC),
            zone=zone,
        )
        (row,) = report.rows
        assert row.start.astimezone(zone).date() == day
        assert row.start <= instant < row.end

    def test_months_and_hours(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.use(organization, owner, at, 2 * HOUR)
        bounds = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
        (month,) = usage_by(organization, *bounds, grain=Grain.MONTH).rows
        assert (month.start, month.end) == (
            datetime(2026, 3, 1, tzinfo=UTC),
            datetime(2026, 4, 1, tzinfo=UTC),
        )
        hours = usage_by(organization, *bounds, grain=Grain.HOUR).rows
        assert [row.start for row in hours] == [at, at + timedelta(hours=1)]

    def test_an_empty_or_turned_round_range_has_nothing(
        self, organization: Organization, at: datetime
    ) -> None:
        assert usage_by(organization, at, at).rows == ()
        assert usage_by(organization, at, at - DAY).rows == ()

    @pytest.mark.parametrize("days", [1, 20])
    def test_it_asks_four_questions_whatever_the_number(
        self,
        organization: Organization,
        owner: Person,
        at: datetime,
        days: int,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for day in range(days):
            worlds.use(organization, owner, at + day * DAY, 60)
        # rows, names, totals, the watermark
        with django_assert_num_queries(4):
            report = usage_by(organization, at, at + 30 * DAY, group_by=GroupBy.MEMBER)
        assert len(report.rows) == days


def test_a_subscription_that_ended_is_no_subscription(owner: Person, at: datetime) -> None:
    acme = factories.subscribed_organization(owner, at=at, plan="trial")
    assert subscription_of(acme) is not None
    settle_subscriptions(at=at + timedelta(days=14))
    assert subscription_of(acme) is None
