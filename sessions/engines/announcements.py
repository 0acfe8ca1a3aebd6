"""What the engine hosts say of themselves, for the processes that never touch an engine.

It lives in the cache, as heartbeats do: old words mean nothing.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.cache import cache

logger = logging.getLogger(__name__)

KEY = "engine-hosts"
# An agent speaks every few seconds; one that was silent so long takes no new session.
BELIEVED = timedelta(seconds=30)


def announce(*, host_name: str, capacity: int, at: datetime) -> None:
    """This host takes so many engines. Never undoes the work that it speaks of."""
    try:
        hosts = {name: said for name, said in _all().items() if said[1] > at - BELIEVED}
        cache.set(KEY, {**hosts, host_name: (capacity, at)}, timeout=None)
    except Exception as error:  # each cache has its own errors
        logger.warning("The engine host could not announce itself: %s", error)


def withdraw(host_name: str) -> None:
    """This host takes no new session from now on."""
    try:
        cache.set(KEY, {name: said for name, said in _all().items() if name != host_name}, None)
    except Exception as error:  # each cache has its own errors
        logger.warning("The engine host could not withdraw: %s", error)


@dataclass(frozen=True, slots=True)
class HostSaid:
    """What a host said last: it takes `capacity` engines, as of `said_at`."""

    name: str
    capacity: int
    said_at: datetime

    def lives(self, at: datetime) -> bool:
        """One that was silent for too long takes no new session."""
        return self.said_at > at - BELIEVED


def hosts_said() -> tuple[HostSaid, ...]:
    """The last words of each host, by name; one that fell silent fades when others speak."""
    try:
        said = _all()
    except Exception as error:  # each cache has its own errors
        logger.warning("What the engine hosts announced could not be read: %s", error)
        return ()
    return tuple(HostSaid(name, *said[name]) for name in sorted(said))


def announced_capacity(at: datetime) -> int | None:
    """How many engines all living hosts take together; None where no host is known to live."""
    try:
        said = _all().values()
    except Exception as error:  # each cache has its own errors
        logger.warning("What the engine hosts announced could not be read: %s", error)
        return None
    living = [capacity for capacity, said_at in said if said_at > at - BELIEVED]
    return sum(living) if living else None


def _all() -> Mapping[str, tuple[int, datetime]]:
    found = cache.get(KEY)
    return found if isinstance(found, dict) else {}
