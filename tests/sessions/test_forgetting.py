"""What is kept of sessions, and how long (product.md rule 27): thinned, then gone; sums stay."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from orgs.models import Organization, Person
from sessions.models import ContainerRun, Keeping, Sample, Session, Stretch
from sessions.selectors import insights, session_view
from sessions.selectors.lists import find_session
from sessions.selectors.reconciliation import differences
from sessions.services import forgetting
from tests import factories
from tests.sessions import worlds

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FINE, MINUTES, KEPT = 48 * HOUR, 14 * DAY, 90 * DAY
pytestmark = pytest.mark.django_db

# A quarter of a minute each: (processor, memory).
FIRST_MINUTE = [(10, 900), (70, 100), (20, 100), (70, 200)]


@pytest.fixture
def ended(organization: Organization, member: Person, at: datetime) -> Session:
    """It began at `at`, a full five minutes of the day."""
    return worlds.session(organization, member, at, 3_600, images=["node:22", "redis:7"])


def sampled(
    session: Session, at: datetime, values: Sequence[tuple[int, int]], every: int = 15
) -> None:
    Sample.objects.bulk_create(
        Sample(
            organization_id=session.organization_id, session=session,
            at=at + number * every * SECOND, cpu_milli_percent=cpu, memory_bytes=memory,
        )
        for number, (cpu, memory) in enumerate(values)
    )  # fmt: skip


def left(session: Session) -> list[tuple[datetime, int, int]]:
    rows = Sample.objects.filter(session=session).order_by("at")
    return list(rows.values_list("at", "cpu_milli_percent", "memory_bytes"))


def test_the_peaks_of_each_minute_stay(ended: Session, at: datetime) -> None:
    sampled(ended, at, [*FIRST_MINUTE, (5, 5), (6, 4)])

    forgetting.tidy(at=at + FINE + HOUR)

    assert left(ended) == [
        (at, 10, 900),
        (at + 15 * SECOND, 70, 100),
        (at + 60 * SECOND, 5, 5),
        (at + 75 * SECOND, 6, 4),
    ]


@pytest.mark.parametrize(
    ("after", "thinned"), [(MINUTE - SECOND, False), (MINUTE, True), (2 * MINUTE, True)]
)
def test_a_minute_is_thinned_when_all_of_it_is_old_enough(
    ended: Session, at: datetime, after: timedelta, thinned: bool
) -> None:
    sampled(ended, at, FIRST_MINUTE)

    forgetting.tidy(at=at + FINE + after)

    assert (len(left(ended)) == 2) is thinned


@pytest.mark.parametrize(
    ("after", "rows"), [(5 * MINUTE - SECOND, 5), (5 * MINUTE, 1), (6 * MINUTE, 1)]
)
def test_after_two_weeks_five_minutes_are_one(
    ended: Session, at: datetime, after: timedelta, rows: int
) -> None:
    sampled(ended, at, [(number, number) for number in range(1, 21)])

    forgetting.tidy(at=at + MINUTES + after)

    assert len(left(ended)) == rows
    assert left(ended)[-1][1:] == (20, 20)


@pytest.mark.parametrize(("after", "rows"), [(-SECOND, 1), (timedelta(0), 1), (SECOND, 0)])
def test_after_ninety_days_they_are_gone(
    ended: Session, at: datetime, after: timedelta, rows: int
) -> None:
    sampled(ended, at, [(1, 1)])

    forgetting.tidy(at=at + KEPT + after)

    assert len(left(ended)) == rows


def test_a_run_once_late_says_the_same_as_a_run_each_hour(
    organization: Organization, ended: Session, at: datetime, owner: Person
) -> None:
    other = worlds.session(organization, owner, at + HOUR, 3_600)
    values = [(number * 7919 % 101, number * 104_729 % 97) for number in range(240)]
    sampled(ended, at, values)
    for number in range(80):
        forgetting.tidy(at=at + 45 * HOUR + number * HOUR)
    hourly = left(ended)

    Keeping.objects.all().delete()
    sampled(other, at + HOUR, values)
    forgetting.tidy(at=at + 124 * HOUR)

    assert [(when - HOUR, *rest) for when, *rest in left(other)] == hourly
    assert 60 <= len(hourly) <= 120


def test_a_second_run_changes_nothing(ended: Session, at: datetime) -> None:
    sampled(ended, at, FIRST_MINUTE * 20)
    forgetting.tidy(at=at + MINUTES + HOUR)
    once = left(ended)

    assert forgetting.tidy(at=at + MINUTES + HOUR) == 0
    Keeping.objects.all().delete()
    forgetting.tidy(at=at + MINUTES + HOUR)

    assert left(ended) == once


def test_marks_never_go_back(ended: Session, at: datetime) -> None:
    forgetting.tidy(at=at + MINUTES)
    before = Keeping.objects.get()
    forgetting.tidy(at=at + FINE)
    after = Keeping.objects.get()

    assert before.minutes_until == after.minutes_until == at + MINUTES - FINE


def test_samples_of_a_clock_that_goes_wrong_are_thinned_and_deleted_too(
    ended: Session, at: datetime
) -> None:
    early = at - 30 * MINUTE
    sampled(ended, early, FIRST_MINUTE)

    forgetting.tidy(at=at + FINE)
    thinned = left(ended)
    forgetting.tidy(at=at + KEPT)

    assert len(thinned) == 2
    assert left(ended) == []


def test_samples_of_another_organization_and_of_a_session_that_goes_on_are_thinned_alike(
    organization: Organization, owner: Person, ended: Session, at: datetime
) -> None:
    stranger = factories.person("Sam")
    foreign = worlds.start(factories.subscribed_organization(stranger, at=at), stranger, at)
    sampled(ended, at, FIRST_MINUTE)
    sampled(foreign, at, FIRST_MINUTE)

    forgetting.tidy(at=at + FINE + HOUR)

    assert [row[1:] for row in left(foreign)] == [row[1:] for row in left(ended)]
    assert Keeping.objects.count() == 2


def test_one_run_does_so_much_and_the_next_goes_on(
    ended: Session, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled(ended, at, FIRST_MINUTE)
    monkeypatch.setattr(forgetting, "MOST_SLICES", 2)
    late = at + KEPT + DAY

    assert forgetting.tidy(at=late) == 2
    assert len(left(ended)) == 2
    for _ in range(20):
        forgetting.tidy(at=late)

    assert left(ended) == []
    assert forgetting.tidy(at=late) == 0


def test_one_organization_s_failure_does_not_stop_the_others(
    ended: Session, at: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = factories.person("Sam")
    foreign = worlds.start(factories.subscribed_organization(stranger, at=at), stranger, at)
    sampled(ended, at, FIRST_MINUTE)
    sampled(foreign, at, FIRST_MINUTE)
    real = forgetting._slice

    def broken(organization: uuid.UUID, *more: Any) -> bool:
        if organization == ended.organization_id:
            raise RuntimeError("broken")
        return real(organization, *more)

    monkeypatch.setattr(forgetting, "_slice", broken)
    forgetting.tidy(at=at + FINE + HOUR)

    assert (len(left(ended)), len(left(foreign))) == (4, 2)
    assert "could not be tidied" in caplog.text


# --- Stretches and container runs ---------------------------------------------------------------


def thirteen_months_after(ended: Session) -> datetime:
    """The midnight from which a session of 11 March 2026 is forgotten: 12 April 2027."""
    assert ended.ended_at is not None
    return datetime(2027, 4, 12, tzinfo=ended.ended_at.tzinfo)


@pytest.fixture
def resumed(organization: Organization, member: Person, at: datetime) -> Session:
    """Two stretches with a gap between them, and two container runs."""
    made = worlds.start(organization, member, at)
    runs = [worlds.container("node:22", at), worlds.container("redis:7", at)]
    worlds.report(made, at, 1, containers=runs, running=0)
    worlds.report(made, at + 400 * SECOND, 2, running=0)
    worlds.stop(made, at + 500 * SECOND)
    made.refresh_from_db()
    assert made.stretches.exists()
    return made


@pytest.mark.parametrize(("after", "kept"), [(-SECOND, True), (timedelta(0), False)])
def test_stretches_and_runs_are_kept_for_thirteen_months(
    resumed: Session, after: timedelta, kept: bool
) -> None:
    forgetting.tidy(at=thirteen_months_after(resumed) + after)

    assert Stretch.objects.filter(session=resumed).exists() is kept
    assert ContainerRun.objects.filter(session=resumed).exists() is kept


def test_the_sums_stay_as_they_were(resumed: Session, member: Person, at: datetime) -> None:
    before = session_view(find_session(member, resumed.pk)[0], at + DAY)
    late = thirteen_months_after(resumed)
    unrun = session_view(find_session(member, resumed.pk)[0], late)
    forgetting.tidy(at=late)
    after = session_view(find_session(member, resumed.pk)[0], late)

    names = (
        "state", "end_reason", "elapsed_seconds", "active_seconds", "idle_seconds",
        "billed_seconds", "compute_seconds", "cost_microusd", "container_count",
    )  # fmt: skip
    sums = [{name: getattr(view, name) for name in names} for view in (before, unrun, after)]
    assert sums[0] == sums[1] == sums[2]
    assert sums[0]["container_count"] == 2
    assert list(differences()) == []


def test_what_is_forgotten_says_so_whether_the_task_ran_or_not(
    resumed: Session, member: Person
) -> None:
    late = thirteen_months_after(resumed)
    for _ in range(2):
        seen = insights(find_session(member, resumed.pk)[0], late)
        assert (seen.forgotten, seen.timeline, seen.runs) == (True, (), ())
        forgetting.tidy(at=late)


def test_a_session_that_goes_on_keeps_its_stretches(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    worlds.without_limit(organization, owner, at)
    made = worlds.start(organization, member, at)
    worlds.report(made, at, 1, running=0)
    worlds.report(made, at + 400 * SECOND, 2, running=0)

    forgetting.tidy(at=at + 500 * DAY)

    assert Stretch.objects.filter(session=made).exists()


# --- What charts get ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "seconds"),
    [
        (FINE + MINUTE - SECOND, 15),
        (FINE + MINUTE, 60),
        (MINUTES + 5 * MINUTE - SECOND, 60),
        (MINUTES + 5 * MINUTE, 300),
    ],
)
def test_older_samples_stand_for_more(
    ended: Session, member: Person, at: datetime, age: timedelta, seconds: int
) -> None:
    sampled(ended, at, [(number, 1) for number in range(20)], every=30)

    seen = insights(find_session(member, ended.pk)[0], at + age)

    assert seen.sample_seconds == seconds
    assert max(sample.cpu_milli_percent for sample in seen.samples) == 19


def test_a_long_session_is_shown_whole_in_bounded_many_points(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    worlds.without_limit(organization, owner, at)
    made = worlds.start(organization, member, at)
    worlds.keep_awake(made, 3 * 86_400)
    worlds.report(made, at, 1)
    sampled(made, at, [(number % 97, number) for number in range(2_800)], every=60)

    seen = insights(find_session(member, made.pk)[0], at + 2_800 * MINUTE)

    assert seen.sample_seconds == 300
    assert len(seen.samples) == 560
    assert seen.samples[-1].memory_bytes == 2_799
