"""The loops of the engine host, side by side in one process until it is told to stop."""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec

from sessions.engines.door import Counters, serve
from sessions.engines.hosting import Host
from sessions.host.agent import Agent

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
STOP_SECONDS = 15.0
WATCHER = "sessions.host.watcher"


@dataclass(frozen=True, slots=True)
class EngineHost:
    """What the loops share. `counters`: what the door saw, for the watcher."""

    host: Host
    counters: Counters = field(default_factory=Counters)
    stop: threading.Event = field(default_factory=threading.Event)


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
    Agent(engines.host).run(engines.stop)


def door_loop(engines: EngineHost) -> None:
    asyncio.run(_door(engines))


async def _door(engines: EngineHost) -> None:
    serving = asyncio.create_task(serve(engines.counters))
    stopping = asyncio.create_task(asyncio.to_thread(engines.stop.wait))
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


def watcher_loop(engines: EngineHost) -> None:
    watcher = import_module(WATCHER)
    watcher.watch_forever(engines.counters, engines.stop)


def _keep(name: str, loop: Loop, engines: EngineHost) -> None:
    """A loop that ends before its time is begun again, later each time."""
    pause = FIRST_PAUSE_SECONDS
    while not engines.stop.is_set():
        try:
            loop(engines)
        except OSError as error:
            logger.error("The %s can't work: %s", name, error)
        except Exception:
            logger.exception("The %s broke.", name)
        if engines.stop.wait(pause):
            return
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
