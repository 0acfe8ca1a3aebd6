"""The figures above the list of sessions, against sessions that were really run."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from offload_portal.common.periods import Period
from orgs.models import Organization, Person
from sessions.exports import session_csv_rows
from sessions.filters import SessionFilter
from sessions.selectors import ActivitySummary, activity_summary, filter_for
from sessions.selectors.scope import Scope
from tests import factories
from tests.sessions import worlds

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
UTC_ZONE = ZoneInfo("UTC")
pytestmark = pytest.mark.django_db


def summary(
    person: Person, organization: Organization, start: datetime, end: datetime, **narrowed: object
) -> ActivitySummary:
    chosen = replace(filter_for(person, organization.pk), **narrowed)  # type: ignore[arg-type]  # fields of the filter
    return of(organization, chosen, Period(start, end), end)


def of(
    organization: Organization,
    chosen: SessionFilter,
    period: Period,
    at: datetime,
    zone: ZoneInfo = UTC_ZONE,
) -> ActivitySummary:
    return activity_summary(Scope(organization, chosen, period, zone, at))


def test_five_figures_count_the_sessions_that_started_in_the_period(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    worlds.session(organization, owner, at + HOUR, 600, images=["node:22", "redis:7"])
    worlds.session(organization, member, at + 2 * HOUR, 1_201, images=["node:22"])

    found = summary(owner, organization, at, at + DAY)

    assert found.figures.total_seconds == 1_801
    assert found.figures.average_seconds == 901
    assert found.figures.sessions == 2
    assert found.figures.images == 2
    assert found.figures.users == 2


def test_the_period_before_is_as_long_and_ends_where_this_one_begins(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.session(organization, owner, at + HOUR, 100)
    worlds.session(organization, owner, at + DAY - timedelta(seconds=60), 50)
    worlds.session(organization, owner, at + DAY, 70, images=["alpine:3"])

    found = summary(owner, organization, at + DAY, at + 2 * DAY)

    assert found.before.start == at
    assert found.before.end == at + DAY
    assert (found.figures.total_seconds, found.figures.sessions) == (70, 1)
    assert (found.earlier.total_seconds, found.earlier.sessions) == (150, 2)
    assert (found.figures.images, found.earlier.images) == (1, 0)


def test_nothing_at_all_is_all_zero_and_has_no_average(
    organization: Organization, owner: Person, at: datetime
) -> None:
    found = summary(owner, organization, at, at + 7 * DAY)

    assert found.figures.average_seconds is None
    assert found.figures == found.earlier
    assert found.compute_seconds == 0
    assert len(found.days) == 8  # from one noon to the next but six: eight calendar days
    assert found.images == ()
    assert found.people == ()


def test_a_running_session_counts_up_to_now(
    organization: Organization, owner: Person, at: datetime
) -> None:
    running = worlds.start(organization, owner, at)
    worlds.report(running, at, 1)

    found = summary(owner, organization, at, at + timedelta(seconds=90))

    assert found.figures.total_seconds == 90
    assert found.people[0].total_seconds == 90


def test_a_session_that_is_over_by_the_clock_counts_to_its_end_before_any_sweep(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.start(organization, owner, at)

    found = summary(owner, organization, at, at + HOUR)

    assert found.figures.total_seconds == 300


def test_sessions_of_one_second_and_of_thirty_days_add_up(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.without_limit(organization, owner, at)
    worlds.session(organization, owner, at, 1)
    long = worlds.start(organization, owner, at + HOUR)
    worlds.report(long, at + HOUR, 1)
    worlds.keep_awake(long, 31 * 86_400)
    worlds.stop(long, at + HOUR + 30 * DAY)

    found = summary(owner, organization, at, at + 31 * DAY)

    assert found.figures.total_seconds == 1 + 30 * 86_400
    assert found.figures.average_seconds == (1 + 30 * 86_400 + 1) // 2


def test_the_trend_is_billed_time_of_the_ledger_by_local_day(
    organization: Organization, owner: Person, at: datetime
) -> None:
    evening = at.replace(hour=22, minute=58)
    worlds.session(organization, owner, evening, 240, size="large")
    chosen = filter_for(owner, organization.pk)
    berlin = ZoneInfo("Europe/Berlin")  # an hour ahead: its midnight is 23:00

    found = of(organization, chosen, Period(at, at + DAY), at + DAY, berlin)

    by_day = {day.day: day.compute_seconds for day in found.days}
    assert by_day[date(2026, 3, 11)] == 2 * 120
    assert by_day[date(2026, 3, 12)] == 2 * 120
    assert found.billed_seconds == 240


def test_the_trend_has_the_time_of_sessions_that_started_before_the_period(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.session(organization, owner, at + timedelta(minutes=59), 120)

    found = summary(owner, organization, at + HOUR, at + DAY)

    assert found.figures.sessions == 0
    assert found.billed_seconds == 60


def test_every_filter_narrows_figures_and_trend_alike(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    worlds.session(organization, owner, at, 100, images=["node:22"], labels={"contains": "x"})
    later = at + timedelta(minutes=10)
    worlds.session(organization, member, later, 300, images=["redis:7"], size="large")
    end = at + HOUR

    for narrowed, seconds in (
        ({"people": frozenset({member.pk})}, 300),
        ({"image": "node"}, 100),
        ({"image": "node:22"}, 100),
        ({"image": "nod"}, 0),
        ({"engine_size": "large"}, 300),
        ({"label": ("contains", "x")}, 100),
        ({"label": ("a__b", "x")}, 0),
        ({"min_duration_seconds": 101}, 300),
        ({"max_duration_seconds": 100}, 100),
        ({"states": frozenset({"ended"})}, 400),
        ({"states": frozenset({"active"})}, 0),
    ):
        found = summary(owner, organization, at, end, **narrowed)
        assert found.figures.total_seconds == seconds, narrowed
        assert found.billed_seconds == seconds, narrowed


def test_members_see_only_their_own(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    worlds.session(organization, owner, at, 100, images=["node:22"])
    worlds.session(organization, member, at + timedelta(minutes=10), 60)

    found = summary(member, organization, at, at + HOUR)
    tried = summary(member, organization, at, at + HOUR, people=frozenset({owner.pk}))

    assert (found.figures.sessions, found.billed_seconds, found.figures.users) == (1, 60, 1)
    assert found.images == ()
    assert (tried.figures.sessions, tried.billed_seconds) == (0, 0)


def test_rankings_put_the_most_used_first_and_count_the_rest(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    for number in range(3):
        start = at + number * HOUR
        worlds.session(organization, owner, start, 60, images=["node:22", f"tool:{number}"])
    worlds.session(organization, member, at + 3 * HOUR, 500, images=["redis:7", "node:22"])

    found = summary(owner, organization, at, at + DAY)

    assert found.images[0].image == "node:22"
    assert (found.images[0].sessions, found.images[0].runs, found.images[0].users) == (4, 4, 2)
    assert [use.name for use in found.people] == ["Max Member", "Olga Owner"]
    assert [use.sessions for use in found.people] == [1, 3]
    assert found.figures.images == 5


def test_the_total_is_the_sum_of_the_csv_s_durations(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    worlds.session(organization, owner, at, 77)
    worlds.session(organization, member, at + timedelta(minutes=10), 401)
    now = at + HOUR
    chosen = filter_for(owner, organization.pk)

    found = of(organization, chosen, Period(at, now), now)
    rows = list(session_csv_rows(chosen, now))[1:]

    assert found.figures.total_seconds == sum(int(row[5]) for row in rows) == 478


def test_the_statements_are_as_many_for_one_session_as_for_twenty(
    organization: Organization, owner: Person, at: datetime
) -> None:
    people = [factories.licensed_member(organization, f"Member{n} M", at=at) for n in range(9)]
    worlds.session(organization, people[0], at, 60, images=["node:22"])
    worlds.start(organization, people[0], at + HOUR)
    one = _statements(owner, organization, at)

    for number, person in enumerate(people[1:], 1):
        later = at + HOUR + number * timedelta(seconds=20)
        worlds.session(organization, person, later, 9, images=[f"image:{number}"])
        worlds.start(organization, person, later + timedelta(seconds=9))
    many = _statements(owner, organization, at)

    assert one == many <= 12


def _statements(owner: Person, organization: Organization, at: datetime) -> int:
    with CaptureQueriesContext(connection) as captured:
        summary(owner, organization, at, at + HOUR + timedelta(minutes=5))
    return len(captured)
