"""What the door saw of each session, for the watcher: calls since it last asked, streams now."""

import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sessions.engines.door.calls import Kind

# Work of the engine itself: a build, or an image or files on their way in or out.
BUILDS = (Kind.BUILD, Kind.TRANSFER)
LONGEST_IMAGE = 255
# Somebody sits at the other end.
ATTACHED = (Kind.ATTACH, Kind.EXEC)


@dataclass(frozen=True, slots=True)
class Build:
    """A build that the door passed on; `image` is the name that it gets, empty without one."""

    id: str
    image: str
    started_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """`open_streams` are those open now, by kind; `last_call_at` is None before the first call.
    `built` are builds that began or finished since it was last asked.

    Streams that only watch (events, logs, stats, wait) are a call when they begin and hold nothing
    awake: they end with what they watch, or they would never end.
    """

    api_calls: int = 0
    open_streams: Mapping[Kind, int] = field(default_factory=dict)
    last_call_at: datetime | None = None
    built: tuple[Build, ...] = ()

    @property
    def builds(self) -> int:
        """For a report's `active_builds`: builds, pulls, pushes and copies that are under way."""
        return sum(self.open_streams.get(kind, 0) for kind in BUILDS)

    @property
    def attached(self) -> int:
        """Open exec and attach streams; they hold the session as a running container does."""
        return sum(self.open_streams.get(kind, 0) for kind in ATTACHED)


class Counters:
    """Written by the door's loop, read by the watcher's; any thread may call anything.

    `woken` is set by every call to an engine, so that the watcher reports soon: a call resumes an
    idle session only once it is reported (rules 9, 10). Whoever waits for it clears it first and
    asks `called()` then.
    """

    def __init__(self) -> None:
        self.woken = threading.Event()
        self._lock = threading.Lock()
        self._calls: Counter[uuid.UUID] = Counter()
        self._last: dict[uuid.UUID, datetime] = {}
        self._streams: dict[uuid.UUID, Counter[Kind]] = {}
        self._building: dict[str, Build] = {}
        self._built: dict[uuid.UUID, dict[str, Build]] = {}

    def call(self, session_id: uuid.UUID, at: datetime) -> None:
        with self._lock:
            self._calls[session_id] += 1
            self._last[session_id] = at
        self.woken.set()

    def opened(self, session_id: uuid.UUID, kind: Kind) -> None:
        with self._lock:
            self._streams.setdefault(session_id, Counter())[kind] += 1

    def closed(self, session_id: uuid.UUID, kind: Kind) -> None:
        with self._lock:
            streams = self._streams.get(session_id)
            if streams is not None:
                streams[kind] -= 1

    def build_began(self, session_id: uuid.UUID, image: str, at: datetime) -> str:
        """Its identifier, for `build_ended`."""
        build = Build(uuid.uuid4().hex, image[:LONGEST_IMAGE], at)
        with self._lock:
            self._building[build.id] = build
            self._built.setdefault(session_id, {})[build.id] = build
        return build.id

    def build_ended(self, session_id: uuid.UUID, build_id: str, at: datetime) -> None:
        with self._lock:
            begun = self._building.pop(build_id, None)
            if begun is not None:
                ended = replace(begun, finished_at=max(at, begun.started_at))
                self._built.setdefault(session_id, {})[build_id] = ended

    def called(self) -> frozenset[uuid.UUID]:
        """The sessions with calls that nobody has taken yet."""
        with self._lock:
            return frozenset(self._calls)

    def take(self, session_id: uuid.UUID) -> Seen:
        """What was seen since the last time; the calls are the taker's to report now."""
        with self._lock:
            return Seen(
                api_calls=self._calls.pop(session_id, 0),
                open_streams=dict(+self._streams.get(session_id, Counter())),
                last_call_at=self._last.get(session_id),
                built=tuple(self._built.pop(session_id, {}).values()),
            )

    def give_back(self, session_id: uuid.UUID, seen: Seen) -> None:
        """What was taken but could not be reported; the next one who takes gets it."""
        with self._lock:
            if seen.api_calls:
                self._calls[session_id] += seen.api_calls
            if seen.built:
                known = self._built.setdefault(session_id, {})
                # What happened meanwhile is newer.
                self._built[session_id] = {build.id: build for build in seen.built} | known

    def forget(self, session_id: uuid.UUID) -> None:
        """The session has ended."""
        with self._lock:
            self._calls.pop(session_id, None)
            self._last.pop(session_id, None)
            self._streams.pop(session_id, None)
            self._built.pop(session_id, None)
