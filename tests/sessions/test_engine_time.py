"""What engines did: in use, waiting for the timeout, idle and resumed, idle and free, starting."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from offload_portal.common.periods import Period
from orgs.models import Organization, Person
from sessions import services
from sessions.models import Session
from sessions.selectors import filter_for
from sessions.selectors.advice import idle_check
from sessions.selectors.engine_time import EngineTime, engine_days, engine_time
from sessions.selectors.scope import Scope
from tests.factories import actor
from tests.sessions import worlds
from usage.selectors import usage_sums

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
SECOND = timedelta(seconds=1)
UTC_ZONE = ZoneInfo("UTC")
pytestmark = pytest.mark.django_db


def scope(
    person: Person, organization: Organization, start: datetime, end: datetime, at: datetime
) -> Scope:
    return Scope(
        organization, filter_for(person, organization.pk), Period(start, end), UTC_ZONE, at
    )


def whole(person: Person, organization: Organization, at: datetime, now: datetime) -> EngineTime:
    return engine_time(engine_days(scope(person, organization, at, at + DAY, now)))


def idled(organization: Organization, person: Person, at: datetime) -> Session:
    """Active for five minutes of its timeout after one report, idle for five more, then over."""
    made = worlds.start(organization, person, at)
    worlds.report(made, at + MINUTE, 1)
    services.sweep(at=at + 20 * MINUTE)
    made.refresh_from_db()
    return made


def test_a_stopped_session_was_in_use_until_its_stop(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.session(organization, owner, at, 600)
    found = whole(owner, organization, at, at + HOUR)
    assert found == EngineTime(in_use=600, people=1)
    assert (found.billed, found.free, found.total) == (600, 0, 600)


def test_one_that_ended_idle_waited_for_its_timeout_and_was_idle_for_nothing(
    organization: Organization, owner: Person, at: datetime
) -> None:
    made = idled(organization, owner, at)
    assert (made.end_reason, made.billed_seconds) == ("idle", 300)
    found = whole(owner, organization, at, at + HOUR)
    assert found == EngineTime(in_use=0, waiting=300, free_idle=60 + 300, people=1)


def test_a_gap_that_was_resumed_is_billed_and_told_apart(
    organization: Organization, owner: Person, at: datetime
) -> None:
    made = worlds.start(organization, owner, at)
    worlds.report(made, at, 1)
    worlds.report(made, at + 300 * SECOND + 299 * SECOND, 2)
    worlds.stop(made, at + 700 * SECOND)
    found = whole(owner, organization, at, at + HOUR)
    assert (found.in_use, found.resumed_idle, found.waiting) == (300 + 101, 299, 0)
    assert found.billed == found.total == 700


def test_one_that_never_became_ready_only_started(
    organization: Organization, owner: Person, at: datetime
) -> None:
    made = worlds.start(organization, owner, at)
    Session.objects.filter(pk=made.pk).update(ready_at=None)
    services.sweep(at=at + 5 * MINUTE)
    found = whole(owner, organization, at, at + HOUR)
    assert found == EngineTime(starting=120, people=1)


def test_a_prompt_answered_idle_waits_for_nothing(
    organization: Organization, owner: Person, at: datetime
) -> None:
    made = worlds.start(organization, owner, at)
    worlds.report(made, at, 1)
    services.answer_prompt(actor=actor(owner), at=at + 200 * SECOND, session=made, answer="idle")
    services.sweep(at=at + 20 * MINUTE)
    found = whole(owner, organization, at, at + HOUR)
    assert (found.in_use, found.waiting, found.free_idle) == (200, 0, 300)


def test_a_running_one_counts_by_the_clock_and_parts_add_up(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    idled(organization, owner, at)
    worlds.start(organization, member, at + 21 * MINUTE)
    now = at + 23 * MINUTE
    found = whole(owner, organization, at, now)
    assert found.total == 660 + 120
    assert found.free_idle == 360 + 120


def test_days_are_of_the_start_in_the_zone_and_all_of_them_are_there(
    organization: Organization, owner: Person, at: datetime
) -> None:
    late = at.replace(hour=22, minute=50)
    worlds.session(organization, owner, late, 1_200)
    berlin = replace(
        scope(owner, organization, at, at + 2 * DAY, at + 2 * DAY), zone=ZoneInfo("Europe/Berlin")
    )
    days = {day.day: day.time.total for day in engine_days(berlin)}
    assert days == {date(2026, 3, 11): 1_200, date(2026, 3, 12): 0, date(2026, 3, 13): 0}


def test_billed_parts_are_what_the_ledger_has(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    idled(organization, owner, at)
    worlds.session(organization, member, at + HOUR, 777)
    looked = scope(owner, organization, at, at + DAY, at + DAY)
    assert engine_time(engine_days(looked)).billed == usage_sums(looked.question()).seconds


class TestIdleCheck:
    """Is the timeout too long? Each figure is of sessions that ended idle after activity."""

    def check(
        self, organization: Organization, owner: Person, at: datetime, timeout: int, size: str
    ) -> tuple[int, int, int]:
        made = worlds.start(organization, owner, at, size=size)
        Session.objects.filter(pk=made.pk).update(idle_timeout_seconds=timeout)
        made.refresh_from_db()
        worlds.report(made, at, 1)
        services.sweep(at=at + 3 * HOUR)
        found = idle_check(scope(owner, organization, at, at + DAY, at + DAY))
        return found.sessions, found.waited, found.saved

    @pytest.mark.parametrize(("timeout", "saved"), [(299, 0), (300, 0), (301, 1), (3_600, 3_300)])
    def test_what_lies_beyond_the_usual_timeout_is_saved(
        self,
        organization: Organization,
        owner: Person,
        at: datetime,
        timeout: int,
        saved: int,
    ) -> None:
        # The long prompt would make it idle at three hours; these are shorter.
        assert self.check(organization, owner, at, timeout, "standard") == (1, timeout, saved)

    def test_a_larger_engine_counts_by_its_multiplier(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        assert self.check(organization, owner, at, 600, "large") == (1, 1_200, 600)

    def test_it_is_worth_saying_from_an_hour_and_a_fiftieth_on(
        self, organization: Organization, owner: Person, at: datetime
    ) -> None:
        found = idle_check(scope(owner, organization, at, at + DAY, at + DAY))
        few = replace(found, saved=3_599, billed=3_600)
        assert not few.is_worth_it
        assert replace(few, saved=3_600).is_worth_it
        assert replace(few, saved=3_600, billed=180_000).is_worth_it
        assert not replace(few, saved=3_600, billed=180_001).is_worth_it
