"""Whoever waits for news of a session (api.md, `GET /sessions/{id}?wait=…`).

The threads of those who wait are parked and hold no connection; one thread of the process looks
for all of them. It looks right after each whole second, since all instants of sessions are whole
seconds: what the clock alone makes true is noticed in its own second. It lives while somebody
waits and holds a connection only while it looks.
"""

import logging
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from offload_portal.common.periods import cut_to_second, to_seconds
from sessions.selectors.versions import Standing, standings, versions

logger = logging.getLogger(__name__)

# So many who were woken at once read at once: the rest of the connections are for others.
MOST_READING = 8


@dataclass(eq=False, slots=True)
class Waiter:
    """`version` is what its client knows; it holds while `standing` does and before `until`."""

    session_id: uuid.UUID
    version: str
    woken: threading.Event = field(default_factory=threading.Event)
    standing: Standing | None = None
    until: int | None = None

    def is_unsure(self, standing: Standing | None, now: int) -> bool:
        """Whether its version may be another one by now."""
        over = self.until is not None and self.until <= now
        return self.standing is None or self.standing != standing or over


class Watch:
    """Everybody in this process who waits."""

    def __init__(self) -> None:
        # Whoever reads after waiting does it in here.
        self.reading = threading.BoundedSemaphore(MOST_READING)
        self._waiters: set[Waiter] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_blind = False

    def wait(self, session_id: uuid.UUID, version: str, seconds: int) -> bool:
        """Park until the version is another one, or so many seconds.

        False at once where as many wait as may (`MOST_WAITING`): they must not take the threads
        that other requests need.
        """
        waiter = Waiter(session_id, version)
        if not self.enter(waiter):
            return False
        try:
            self.park(waiter, seconds)
        finally:
            self.leave(waiter)
        return True

    def enter(self, waiter: Waiter) -> bool:
        with self._lock:
            if len(self._waiters) >= settings.MOST_WAITING:
                return False
            self._waiters.add(waiter)
            return True

    def leave(self, waiter: Waiter) -> None:
        with self._lock:
            self._waiters.discard(waiter)

    def park(self, waiter: Waiter, seconds: int) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()
        waiter.woken.wait(seconds)

    def look(self, at: datetime) -> None:
        """Wake those whose version is another one at the instant. One statement if none may be."""
        waiting = self._asleep()
        found = standings({waiter.session_id for waiter in waiting})
        now = to_seconds(at)
        unsure = [one for one in waiting if one.is_unsure(found.get(one.session_id), now)]
        if not unsure:
            return
        known = versions({waiter.session_id for waiter in unsure}, at)
        for waiter in unsure:
            version = known.get(waiter.session_id)
            if version is None or version.text != waiter.version:
                waiter.woken.set()
            else:
                waiter.standing = found.get(waiter.session_id)
                waiter.until = version.until

    def _asleep(self) -> list[Waiter]:
        with self._lock:
            return [waiter for waiter in self._waiters if not waiter.woken.is_set()]

    def _run(self) -> None:
        while self._is_needed():
            self._look_now()
            time.sleep(1 - time.time() % 1)

    def _is_needed(self) -> bool:
        """Whether somebody waits; if not, the next who does starts another thread."""
        with self._lock:
            if not self._waiters:
                self._thread = None
            return self._thread is not None

    def _look_now(self) -> None:
        """One failure ends nothing: who waits is answered when their time is up, if not before."""
        try:
            self.look(cut_to_second(timezone.now()))
        except (DatabaseError, InterfaceError) as error:
            if not self._is_blind:
                logger.warning("The database is away from those who wait: %s", error)
            self._is_blind = True
        except Exception:
            logger.exception("Looking for those who wait failed")
        else:
            self._is_blind = False
        finally:
            connection.close()


watch = Watch()
