"""What the engine host tells, and what it does to a session and to the bill."""

import pytest

from sessions import services
from sessions.models import Session
from tests.sessions.lives import billed, later, meter, report, seen, start
from usage.models import Pool

pytestmark = pytest.mark.django_db


@pytest.fixture
def starting(organization, member, at):
    session = start(organization, member, at)
    Session.objects.filter(pk=session.pk).update(ready_at=None)
    return session


@pytest.mark.parametrize(("after", "answers"), [(119, True), (120, False), (121, False)])
def test_an_answer_at_exactly_two_minutes_is_too_late(starting, at, after, answers):
    ready = services.engine_ready(at=later(at, after), session_id=starting.pk)
    assert ready is answers
    assert seen(starting, later(at, after)).state == ("idle" if answers else "failed")


def test_an_engine_that_fails_ends_its_session_and_says_why(starting, at):
    services.engine_failed(at=later(at, 9), session_id=starting.pk, reason="The disk is full.")
    view = seen(starting, later(at, 9))
    assert (view.state, view.end_reason, view.failure) == ("failed", "failed", "The disk is full.")


def test_saying_ready_twice_keeps_the_first_instant(starting, at):
    services.engine_ready(at=later(at, 5), session_id=starting.pk)
    services.engine_ready(at=later(at, 8), session_id=starting.pk)
    assert seen(starting, later(at, 9)).ready_at == later(at, 5)


def test_what_was_billed_since_a_lost_engine_was_last_seen_is_given_back(organization, member, at):
    session = start(organization, member, at, engine_size="large")
    report(session, at)
    services.engine_lost(
        at=later(at, 100), session_id=session.pk, reason="gone", last_seen_at=later(at, 70)
    )
    view = seen(session, later(at, 100))
    assert (view.end_reason, view.ended_at) == ("engine_lost", later(at, 100))
    assert billed(session) == 100
    given = Pool.objects.get(origin="given_back")
    assert (given.compute_seconds, given.starts_at) == (60, later(at, 100))


def test_a_loss_told_twice_gives_back_once(organization, member, at):
    session = start(organization, member, at)
    report(session, at)
    for seconds in (100, 130):
        services.engine_lost(
            at=later(at, seconds), session_id=session.pk, reason="gone", last_seen_at=at
        )
    assert Pool.objects.filter(origin="given_back").count() == 1


def test_a_loss_after_the_end_gives_nothing_back(organization, member, at):
    session = start(organization, member, at)
    report(session, at)
    meter(organization, later(at, 700))
    services.engine_lost(at=later(at, 701), session_id=session.pk, reason="gone", last_seen_at=at)
    assert seen(session, later(at, 701)).end_reason == "idle"
    assert not Pool.objects.filter(origin="given_back").exists()
