"""Whoever waits for news is woken by what changes the session's tag, and by nothing else."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from orgs import services as orgs_services
from sessions import services, waiting
from sessions.models import Session
from sessions.selectors.versions import versions
from sessions.waiting import Waiter, Watch
from tests.factories import actor, licensed_member, organization, subscribe
from tests.sessions.lives import later, report, seen, start, stop
from usage.services import cancel

TRIAL = timedelta(days=14)


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def session(organization, member, at):
    made = start(organization, member, at)
    report(made, at)
    return made


def waiting_for(watch, session, at):
    """Somebody who knows the session as it is, and was looked after once."""
    waiter = Waiter(session.id, seen(session, at).version)
    assert watch.enter(waiter)
    watch.look(at)
    return waiter


@pytest.mark.django_db
def test_nothing_wakes_who_waits_for_a_session_that_stays_as_it_is(watch, session, at):
    waiter = waiting_for(watch, session, at)
    watch.look(later(at, 1))
    watch.look(later(at, 100))
    assert not waiter.woken.is_set()


def report_it(session, at):
    report(session, at)


def stop_it(session, at):
    stop(session, at)


def take_the_license(session, at):
    owner = session.organization.memberships.owners().order_by("id")[0].person
    orgs_services.revoke_person(
        actor=actor(owner), at=at, organization=session.organization, person=session.person
    )


def remove_the_member(session, at):
    owner = session.organization.memberships.owners().order_by("id")[0].person
    orgs_services.remove_member(
        actor=actor(owner), at=at, organization=session.organization, person=session.person
    )


def declare_alive(session, at):
    services.keep_alive(
        actor=actor(session.person), at=at, session=session, label="job", until=later(at, 900)
    )


def delete_it(session, at):
    session.pulse.delete()
    Session.objects.filter(pk=session.pk).delete()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [report_it, stop_it, take_the_license, remove_the_member, declare_alive, delete_it],
)
def test_what_changes_the_session_wakes_who_waits_for_it_and_nobody_else(
    watch, session, owner, organization, at, change
):
    other = start(organization, owner, at)
    concerned, unconcerned = (waiting_for(watch, one, at) for one in (session, other))
    session.refresh_from_db()
    change(session, later(at, 5))
    watch.look(later(at, 5))
    assert concerned.woken.is_set()
    assert not unconcerned.woken.is_set()


@pytest.mark.django_db
def test_a_change_between_reading_and_waiting_is_not_lost(watch, session, at):
    known = seen(session, at).version
    report(session, later(at, 3))
    waiter = Waiter(session.id, known)
    watch.enter(waiter)
    watch.look(later(at, 3))
    assert waiter.woken.is_set()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("seconds", "what"),
    [(180, "the prompt after 180 s without activity"), (600, "idle")],
)
def test_what_the_clock_makes_true_wakes_in_its_own_second(
    watch, organization, member, at, seconds, what
):
    session = start(organization, member, at, idle_timeout_seconds=600)
    report(session, at, running_containers=1)
    before = later(at, seconds - 1)
    waiter = waiting_for(watch, session, before)
    assert not waiter.woken.is_set()
    watch.look(later(at, seconds))
    assert waiter.woken.is_set(), what


@pytest.mark.django_db
def test_the_end_by_the_clock_wakes_in_its_own_second(watch, session, at):
    ends = later(at, 300 + 300)
    waiter = waiting_for(watch, session, later(ends, -1))
    assert not waiter.woken.is_set()
    watch.look(ends)
    assert waiter.woken.is_set()


@pytest.mark.django_db
@pytest.mark.parametrize("cancelled", [False, True])
def test_the_end_of_a_subscription_wakes_in_its_own_second(watch, owner, at, cancelled):
    acme = organization(owner, at=at)
    subscribe(acme, owner, at=at, plan="trial")
    end = at + TRIAL
    session = start(acme, licensed_member(acme, at=at), later(end, -100))
    report(session, later(end, -100))
    waiter = waiting_for(watch, session, later(end, -100))
    if cancelled:
        cancel(actor=actor(owner), at=later(end, -60), organization=acme)
    watch.look(later(end, -1))
    assert not waiter.woken.is_set()
    watch.look(end)
    assert waiter.woken.is_set()


@pytest.mark.django_db
def test_a_report_of_the_watcher_moves_the_instant_and_wakes_nobody(watch, session, at):
    waiter = waiting_for(watch, session, at)
    report(session, later(at, 100), sequence=None)
    for seconds in (100, 180, 279):
        watch.look(later(at, seconds))
        assert not waiter.woken.is_set()
    watch.look(later(at, 280))
    assert waiter.woken.is_set()


@pytest.mark.django_db
def test_a_version_holds_until_its_instant_and_no_longer(organization, member, at):
    session = start(organization, member, at, idle_timeout_seconds=600)
    report(session, at)
    now = at
    known = versions([session.id], now)[session.id]
    texts = [known.text]
    for seconds in range(1, 1_000):
        now = later(at, seconds)
        if known.until is not None and known.until <= now.timestamp():
            known = versions([session.id], now)[session.id]
            texts.append(known.text)
        assert seen(session, now).version == known.text, seconds
    assert known.until is None
    assert [text.split(".")[2] for text in texts] == ["active", "active", "idle", "ended"]


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 20])
def test_a_look_is_one_statement_however_many_wait(watch, session, at, number):
    for _ in range(number):
        waiting_for(watch, session, at)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        watch.look(later(at, 1))
    assert len(queries) == 1


@pytest.mark.django_db
def test_more_than_may_wait_are_answered_at_once(watch, session, at, settings):
    settings.MOST_WAITING = 2
    first = waiting_for(watch, session, at)
    waiting_for(watch, session, at)
    assert watch.wait(session.id, first.version, 60) is False
    watch.leave(first)
    assert watch.enter(Waiter(session.id, first.version))


def test_an_outage_is_told_once_and_survived(watch, monkeypatch, caplog):
    looked = []

    def look(at):
        looked.append(at)
        if len(looked) in (1, 2, 4):
            raise OperationalError("away")

    monkeypatch.setattr(watch, "look", look)
    for _ in range(4):
        watch._look_now()
    assert len(looked) == 4
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_any_other_failure_is_told_and_survived(watch, monkeypatch, caplog):
    def look(at):
        raise ValueError("a fault of ours")

    monkeypatch.setattr(watch, "look", look)
    watch._look_now()
    assert "a fault of ours" in caplog.text


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_parked_threads_wake_and_the_one_that_looks_ends_with_the_last(
    watch, organization, member, owner, at, clock
):
    session, other = start(organization, member, at), start(organization, owner, at)
    news = threading.Event()

    def wait():
        watch.wait(session.id, seen_version, 60)
        news.set()

    seen_version = seen(session, at).version
    bystander = Waiter(other.id, seen(other, at).version)
    watch.enter(bystander)
    thread = threading.Thread(target=wait)
    thread.start()
    report(session, later(at, 1))
    assert news.wait(20)
    thread.join()
    assert not bystander.woken.is_set()
    looking = watch._thread
    assert looking is not None
    watch.leave(bystander)
    looking.join(20)
    assert not looking.is_alive()
    assert watch._thread is None


@pytest.mark.django_db
def test_no_one_is_left_behind_when_waiting_fails(watch, session, at, monkeypatch):
    def park(self, waiter, seconds):
        raise MemoryError

    monkeypatch.setattr(Watch, "park", park)
    with pytest.raises(MemoryError):
        watch.wait(session.id, "", 1)
    assert watch._waiters == set()


def test_the_portals_own_watch_is_one():
    assert isinstance(waiting.watch, Watch)
