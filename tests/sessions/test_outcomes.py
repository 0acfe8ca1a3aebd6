"""How sessions ended, which images fail, which are built all day."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from offload_portal.common.periods import Period
from orgs.models import Organization, Person
from sessions import services
from sessions.selectors import filter_for
from sessions.selectors.advice import advice_of
from sessions.selectors.outcomes import FailingImage, outcomes_of
from sessions.selectors.rebuilt import rebuilt_image
from sessions.selectors.scope import Scope
from sessions.services import BuildSeen
from tests.sessions import worlds

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
SECOND = timedelta(seconds=1)
UTC_ZONE = ZoneInfo("UTC")
pytestmark = pytest.mark.django_db


def scope(person: Person, organization: Organization, at: datetime) -> Scope:
    chosen = filter_for(person, organization.pk)
    return Scope(organization, chosen, Period(at, at + DAY), UTC_ZONE, at + DAY)


def test_ends_are_counted_by_reason_and_those_that_run_apart(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    worlds.session(organization, owner, at, 60)
    worlds.session(organization, owner, at + HOUR, 60)
    worlds.start(organization, member, at + HOUR)
    services.sweep(at=at + 2 * HOUR)
    worlds.start(organization, member, at + 3 * HOUR)

    found = outcomes_of(scope(owner, organization, at))

    assert [(end.reason, end.sessions, end.people) for end in found.ends] == [
        ("stopped", 2, 1),
        ("idle", 1, 1),
    ]
    assert found.running == 1


def test_an_image_fails_by_its_exit_codes_and_what_has_not_exited_is_no_failure(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    made = worlds.start(organization, owner, at)
    runs = [
        worlds.container("api:1", at, 5),
        worlds.container("api:1", at + SECOND, 5, code=137),
        worlds.container("api:1", at + 2 * SECOND, 5, code=137),
        worlds.container("api:1", at + 3 * SECOND, 5, code=1),
        worlds.container("api:1", at + 4 * SECOND, None),
        worlds.container("db:1", at, 5),
    ]
    worlds.report(made, at + MINUTE, 1, containers=runs)
    other = worlds.start(organization, member, at)
    bad = worlds.container("api:1", at + 9 * SECOND, 5, code=2)
    worlds.report(other, at + MINUTE, 1, containers=[bad])

    found = outcomes_of(scope(owner, organization, at))

    assert found.images == (FailingImage("api:1", 5, 4, 2, 2, codes=((137, 2), (1, 1), (2, 1))),)
    assert (found.runs, found.failed_runs, found.failing_images) == (6, 4, 1)
    (day,) = [day for day in found.days if day.well or day.failed]
    assert (day.day, day.well, day.failed) == (date(2026, 3, 11), 2, 4)


@pytest.mark.parametrize(
    ("failed", "runs", "told"), [(4, 4, False), (5, 25, True), (5, 26, False), (5, 5, True)]
)
def test_an_image_is_worth_a_look_from_five_failures_and_one_in_five_on(
    organization: Organization, owner: Person, at: datetime, failed: int, runs: int, told: bool
) -> None:
    made = worlds.start(organization, owner, at)
    seen = [
        worlds.container("api:1", at + number * SECOND, 1, code=int(number < failed))
        for number in range(runs)
    ]
    worlds.report(made, at + MINUTE, 1, containers=seen)
    found = advice_of(scope(owner, organization, at), None)
    assert (found.image is not None) is told


def built(
    organization: Organization, person: Person, at: datetime, count: int, seconds: int
) -> None:
    made = worlds.start(organization, person, at)
    builds = [
        BuildSeen(
            f"b{number}",
            "acme/web:main",
            at + number * SECOND,
            at + number * SECOND + timedelta(seconds=seconds),
            succeeded=True,
        )
        for number in range(count)
    ]
    worlds.report(made, at + MINUTE, 1, builds=builds)


@pytest.mark.parametrize(
    ("count", "seconds", "told"), [(11, 600, False), (12, 149, False), (12, 150, True)]
)
def test_a_dozen_builds_and_half_an_hour_on_a_day_are_told(
    organization: Organization,
    owner: Person,
    at: datetime,
    count: int,
    seconds: int,
    told: bool,
) -> None:
    built(organization, owner, at, count, seconds)
    found = rebuilt_image(scope(owner, organization, at))
    assert (found is not None) is told
    if found is not None:
        assert (found.image, found.builds, found.seconds) == ("acme/web:main", 12, 1_800)
        assert (found.day, found.days) == (date(2026, 3, 11), 1)


def test_builds_of_two_days_are_two_days(
    organization: Organization, owner: Person, at: datetime
) -> None:
    built(organization, owner, at.replace(hour=23, minute=59, second=50), 20, 600)
    looked = scope(owner, organization, at)
    assert rebuilt_image(looked) is None, "ten on each side of midnight"
    west = replace(looked, zone=ZoneInfo("America/New_York"))
    found = rebuilt_image(west)
    assert found is not None
    assert found.builds == 20


def test_a_build_that_is_told_again_is_one_and_ends_once(
    organization: Organization, owner: Person, at: datetime
) -> None:
    made = worlds.start(organization, owner, at)
    begun = BuildSeen("b1", "acme/web:main", at)
    done = replace(begun, finished_at=at + MINUTE, succeeded=False)
    worlds.report(made, at + SECOND, 1, builds=[begun])
    worlds.report(made, at + MINUTE, 2, builds=[begun, done])
    worlds.report(made, at + 2 * MINUTE, 3, builds=[replace(done, succeeded=True), begun])
    (row,) = made.build_runs.all()
    assert (row.finished_at, row.succeeded) == (at + MINUTE, False)
