"""When sessions run: the week, how many at once, how long they last and take to start."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from offload_portal.common.periods import Period
from orgs.models import Organization, Person
from sessions.models import Session
from sessions.selectors import filter_for
from sessions.selectors.scope import Scope
from sessions.selectors.times import Bin, levels_of, spread, times_of
from tests import factories
from tests.sessions import worlds

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
QUARTER = timedelta(minutes=15)
SECOND = timedelta(seconds=1)
UTC_ZONE = ZoneInfo("UTC")


def scope(
    person: Person,
    organization: Organization,
    start: datetime,
    end: datetime,
    zone: ZoneInfo = UTC_ZONE,
) -> Scope:
    chosen = filter_for(person, organization.pk)
    return Scope(organization, chosen, Period(start, end), zone, end)


class TestSpread:
    def test_each_length_lies_in_one_bin_also_on_its_bound(self) -> None:
        found = spread([(0, 1), (59, 1), (60, 2), (299, 1), (300, 4)], (0, 60, 300))
        assert found.bins == (Bin(0, 60, 2), Bin(60, 300, 3), Bin(300, None, 4))
        assert found.count == 9

    def test_half_and_nine_in_ten_are_the_least_lengths_that_hold_so_many(self) -> None:
        found = spread([(second, 1) for second in range(1, 11)], (0,))
        assert (found.middle, found.ninth, found.longest) == (5, 9, 10)
        one = spread([(7, 1)], (0,))
        assert (one.middle, one.ninth, one.longest) == (7, 7, 7)

    def test_of_nothing_nothing_is_said(self) -> None:
        found = spread([], (0, 60))
        assert (found.count, found.middle, found.ninth, found.longest) == (0, None, None, None)


@pytest.mark.django_db
class TestLevels:
    def test_a_session_counts_from_its_start_and_no_more_at_its_end(
        self, organization: Organization, owner: Person, member: Person, at: datetime
    ) -> None:
        worlds.session(organization, owner, at, 900)
        worlds.session(organization, member, at + QUARTER, 900)

        found = times_of(scope(owner, organization, at - HOUR, at + HOUR)).levels

        by_quarter = {level.at: level.most for level in found}
        assert by_quarter[at - QUARTER] == 0
        assert by_quarter[at] == 1
        assert by_quarter[at + QUARTER] == 1, "one ends in the second in which the other starts"
        assert by_quarter[at + 2 * QUARTER] == 0

    def test_one_that_started_before_the_period_counts_from_its_first_instant(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.session(organization, owner, at, 3_000)
        found = times_of(scope(owner, organization, at + QUARTER + SECOND, at + HOUR)).levels
        assert found[0].at == at + QUARTER + SECOND
        assert [level.most for level in found] == [1, 1, 1]
        after = times_of(scope(owner, organization, at + HOUR, at + 2 * HOUR)).levels
        assert {level.most for level in after} == {0}

    def test_a_running_one_counts_up_to_now(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        worlds.start(organization, owner, at)
        chosen = filter_for(owner, organization.pk)
        ahead = Scope(organization, chosen, Period(at, at + DAY), UTC_ZONE, at + QUARTER)
        found = times_of(ahead).levels
        assert [level.most for level in found] == [1, 1]

    def test_many_lives_against_counting_by_hand(
        self, organization: Organization, at: datetime
    ) -> None:
        """Two hundred sessions of one person each, by chance, against a count of each second."""
        chance = random.Random(5)
        start, length = at, 3 * 3_600
        lives = []
        people = [factories.person(f"P{n} P") for n in range(20)]
        base = worlds.session(
            organization, factories.licensed_member(organization, "First F", at=at), at, 60
        )
        for number in range(200):
            begins = chance.randrange(-3_600, length)
            lasts = chance.choice((0, 1, 59, 899, 900, 901, 5_000))
            lives.append((begins, begins + lasts))
            _copy(base, people[number % 20], start, begins, lasts)
        everyone = Session.objects.filter(organization=organization).exclude(pk=base.pk)

        found = levels_of(everyone, Period(start, start + timedelta(seconds=length)), at + DAY)

        for level in found:
            first = int((level.at - start).total_seconds())
            by_hand = max(
                sum(begins <= second < ends for begins, ends in lives)
                for second in range(first, first + 900)
            )
            assert level.most == by_hand, level.at
        everyone.delete()  # they have no clock of their own to be checked


def _copy(base: Session, person: Person, start: datetime, begins: int, lasts: int) -> None:
    created = start + timedelta(seconds=begins)
    Session.objects.create(
        organization=base.organization,
        person=person,
        engine_size=base.engine_size,
        multiplier=base.multiplier,
        created_at=created,
        ready_at=created,
        ended_at=created + timedelta(seconds=lasts),
        end_reason="stopped",
        stop_at=created + timedelta(seconds=lasts),
        stop_reason="stopped",
        **{
            name: getattr(base, name)
            for name in (
                "idle_timeout_seconds",
                "start_timeout_seconds",
                "idle_end_seconds",
                "inactivity_prompt_seconds",
                "prompt_seconds",
                "prompt_answer_seconds",
                "daily_limit_seconds",
                "daily_prompt_seconds",
                "keep_alive_most_seconds",
            )
        },
    )


@pytest.mark.django_db
class TestWeek:
    def test_hours_are_of_the_zone_and_add_up_to_the_days(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        """11 March 2026, 12:00 UTC is a Wednesday's 17:45 in Kathmandu."""
        worlds.session(organization, owner, at, 1_800, size="large")
        kathmandu = ZoneInfo("Asia/Kathmandu")

        week = times_of(scope(owner, organization, at, at + DAY, kathmandu)).week

        found = {(hour.weekday, hour.hour): hour.compute_seconds for hour in week}
        assert found == {(3, 17): 1_800, (3, 18): 1_800}

    def test_a_filter_asks_the_ledger_and_finds_the_same(
        self, organization: Organization, owner: Person, member: Person, at: datetime
    ) -> None:
        worlds.session(organization, owner, at, 1_200)
        worlds.session(organization, member, at + HOUR, 600)
        whole = scope(owner, organization, at, at + DAY)
        named = replace(
            whole, chosen=replace(whole.chosen, people=frozenset({owner.pk, member.pk}))
        )
        assert times_of(named).week == times_of(whole).week != ()


@pytest.mark.django_db
def test_lengths_are_of_ended_sessions_and_starts_of_engines_that_answered(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    worlds.session(organization, owner, at, 600)
    slow = worlds.session(organization, owner, at + HOUR, 61)
    Session.objects.filter(pk=slow.pk).update(ready_at=slow.created_at + timedelta(seconds=7))
    worlds.start(organization, member, at + HOUR)

    found = times_of(scope(owner, organization, at, at + 2 * HOUR))

    assert (found.lengths.count, found.lengths.middle, found.lengths.longest) == (2, 61, 600)
    assert found.starts.count == 3
    assert found.starts.longest == 7
    assert found.never_ready == 0


@pytest.mark.django_db
def test_an_organization_without_a_session_has_no_times(
    organization: Organization, owner: Person
) -> None:
    start = datetime(2026, 3, 29, tzinfo=UTC)
    found = times_of(scope(owner, organization, start, start + DAY))
    assert found.week == ()
    assert {level.most for level in found.levels} == {0}
    assert len(found.levels) == 96
    assert (found.lengths.count, found.starts.count) == (0, 0)
