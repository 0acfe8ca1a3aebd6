"""The watcher: what the engines and the door saw becomes activity reports.

It holds nothing that it can't find again: after a restart it asks each engine for everything since
the session was ready, and a run that is told twice is one run.
"""

import logging
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from offload_portal.common.actors import Actor
from offload_portal.common.periods import cut_to_second
from offload_portal.common.refusals import Refusal
from sessions import services
from sessions.engines.door import Counters, Seen
from sessions.host.seeing import AwayError, Eye, Look
from sessions.models import Session
from sessions.selectors.watched import watched_sessions
from sessions.services import BuildSeen

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 2.0
LEAST_PAUSE_SECONDS = 0.5
THREADS = 8
LONGEST_BETWEEN_REPORTS = timedelta(seconds=15)


@dataclass
class Watch:
    """One session under watch. `reported_at` is when it last told of activity."""

    eye: Eye
    reported_at: datetime

    def is_due(self, session: Session, at: datetime) -> bool:
        """Activity goes on: say so well before the session would fall idle."""
        third = timedelta(seconds=session.idle_timeout_seconds) / 3
        return at - self.reported_at >= min(LONGEST_BETWEEN_REPORTS, third)


class Watcher:
    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self._watches: dict[uuid.UUID, Watch] = {}

    def turn(self, pool: ThreadPoolExecutor, at: datetime) -> None:
        """Look at every engine once. One that hangs holds up nobody but its own thread."""
        sessions = watched_sessions()
        for gone in self._watches.keys() - {session.pk for session in sessions}:
            del self._watches[gone]
            self.counters.forget(gone)
        list(pool.map(lambda session: self._safely(session, at), sessions))

    def _safely(self, session: Session, at: datetime) -> None:
        try:
            self._tend(session, at)
        except AwayError as error:
            logger.info("Engine of %s does not answer: %s", session.pk, error)
        except Exception:  # one engine's oddity must not stop the watch over the others
            logger.exception("Engine of %s could not be watched", session.pk)
        finally:
            close_old_connections()

    def _tend(self, session: Session, at: datetime) -> None:
        watch = self._watch(session)
        seen = self.counters.take(session.pk)
        try:
            look = watch.eye.look(at)
            busy = look.running + look.building + seen.builds + seen.attached > 0
            if _is_news(look, seen) or (busy and watch.is_due(session, at)):
                self._report(session, look, seen)
                watch.reported_at = at
            watch.eye.keep(look)
        except Exception:
            # What the door counted is told with the next report instead.
            self.counters.give_back(session.pk, seen)
            raise

    def _watch(self, session: Session) -> Watch:
        if session.pk not in self._watches:
            ready = session.ready_at or session.created_at
            eye = Eye(session.pk, session.engine.address, since=ready)
            self._watches[session.pk] = Watch(eye, reported_at=ready)
        return self._watches[session.pk]

    def _report(self, session: Session, look: Look, seen: Seen) -> None:
        report = services.ActivityReport(
            sequence=None,
            running_containers=look.running + seen.attached,
            active_builds=look.building + seen.builds,
            api_calls=seen.api_calls,
            containers=look.runs,
            samples=look.samples,
            builds=tuple(
                BuildSeen(build.id, build.image, build.started_at, build.finished_at)
                for build in seen.built
            ),
        )
        try:
            services.report(
                actor=Actor(session.person_id, "watcher"),
                at=cut_to_second(timezone.now()),
                session=session,
                report=report,
            )
        except Refusal as refusal:
            if refusal.code != "session_ended":
                raise


def _is_news(look: Look, seen: Seen) -> bool:
    return bool(seen.api_calls or seen.built or look.runs or look.samples)


def watch_forever(counters: Counters, stop: threading.Event) -> None:
    """Watch until `stop` is set; a call at the door wakes it at once."""
    watcher = Watcher(counters)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="watch") as pool:
        while not stop.is_set():
            counters.woken.clear()
            try:
                watcher.turn(pool, timezone.now())
            except DatabaseError as error:
                # What was seen so far stays known, and what happens meanwhile is read afterwards.
                logger.warning("The database is away; the watcher waits for it: %s", error)
            close_old_connections()
            # Calls come in bursts: a moment's patience makes one report of many.
            stop.wait(LEAST_PAUSE_SECONDS)
            counters.woken.wait(PAUSE_SECONDS)
