"""Connections to PostgreSQL that the threads of a process share.

psycopg's own pool makes each request wait for its time-out while the database is away; this one
opens connections in the thread that asks, so that a failure is told at once (api.md: 503).
"""

import select
import threading
import time
from collections import deque
from collections.abc import Callable

import psycopg
from psycopg.pq import TransactionStatus

# Whoever finds them all in use waits that long for one.
PATIENCE_SECONDS = 60.0


class Pool:
    """At most `most` connections at a time; one is kept for `keep_seconds` after it was opened.

    What Django asks of a pool: `open`, `getconn`, `putconn`, `close`.
    """

    def __init__(
        self, make: Callable[[], psycopg.Connection], *, most: int, keep_seconds: float
    ) -> None:
        self.most = most
        self._make = make
        self._keep_seconds = keep_seconds
        self._places = threading.BoundedSemaphore(most)
        # The latest used is used next, so that those nobody needs grow old.
        self._idle: deque[tuple[psycopg.Connection, float]] = deque()
        self._born: dict[int, float] = {}

    def open(self) -> None:
        """Connections are opened as they are needed."""

    def getconn(self) -> psycopg.Connection:
        """A connection that answers. Raises psycopg.OperationalError."""
        if not self._places.acquire(timeout=PATIENCE_SECONDS):
            raise psycopg.OperationalError(f"All {self.most} connections are in use.")
        try:
            connection = self._kept() or self._new()
        except BaseException:
            self._places.release()
            raise
        # Where Django brings it back to.
        connection._pool = self
        return connection

    def putconn(self, connection: psycopg.Connection) -> None:
        """Keep it for the next thread, unless it is old, broken or amid a transaction."""
        born = self._born.pop(id(connection), 0.0)
        idle = connection.info.transaction_status == TransactionStatus.IDLE
        if idle and self._is_young(born):
            self._idle.append((connection, born))
        else:
            connection.close()
        self._places.release()

    def close(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            self._idle.pop()[0].close()

    def _is_young(self, born: float) -> bool:
        return time.monotonic() - born < self._keep_seconds

    def _kept(self) -> psycopg.Connection | None:
        while True:
            try:
                connection, born = self._idle.pop()
            except IndexError:
                return None
            if self._is_young(born) and _answers(connection):
                self._born[id(connection)] = born
                return connection
            connection.close()

    def _new(self) -> psycopg.Connection:
        connection = self._make()
        self._born[id(connection)] = time.monotonic()
        return connection


def _answers(connection: psycopg.Connection) -> bool:
    """Whether the server still knows it.

    A server that goes away says so, and then there is something to read where nobody asked. Only
    then is it asked: one round trip, as in Django's own health check, beside the three of a report.
    """
    quiet = select.poll()
    quiet.register(connection.fileno(), select.POLLIN | select.POLLERR | select.POLLHUP)
    if not quiet.poll(0):
        return True
    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True
