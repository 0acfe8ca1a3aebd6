"""The loops of the engine host, side by side in one process until it is told to stop."""

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec

from django.db import close_old_connections

from sessions.engines.door import Counters, Door, serve
from sessions.engines.hosting import Host
from sessions.host.agent import Agent
from sessions.services import note_key_used

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
# A loop that ran for so long had recovered: its next fault is the first again.
RECOVERED_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 30.0
STOP_SECONDS = 15.0
LOOK_EVERY_SECONDS = 0.2
WATCHER = "sessions.host.watcher"


@dataclass(frozen=True, slots=True)
class EngineHost:
    """What the loops share. `counters`: what the door saw, for the watcher.

    `is_open`: the door listens. Until then no new session comes here: nobody could reach it.
    """

    host: Host
    counters: Counters = field(default_factory=Counters)
    stop: threading.Event = field(default_factory=threading.Event)
    is_open: threading.Event = field(default_factory=threading.Event)


Loop = Callable[[EngineHost], None]


def run(engines: EngineHost, loops: dict[str, Loop] | None = None) -> None:
    """Run every loop in a thread of its own until `stop` is set; one that breaks begins again."""
    threads = [
        threading.Thread(target=_keep, args=(name, loop, engines), name=name, daemon=True)
        for name, loop in (loops or known_loops()).items()
    ]
    for thread in threads:
        thread.start()
    engines.stop.wait()
    for thread in threads:
        thread.join(STOP_SECONDS)


def known_loops() -> dict[str, Loop]:
    loops: dict[str, Loop] = {"agent": agent_loop, "door": door_loop}
    if find_spec(WATCHER) is not None:
        loops["watcher"] = watcher_loop
    return loops


def agent_loop(engines: EngineHost) -> None:
    Agent(engines.host, is_open=engines.is_open.is_set).run(engines.stop)


def door_loop(engines: EngineHost) -> None:
    asyncio.run(_door(engines))


async def _door(engines: EngineHost) -> None:
    def opened(door: Door) -> None:
        engines.is_open.set()

    serving = asyncio.create_task(serve(engines.counters, opened=opened, used=_note_used))
    # Asked for again and again: a thread that waits for it would hold up the end of a door that
    # could not open.
    while not engines.stop.is_set() and not serving.done():
        await asyncio.wait((serving,), timeout=LOOK_EVERY_SECONDS)
    engines.is_open.clear()
    if serving.done():
        serving.result()
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


def _note_used(session_id: uuid.UUID) -> None:
    close_old_connections()
    try:
        note_key_used(session_id=session_id)
    finally:
        close_old_connections()


def watcher_loop(engines: EngineHost) -> None:
    watcher = import_module(WATCHER)
    watcher.watch_forever(engines.counters, engines.stop)


def _keep(name: str, loop: Loop, engines: EngineHost) -> None:
    """A loop that ends before its time is begun again, later each time."""
    pause = FIRST_PAUSE_SECONDS
    while not engines.stop.is_set():
        began = time.monotonic()
        try:
            loop(engines)
        except OSError as error:
            logger.error("The %s can't work: %s", name, error.strerror or error)
        except Exception:
            logger.exception("The %s broke.", name)
        if time.monotonic() > began + RECOVERED_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        if engines.stop.wait(pause):
            return
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
