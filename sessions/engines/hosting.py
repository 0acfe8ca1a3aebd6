"""What an engine host does for its sessions: the interface that each provider of engines fills.

A provider never touches the database and never decides: the agent (`sessions.host.agent`) compares
what the portal wants with what `survey` finds and calls `start` and `remove`. So whatever was lost
on the way (a message, the agent itself, the machine) the next comparison finds it.
docs/engine-providers.md says how to write one.
"""

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from usage.rates import EngineSize


class StartFailedError(Exception):
    """The engine will not answer. The text is a sentence that an operator can act on."""


class StartInterruptedError(Exception):
    """`Order.interrupted` was set while it started; what is there stays for the next survey."""


@dataclass(frozen=True, slots=True)
class Order:
    """An engine that somebody waits for. `seconds`: after so many the wait is over (rule 8)."""

    session_id: uuid.UUID
    size: EngineSize
    seconds: float
    interrupted: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a started engine answers, and what the host could not give it.

    `address` is a unix socket's path on the host of the door. `timings`: seconds of each part.
    """

    address: str
    left_out: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """One engine, or what is left of one, as a survey found it.

    `alive`: its processes run. `seen_at`: when it last answered, None before the first time.
    `why` says what became of one that is not alive, as a sentence for operators; it is empty where
    the start was cut off before anything ran, and then the start is tried again.
    """

    session_id: uuid.UUID
    alive: bool
    seen_at: datetime | None = None
    why: str = ""


class Host(Protocol):
    """Everything may be called twice, from several threads at once for different sessions."""

    provider: str
    name: str

    def problem(self) -> str:
        """Why this machine can't host engines, with the cure; empty where it can."""

    def capacity(self) -> int:
        """How many engines may be here at once."""

    def survey(self) -> tuple[Found, ...]:
        """All that is here, started by whatever process at whatever time. Quick: each second."""

    def start(self, order: Order) -> Place:
        """Bring it up and wait until it answers. Raises StartFailedError, StartInterruptedError.

        It cleans nothing up: `remove` follows every failure.
        """

    def place(self, session_id: uuid.UUID) -> Place:
        """The place of an engine that a survey found alive; its start was not seen to the end."""

    def answers(self, session_id: uuid.UUID, at: datetime) -> bool:
        """Ask the engine now; if it answers, `at` is its `seen_at`. A few seconds at most."""

    def remove(self, session_id: uuid.UUID) -> None:
        """End it and take everything of it away: processes, containers, images, volumes, files."""
