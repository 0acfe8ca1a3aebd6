"""The agent with a host in memory: every way from a wish to an engine and away again."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from offload_portal.common.periods import cut_to_second
from sessions.engines.announcements import announce, announced_capacity
from sessions.engines.hosting import Found, Place, StartFailedError, StartInterruptedError
from sessions.host import agent as agents
from sessions.models import Engine, Session
from sessions.selectors.hosting import engine_wishes
from sessions.services import hosting, sweep
from tests import factories
from tests.sessions.lives import billed, report, start, stop

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

PLACE = Place("/somewhere/docker.sock", ("The space on the disk is not limited.",), {"daemon": 0.7})


class MemoryHost:
    """Engines that are only remembered. `gate` holds starts up; `broken` makes them fail."""

    provider, name = "local", "memory"

    def __init__(self):
        self.engines = {}
        self.gate = threading.Event()
        self.gate.set()
        self.broken = ""
        self.starts = []

    def problem(self):
        return ""

    def capacity(self):
        return 2

    def survey(self):
        return tuple(self.engines.values())

    def start(self, order):
        self.starts.append(order.session_id)
        while not self.gate.wait(0.01):
            if order.interrupted.is_set():
                raise StartInterruptedError
        if self.broken:
            self.engines[order.session_id] = Found(order.session_id, alive=False, why=self.broken)
            raise StartFailedError(self.broken)
        self.engines[order.session_id] = Found(order.session_id, alive=True, seen_at=now())
        return PLACE

    def place(self, session_id):
        return PLACE

    def answers(self, session_id, at):
        return True

    def remove(self, session_id):
        self.engines.pop(session_id, None)


def now():
    return cut_to_second(timezone.now())


@pytest.fixture
def host(settings):
    settings.ENGINE_PROVIDER = "local"
    return MemoryHost()


@pytest.fixture
def agent(host):
    made = agents.Agent(host)
    yield made
    made.close()


@pytest.fixture
def owner(transactional_db, django_db_serialized_rollback):
    return factories.person("Olga Owner")


@pytest.fixture
def organization(owner):
    return factories.subscribed_organization(owner, at=now())


@pytest.fixture
def session(organization, owner, host):
    announce(host_name=host.name, capacity=host.capacity(), at=now())
    return start(organization, owner, now())


def rounds(agent, number=3):
    for _ in range(number):
        agent.round(now())
        agent.settle()


def state(session):
    return Engine.objects.get(session=session).state


def ready_at(session):
    found = Session.objects.get(pk=session.pk).ready_at
    assert found is not None
    return found


def test_a_wanted_engine_starts_and_its_session_is_ready(agent, host, session):
    rounds(agent)

    row = Engine.objects.get(session=session)
    assert (row.state, row.host_name, row.slot, row.address) == (
        "ready", "memory", 1, PLACE.address,
    )  # fmt: skip
    assert row.left_out == list(PLACE.left_out)
    assert row.timings == {"daemon": 0.7}
    session.refresh_from_db()
    assert session.ready_at == row.ready_at
    assert host.starts == [session.id]


def test_an_ended_session_loses_its_engine_and_frees_its_slot(agent, host, session):
    rounds(agent)
    stop(session, now())
    rounds(agent)

    assert host.engines == {}
    row = Engine.objects.get(session=session)
    assert (row.state, row.slot) == ("removed", None)
    assert row.removed_at is not None


@pytest.mark.parametrize(("seconds", "over"), [(299, False), (300, True), (301, True)])
def test_an_idle_end_takes_the_engine_along_without_waiting_for_the_sweep(
    agent, host, session, seconds, over
):
    rounds(agent)
    began = ready_at(session)
    with time_machine.travel(began + timedelta(seconds=seconds), tick=False):
        rounds(agent)
    ended = Session.objects.get(pk=session.pk)
    assert (session.pk in host.engines) is not over
    assert (ended.ended_at is not None) is over
    if over:
        assert (ended.end_reason, ended.ended_at) == ("idle", began + timedelta(seconds=300))
        assert state(session) == "removed"


def test_the_host_and_the_sweep_bill_the_same_second(agent, host, session):
    rounds(agent)
    began = ready_at(session)
    report(session, began + timedelta(seconds=10))
    with time_machine.travel(began + timedelta(seconds=10_000), tick=False):
        rounds(agent)
    ended = Session.objects.get(pk=session.pk)
    # Its timeout after the last activity, and 300 s more; the tail is not billed.
    assert ended.ended_at == began + timedelta(seconds=10 + 300 + 300)
    assert (ended.billed_seconds, billed(session)) == (300, 300)
    sweep(at=began + timedelta(seconds=20_000))
    assert Session.objects.get(pk=session.pk).version == ended.version
    assert billed(session) == 300


def test_where_no_engine_host_has_room_in_time_the_session_says_so(agent, host, session):
    created = session.created_at
    with time_machine.travel(created + timedelta(seconds=121), tick=False):
        rounds(agent)
    failed = Session.objects.get(pk=session.pk)
    assert (failed.end_reason, failed.ended_at) == ("failed", created + timedelta(seconds=120))
    assert failed.failure == "No engine host had room for it in time."
    assert state(session) == "removed"


def test_behind_a_shut_door_the_host_takes_no_new_session(host, session):
    is_open = False
    agent = agents.Agent(host, is_open=lambda: is_open)
    agent.round(now())
    assert announced_capacity(now()) == 0
    is_open = True
    agent.round(now())
    assert announced_capacity(now()) == 2
    is_open = False
    agent.round(now())
    assert announced_capacity(now()) == 0
    agent.close()


def test_the_statements_of_a_round_do_not_grow_with_the_engines(host, session, organization, owner):
    def asked():
        with CaptureQueriesContext(connection) as captured:
            assert engine_wishes(provider="local", host_name="memory", at=now())
        return len(captured)

    one = asked()
    announce(host_name=host.name, capacity=9, at=now())
    for number in range(3):
        person = factories.licensed_member(organization, f"Member {number}", at=now())
        start(organization, person, now())
    assert asked() == one <= 6


def test_a_failed_start_fails_the_session_with_its_reason(agent, host, session):
    host.broken = "The disk is full."
    rounds(agent)

    session.refresh_from_db()
    assert (session.stop_reason, session.failure) == ("failed", "The disk is full.")
    assert host.engines == {}
    row = Engine.objects.get(session=session)
    assert (row.state, row.failure) == ("removed", "The disk is full.")


def test_a_dead_engine_is_lost_and_its_rest_removed(agent, host, session):
    rounds(agent)
    host.engines[session.id] = Found(
        session.id, alive=False, seen_at=now(), why="Its dockerd was killed."
    )
    rounds(agent)

    session.refresh_from_db()
    assert (session.end_reason, session.failure) == ("engine_lost", "Its dockerd was killed.")
    assert host.engines == {}
    assert state(session) == "removed"


def test_an_engine_of_which_the_database_knows_nothing_is_removed(agent, host, session):
    rounds(agent)
    stranger = session.id.__class__(int=4711)
    host.engines[stranger] = Found(stranger, alive=True, seen_at=now())
    rounds(agent)
    assert set(host.engines) == {session.id}


def test_another_agent_goes_on_with_a_start_that_was_cut_off(host, session):
    host.gate.clear()
    first = agents.Agent(host)
    first.round(now())
    first.close()
    assert state(session) == "starting"

    host.gate.set()
    second = agents.Agent(host)
    rounds(second)
    second.close()

    assert state(session) == "ready"
    assert host.starts == [session.id, session.id]


def test_a_session_that_ends_while_its_engine_starts_leaves_nothing(agent, host, session):
    host.gate.clear()
    agent.round(now())
    stop(session, now())
    rounds(agent)

    assert host.engines == {}
    assert state(session) == "removed"


def test_a_slow_start_holds_no_other_up(agent, host, organization, owner, session):
    host.gate.clear()
    agent.round(now())
    other = factories.licensed_member(organization, "Max Member", at=now())
    second = start(organization, other, now())

    def both_begun():
        agent.round(now())  # a step that the database did not take is begun again
        return set(host.starts) == {session.id, second.id}

    wait_for(both_begun)
    host.gate.set()
    rounds(agent)
    assert (state(session), state(second)) == ("ready", "ready")


def wait_for(true):
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_answer_after_the_start_timeout_is_too_late(agent, host, session):
    host.gate.clear()
    agent.round(now())
    Session.objects.filter(pk=session.pk).update(
        created_at=now() - timedelta(seconds=60), start_timeout_seconds=1
    )
    host.gate.set()
    rounds(agent)

    assert host.engines == {}
    assert state(session) == "removed"
    session.refresh_from_db()
    assert session.ready_at is None


def test_an_engine_another_host_has_taken_is_left_to_it(agent, host, session):
    hosting.take_engine(session_id=session.id, host_name="elsewhere", slot=1)
    rounds(agent)
    assert host.starts == []
    assert not hosting.take_engine(session_id=session.id, host_name="memory", slot=1)


def test_a_database_that_is_away_stops_no_engine(agent, host, session, monkeypatch):
    rounds(agent)

    def away(**_):
        raise OperationalError("no route to the database")

    with monkeypatch.context() as patch:
        patch.setattr(agents, "engine_wishes", away)
        assert not agent.try_round()
    assert set(host.engines) == {session.id}
    assert agent.try_round()


def test_a_word_that_the_database_did_not_take_is_said_again(agent, host, session, monkeypatch):
    def away(**_):
        raise OperationalError("no route to the database")

    with monkeypatch.context() as patch:
        patch.setattr(hosting, "note_ready", away)
        rounds(agent, 1)
    assert state(session) == "starting"
    rounds(agent)
    assert state(session) == "ready"


def test_an_agent_announces_its_capacity_and_withdraws(host, session):
    stop_it = threading.Event()
    agent = agents.Agent(host)
    running = threading.Thread(target=agent.run, args=(stop_it,))
    running.start()
    wait_for(lambda: host.engines)
    assert announced_capacity(now()) == 2
    stop_it.set()
    running.join()
    assert announced_capacity(now()) is None
    assert set(host.engines) == {session.id}


def test_silence_ends_what_was_announced(host):
    at = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)
    announce(host_name="one", capacity=3, at=at)
    announce(host_name="two", capacity=2, at=at + timedelta(seconds=20))
    assert announced_capacity(at + timedelta(seconds=29)) == 5
    assert announced_capacity(at + timedelta(seconds=30)) == 2
    assert announced_capacity(at + timedelta(seconds=50)) is None


@pytest.mark.parametrize(("gap", "anew"), [(9, False), (10, False), (11, True), (3_600, True)])
def test_after_a_sleep_silence_counts_anew(host, monkeypatch, gap, anew):
    counted_from = []

    def look(*arguments, since, **rest):
        counted_from.append(since)
        return ()

    monkeypatch.setattr(agents, "decide", look)
    agent = agents.Agent(host)
    begun = now()
    agent.round(begun)
    agent.round(begun + timedelta(seconds=gap))
    agent.close()
    assert (counted_from[1] == begun + timedelta(seconds=gap)) is anew
