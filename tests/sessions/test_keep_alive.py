"""Jobs that declare themselves alive."""

import pytest

from offload_portal.common.refusals import Refusal
from sessions import services
from tests.factories import actor
from tests.sessions.lives import billed, later, meter, report, seen, start, stop

pytestmark = pytest.mark.django_db


def declare(session, at, until, label="nightly build"):
    services.keep_alive(
        actor=actor(session.person), at=at, session=session, label=label, until=until
    )


def test_a_declared_job_keeps_the_session_active_until_its_instant(organization, member, at):
    session = start(organization, member, at, idle_timeout_seconds=10)
    declare(session, at, later(at, 100))
    assert seen(session, later(at, 99)).state == "active"
    kept = seen(session, later(at, 99)).keep_alive
    assert kept
    assert kept.label == "nightly build"
    view = seen(session, later(at, 100))
    assert (view.state, view.idle_since, view.keep_alive) == ("idle", later(at, 100), None)
    meter(organization, later(at, 500))
    assert billed(session) == 100


def test_a_later_declaration_takes_the_place_of_an_earlier_one(organization, member, at):
    session = start(organization, member, at, idle_timeout_seconds=10)
    declare(session, at, later(at, 100))
    declare(session, later(at, 20), later(at, 21))
    assert seen(session, later(at, 30)).idle_since == later(at, 30)


def test_what_resumes_afterwards_is_no_longer_kept_alive(organization, member, at):
    session = start(organization, member, at, idle_timeout_seconds=10)
    declare(session, at, later(at, 60))
    report(session, later(at, 90))
    assert seen(session, later(at, 100)).idle_since == later(at, 100)


@pytest.mark.parametrize(
    ("ahead", "may"), [(-60, True), (14_399, True), (14_400, True), (14_401, False)]
)
def test_it_reaches_no_further_than_the_portal_allows(organization, member, at, ahead, may):
    session = start(organization, member, at)
    if may:
        declare(session, at, later(at, ahead))
        return
    with pytest.raises(Refusal) as refused:
        declare(session, at, later(at, ahead))
    assert (refused.value.status, refused.value.code) == (403, "keep_alive_too_long")


def test_an_ended_session_declares_nothing(organization, member, at):
    session = start(organization, member, at)
    stop(session, later(at, 5))
    with pytest.raises(Refusal) as refused:
        declare(session, later(at, 5), later(at, 60))
    assert refused.value.code == "session_ended"
