"""The door itself: one address, all sessions."""

import asyncio
import logging
import os
import ssl
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from django.conf import settings

from sessions.engines.door.connection import Connection
from sessions.engines.door.counters import Counters
from sessions.engines.door.directory import Directory
from sessions.engines.door.standing import RefusedError, Standing
from sessions.engines.door.tls import Buffers

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 4_096
MOST_CONNECTIONS_OF_A_SESSION = 256
# Those that have not shown a certificate yet.
MOST_STRANGERS = 512
TICK_SECONDS = 1.0

# Told of each session whose key is used here for the first time; called in a thread.
Used = Callable[[uuid.UUID], None]


class Door:
    """Belongs to one loop; `counters` may be read from any thread."""

    def __init__(
        self, counters: Counters, directory: Directory | None = None, used: Used | None = None
    ) -> None:
        self.counters = counters
        self.buffers = Buffers()
        self.most_of_a_session = MOST_CONNECTIONS_OF_A_SESSION
        self._directory = directory or Directory()
        self._used = used
        self._known_used: set[uuid.UUID] = set()
        self._server: asyncio.Server | None = None
        self._all: set[Connection] = set()
        self._of: defaultdict[uuid.UUID, set[Connection]] = defaultdict(set)
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- Open and close ------------------------------------------------------------------------

    async def open(self, host: str, port: int) -> int:
        """Listen; the port is the system's choice where it is 0. OSError if it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._visitor, host, port, backlog=512)
        self.spawn(self._tick())
        bound: int = self._server.sockets[0].getsockname()[1]
        logger.info("The engines' door listens at %s port %s.", host, bound)
        return bound

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._all):
            connection.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._directory.close()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            logger.exception("The door stumbled.")

    # --- What connections ask ------------------------------------------------------------------

    def _visitor(self) -> asyncio.BaseProtocol:
        connection = Connection(self)
        strangers = len(self._all) - sum(map(len, self._of.values()))
        if len(self._all) >= MOST_CONNECTIONS or strangers >= MOST_STRANGERS:
            return _TurnedAway()
        self._all.add(connection)
        return connection.client

    async def context_for(self, server_name: str | None) -> ssl.SSLContext:
        return await self._directory.context_for(server_name)

    async def admit(self, certificate: bytes, connection: Connection) -> Standing | None:
        """Where the session stands that the certificate belongs to; None for nobody's."""
        session_id = self._directory.session_of(certificate)
        standing = self._directory.standing_of(session_id) if session_id else None
        if standing is None or connection not in self._all:
            return None
        mine = self._of[standing.session_id]
        if len(mine) >= self.most_of_a_session:
            sentence = f"The session has {len(mine)} open connections, and more it may not have."
            return replace(standing, refused=RefusedError(503, sentence))
        mine.add(connection)
        if self._used is not None and standing.session_id not in self._known_used:
            self._known_used.add(standing.session_id)
            self.spawn(self._tell_used(self._used, standing.session_id))
        return standing

    async def _tell_used(self, used: Used, session_id: uuid.UUID) -> None:
        """Who holds the session's key came in; said again with the next one where it failed."""
        try:
            await self._directory.in_thread(used, session_id)
        except Exception as error:  # each database has its own errors
            self._known_used.discard(session_id)
            logger.warning("The use of a session's key could not be noted: %s", error)

    def standing_of(self, session_id: uuid.UUID) -> Standing | None:
        return self._directory.standing_of(session_id)

    def left(self, connection: Connection) -> None:
        self._all.discard(connection)
        if connection.session_id is None:
            return
        mine = self._of.get(connection.session_id)
        if mine is not None:
            mine.discard(connection)
            if not mine:
                del self._of[connection.session_id]

    # --- Time passes ---------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """End what has waited too long, and every connection of a session that has ended."""
        now = time.monotonic()
        for connection in list(self._all):
            connection.check(now)
        if not self._of:
            return
        await self._directory.fresh()
        known = self._directory.standing_of
        self._known_used = {used for used in self._known_used if known(used) is not None}
        for session_id in list(self._of):
            standing = self._directory.standing_of(session_id)
            if standing is None or standing.refused is not None:
                self.cut(session_id)

    def cut(self, session_id: uuid.UUID) -> None:
        """All connections of the session end now."""
        for connection in list(self._of.get(session_id, ())):
            connection.abort()


class _TurnedAway(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def place_of(bind: str) -> tuple[str, int]:
    """Host and port of ENGINE_BIND."""
    host, _colon, port = bind.rpartition(":")
    return host.strip("[]"), int(port)


async def serve(
    counters: Counters,
    *,
    opened: Callable[[Door], None] | None = None,
    used: Used | None = None,
) -> None:
    """Hold the door at ENGINE_BIND until cancelled. `opened` gets it once it listens."""
    door = Door(counters, used=used)
    try:
        await _open(door)
        if opened is not None:
            opened(door)
        await asyncio.Event().wait()
    finally:
        await door.close()


async def _open(door: Door) -> None:
    """OSError with the cure where the address can't be had."""
    try:
        await door.open(*place_of(settings.ENGINE_BIND))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        sentence = (
            f"{settings.ENGINE_BIND} can't be listened at ({reason}). Stop what listens "
            "there, or set ENGINE_BIND and ENGINE_PUBLIC_PORT to another port."
        )
        raise OSError(error.errno, sentence) from error
