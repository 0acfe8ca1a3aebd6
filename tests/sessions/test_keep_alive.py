"""Jobs that declare themselves alive."""

from dataclasses import fields, replace

import pytest

from offload_portal.common.refusals import Refusal
from orgs.selectors import policy_terms
from orgs.services import PolicyChange, update_policy
from sessions import services
from sessions.selectors import find_session, insights
from tests.factories import actor
from tests.sessions.lives import billed, later, meter, report, seen, start, stop

pytestmark = pytest.mark.django_db


def declare(session, at, until, label="nightly build"):
    services.keep_alive(
        actor=actor(session.person), at=at, session=session, label=label, until=until
    )


def allow(organization, owner, at, seconds, **more):
    terms = policy_terms(organization)
    names = (field.name for field in fields(PolicyChange))
    same = PolicyChange(**{name: getattr(terms, name) for name in names})
    change = replace(same, keep_alive_most_seconds=seconds, **more)
    update_policy(actor=actor(owner), at=at, organization=organization, change=change)


def learned(session, at):
    return insights(find_session(session.person, session.id)[0], at)


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


def test_the_policy_says_how_far_ahead_and_the_session_keeps_it(organization, owner, member, at):
    allow(organization, owner, at, 600)
    session = start(organization, member, at)
    allow(organization, owner, at, 7_200)
    declare(session, at, later(at, 600))
    with pytest.raises(Refusal) as refused:
        declare(session, at, later(at, 601))
    told = refused.value
    assert (told.code, told.extra["limit"], told.extra["asked"]) == (
        "keep_alive_too_long",
        600,
        601,
    )
    assert told.extra["contacts"] == [{"name": owner.name, "email": owner.email}]
    assert f"Ask {owner.name}" in told.sentence


@pytest.mark.parametrize(("ahead", "may"), [(-1, True), (0, True), (1, False)])
def test_a_policy_of_nothing_lets_no_job_declare_itself(
    organization, owner, member, at, ahead, may
):
    allow(organization, owner, at, 0)
    session = start(organization, member, at)
    if may:
        declare(session, at, later(at, ahead))
        return
    with pytest.raises(Refusal) as refused:
        declare(session, at, later(at, ahead))
    assert refused.value.code == "keep_alive_not_allowed"


def test_the_longest_session_holds_all_the_same(organization, owner, member, at):
    allow(organization, owner, at, 600, longest_session_seconds=60)
    session = start(organization, member, at)
    declare(session, at, later(at, 600))
    assert seen(session, later(at, 59)).state == "active"
    assert seen(session, later(at, 60)).end_reason == "session_length"


def test_a_lower_bound_of_the_portal_holds_for_policies_set_before(
    organization, member, at, settings
):
    settings.KEEP_ALIVE_MOST_SECONDS = 300
    assert start(organization, member, at).keep_alive_most_seconds == 300


def test_insights_say_which_job_kept_it_alive_and_until_when(organization, member, at):
    session = start(organization, member, at, idle_timeout_seconds=10)
    declare(session, at, later(at, 100))
    assert learned(session, later(at, 99)).kept_alive_by == ("keep_alive",)
    over = learned(session, later(at, 100)).events[-1]
    assert (over.at, over.kind, over.detail) == (
        later(at, 100), "keep_alive_over", "nightly build"
    )  # fmt: skip


def test_an_ended_session_declares_nothing(organization, member, at):
    session = start(organization, member, at)
    stop(session, later(at, 5))
    with pytest.raises(Refusal) as refused:
        declare(session, later(at, 5), later(at, 60))
    assert refused.value.code == "session_ended"
