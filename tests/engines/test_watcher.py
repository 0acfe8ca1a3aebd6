"""The watcher against an engine in memory: what it tells, once, and after everything was away."""

import threading
from datetime import timedelta
from typing import Any

import docker
import pytest
from django.db import OperationalError
from docker.errors import NotFound
from requests.exceptions import ConnectionError as NoConnectionError

from sessions import services
from sessions.engines.door import Counters, Kind
from sessions.host import watcher
from sessions.host.seeing import Eye
from sessions.models import ContainerRun, Pulse, Sample, Session
from tests import factories
from tests.engines.test_door_standing import with_engine
from tests.sessions.lives import start

pytestmark = pytest.mark.django_db


class MemoryEngine:
    """What Docker's API says. `away` makes every call fail; those that `vanished` have no stats."""

    def __init__(self, clock):
        self.clock = clock
        self.events_so_far, self.running = [], {}
        self.away, self.vanished, self.asked = False, set(), 0

    def begin(self, identifier, at, image="nginx:1.27", name="web"):
        self.running[identifier] = {"Id": identifier, "Image": image}
        self._tell("start", identifier, at, image, {"name": name})

    def end(self, identifier, at, code=0):
        image = self.running.pop(identifier)["Image"]
        self._tell("die", identifier, at, image, {"name": "web", "exitCode": str(code)})

    def _tell(self, action, identifier, at, image, attributes):
        self.events_so_far.append(
            {
                "Action": action,
                "id": identifier,
                "from": image,
                "Actor": {"Attributes": attributes},
                "timeNano": int(at.timestamp() * 10**9),
            }
        )

    # What the client's library offers.

    def __call__(self, **_options):
        if self.away:
            raise NoConnectionError("away")
        self.asked += 1
        return self

    def containers(self):
        return list(self.running.values())

    def events(self, *, since, until, **_options):
        return [
            event
            for event in self.events_so_far
            if float(since) <= event["timeNano"] / 10**9 <= float(until)
        ]

    def stats(self, identifier, **_options):
        if identifier in self.vanished:
            raise NotFound("No such container")
        return {"id": identifier, "memory_stats": {"usage": 1024}}

    def close(self):
        """Nothing is open."""


class Inline:
    """A pool of no threads: the test's own connection sees everything."""

    def map(self, function, things):
        return [function(thing) for thing in things]


INLINE: Any = Inline()


class Watched:
    """One session, its engine, its door's counters and a watcher that turns when told."""

    def __init__(self, session, engine, clock, at):
        self.session, self.engine, self.clock, self.at = session, engine, clock, at
        self.counters = Counters()
        self.watcher = watcher.Watcher(self.counters)

    def turn(self, second):
        self.clock.move_to(self.at + timedelta(seconds=second))
        self.watcher.turn(INLINE, self.at + timedelta(seconds=second))

    def after(self, second):
        return self.at + timedelta(seconds=second)

    @property
    def pulse(self):
        return Pulse.objects.get(pk=self.session.pk)

    @property
    def runs(self):
        """Second of the start, second of the exit, exit code."""
        rows = ContainerRun.objects.order_by("started_at", "id")
        return [
            (
                int((row.started_at - self.at).total_seconds()),
                None if row.exited_at is None else int((row.exited_at - self.at).total_seconds()),
                row.exit_code,
            )
            for row in rows
        ]


@pytest.fixture
def watched(organization, member, at, clock, monkeypatch):
    session = with_engine(start(organization, member, at), at)
    engine = MemoryEngine(clock)
    monkeypatch.setattr(docker, "APIClient", engine)
    # The test's transaction lives in its one connection.
    monkeypatch.setattr(watcher, "close_old_connections", lambda: None)
    return Watched(session, engine, clock, at)


def failing(monkeypatch, module, name, times):
    """The function fails like a database that is away, so many times."""
    real, left = getattr(module, name), [times]

    def call(*arguments, **more):
        if left[0]:
            left[0] -= 1
            raise OperationalError("the connection is closed")
        return real(*arguments, **more)

    monkeypatch.setattr(module, name, call)


def test_a_run_is_told_once_however_often_one_looks(watched):
    watched.engine.begin("c1", watched.after(3))
    watched.turn(4)
    version = Session.objects.get().version
    for second in (5, 6, 7):
        watched.turn(second)
    watched.engine.end("c1", watched.after(8), code=3)
    watched.turn(9)
    watched.turn(10)
    assert watched.runs == [(3, 8, 3)]
    assert Session.objects.get().version == version


def test_looking_alone_is_no_activity(watched):
    for second in range(1, 60, 7):
        watched.turn(second)
    assert watched.engine.asked == 9
    assert watched.pulse.last_activity_at is None


def test_what_the_database_did_not_take_is_told_once_it_is_back(watched, monkeypatch):
    failing(monkeypatch, services, "report", times=2)
    watched.engine.begin("c1", watched.after(3))
    watched.counters.call(watched.session.pk, watched.after(3))
    watched.turn(4)
    watched.engine.end("c1", watched.after(20))
    watched.turn(31)
    assert watched.runs == []
    # Long after the little that is always asked again.
    watched.turn(60)
    assert watched.runs == [(3, 20, 0)]
    assert watched.pulse.last_activity_at == watched.after(60)
    assert not watched.counters.called()


def test_a_sample_that_was_not_kept_does_not_silence_the_next_fifteen_seconds(watched, monkeypatch):
    failing(monkeypatch, services, "report", times=1)
    watched.engine.begin("c1", watched.after(3))
    for second in (4, 6, 8, 18, 19):
        watched.turn(second)
    seconds = [int((one.at - watched.at).total_seconds()) for one in Sample.objects.order_by("at")]
    assert seconds == [6]
    watched.turn(21)
    assert Sample.objects.count() == 2


def test_an_engine_that_was_away_tells_afterwards_what_happened(watched):
    watched.engine.begin("c1", watched.after(3))
    watched.turn(4)
    watched.engine.away = True
    watched.counters.call(watched.session.pk, watched.after(10))
    watched.engine.end("c1", watched.after(12))
    watched.engine.begin("c2", watched.after(13))
    for second in (11, 20, 30):
        watched.turn(second)
    watched.engine.away = False
    watched.turn(40)
    assert watched.runs == [(3, 12, 0), (13, None, None)]
    # The call of second 10 was not lost, and counts when it could be reported.
    assert watched.pulse.last_call_at == watched.after(40)


def test_another_watcher_tells_everything_again_and_changes_nothing(watched):
    watched.engine.begin("c1", watched.after(3))
    watched.turn(4)
    watched.engine.end("c1", watched.after(5))
    watched.turn(6)
    rows = list(ContainerRun.objects.values())
    watched.watcher = watcher.Watcher(watched.counters)
    watched.turn(8)
    assert list(ContainerRun.objects.values()) == rows


def test_two_watchers_at_once_write_each_run_once(watched):
    other = Watched(watched.session, watched.engine, watched.clock, watched.at)
    watched.engine.begin("c1", watched.after(3))
    watched.turn(4)
    other.turn(4)
    watched.engine.end("c1", watched.after(5))
    other.turn(6)
    watched.turn(6)
    assert watched.runs == [(3, 5, 0)]


def test_a_container_that_is_gone_before_its_stats_are_read_holds_nothing_up(watched):
    watched.engine.begin("c1", watched.after(3))
    watched.engine.vanished = {"c1"}
    watched.turn(4)
    assert watched.runs == [(3, None, None)]
    assert watched.pulse.running_containers == 1


def test_the_longest_name_of_an_image_silences_nobody(watched):
    watched.engine.begin("c1", watched.after(3), image="r/" + "i" * 250 + ":" + "t" * 128)
    watched.turn(4)
    assert len(ContainerRun.objects.get().image) == 255


def test_one_engine_that_is_away_holds_up_no_other(watched, organization, at, monkeypatch):
    person = factories.licensed_member(organization, "Mia Member", at=at)
    other = with_engine(start(organization, person, at), at)
    real = Eye.look

    def look(eye, when):
        if eye.session_id == watched.session.pk:
            raise RuntimeError("an oddity")
        return real(eye, when)

    monkeypatch.setattr(Eye, "look", look)
    watched.engine.begin("c1", watched.after(3))
    watched.turn(4)
    assert [run.session_id for run in ContainerRun.objects.all()] == [other.pk]


@pytest.mark.parametrize("kind", [Kind.BUILD, Kind.EXEC])
def test_a_silent_stream_is_reported_well_before_the_session_would_be_idle(watched, kind):
    """Rule 9, with a timeout of five minutes: a build of ten says nothing and stays active."""
    watched.counters.call(watched.session.pk, watched.after(1))
    watched.counters.opened(watched.session.pk, kind)
    for second in range(1, 601, 5):
        watched.turn(second)
        assert watched.after(second) - watched.pulse.last_activity_at <= timedelta(seconds=15)
    watched.counters.closed(watched.session.pk, kind)
    last = watched.pulse.last_activity_at
    watched.turn(700)
    assert watched.pulse.last_activity_at == last


def test_the_loop_waits_for_a_database_that_is_away(watched, monkeypatch):
    stop, turns = threading.Event(), []
    monkeypatch.setattr(watcher, "LEAST_PAUSE_SECONDS", 0)
    monkeypatch.setattr(watcher, "PAUSE_SECONDS", 0)
    failing(monkeypatch, watcher, "watched_sessions", times=3)
    real = watcher.Watcher.turn

    def turn(self, pool, at):
        turns.append(self)
        if len(turns) == 5:
            stop.set()
        real(self, INLINE, at)

    monkeypatch.setattr(watcher.Watcher, "turn", turn)
    watcher.watch_forever(watched.counters, stop)
    # The same one all the time: what it knew of each engine it still knows.
    assert len(turns) == 5
    assert len(set(map(id, turns))) == 1
