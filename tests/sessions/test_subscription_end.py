"""The end of a subscription reaches into running sessions at its own instant (rules 11, 23)."""

from datetime import timedelta

import pytest

from offload_portal.common.refusals import Refusal
from sessions import services
from tests.factories import actor, licensed_member, organization, subscribe
from tests.sessions.lives import billed, later, meter, report, seen, start
from tests.usage.worlds import on_demand
from usage.enums import OnDemand
from usage.models import Allowance
from usage.services import cancel

pytestmark = pytest.mark.django_db

TRIAL = timedelta(days=14)


@pytest.fixture
def trial(owner, at):
    """An organization whose trial ends 14 days after its making."""
    acme = organization(owner, at=at)
    subscribe(acme, owner, at=at, plan="trial")
    return acme


@pytest.fixture
def running(trial, at):
    """A session that is active 100 seconds before the trial ends, and reports beyond the end."""
    session = start(trial, licensed_member(trial, at=at), later(at + TRIAL, -100))
    report(session, later(at + TRIAL, -100))
    return session


@pytest.mark.parametrize("late", [0, 1, 600, 86_400])
def test_a_session_ends_with_the_trial_however_late_the_sweep_comes(trial, running, at, late):
    services.sweep(at=later(at + TRIAL, late))
    running.refresh_from_db()
    assert running.ended_at == at + TRIAL
    assert running.end_reason == "subscription_ended"
    assert billed(running) == 100


def test_a_second_before_it_still_runs(trial, running, at):
    services.sweep(at=later(at + TRIAL, -1))
    running.refresh_from_db()
    assert running.ended_at is None


def test_before_the_sweep_comes_the_end_is_already_true(running, at):
    view = seen(running, at + TRIAL)
    assert (view.state, view.end_reason) == ("ended", "subscription_ended")
    assert view.ended_at == at + TRIAL
    assert seen(running, later(at + TRIAL, -1)).state == "active"


def test_a_report_after_the_end_is_refused_and_bills_nothing(trial, running, at):
    with pytest.raises(Refusal) as refused:
        report(running, later(at + TRIAL, 5))
    assert refused.value.code == "session_ended"
    meter(trial, later(at + TRIAL, 60))
    assert billed(running) == 100


def test_on_demand_pays_nothing_after_the_end(trial, owner, running, at):
    on_demand(trial, owner, later(at + TRIAL, -50), "unlimited")
    meter(trial, later(at + TRIAL, 3_600))
    running.refresh_from_db()
    allowance = Allowance.objects.get(pk=trial.pk)
    assert (running.end_reason, billed(running)) == ("subscription_ended", 100)
    assert (allowance.on_demand_mode, allowance.left_compute_seconds) == (OnDemand.OFF, 0)


def test_a_start_at_the_end_is_refused(trial, owner, at):
    member = licensed_member(trial, at=at)
    with pytest.raises(Refusal) as refused:
        start(trial, member, at + TRIAL)
    assert refused.value.code == "not_subscribed"
    assert start(trial, member, later(at + TRIAL, -1)).ended_at is None


def test_a_cancelled_subscription_ends_its_sessions_with_the_period(trial, owner, at, running):
    subscribed = organization(owner, at=at)
    subscribe(subscribed, owner, at=at)
    cancel(actor=actor(owner), at=at, organization=subscribed)
    end = Allowance.objects.get(pk=subscribed.pk).period_end
    assert end
    session = start(subscribed, licensed_member(subscribed, at=at), later(end, -30))
    report(session, later(end, -30))
    meter(subscribed, later(end, 30))
    session.refresh_from_db()
    assert (session.ended_at, session.end_reason) == (end, "subscription_ended")
    assert billed(session) == 30
