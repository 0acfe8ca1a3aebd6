"""The values that a session's clock takes and gives.

Every instant is an `int`: POSIX seconds, UTC, cut to the whole second by whoever
recorded it (product.md rule 14). Every length is an `int` of seconds. Every period is
half-open: its start belongs to it, its end does not.
"""

from dataclasses import dataclass, fields
from enum import StrEnum, auto


class State(StrEnum):
    """What a session is doing at one instant (product.md rules 8 to 11)."""

    STARTING = auto()
    IDLE = auto()
    ACTIVE = auto()
    ENDED = auto()
    FAILED = auto()


class EndReason(StrEnum):
    """Why a session ended (product.md rule 11)."""

    STOPPED = auto()
    STOPPED_BY_OWNER = auto()
    IDLE = auto()
    ALLOWANCE_EXHAUSTED = auto()
    CAP_REACHED = auto()
    ACCESS_REVOKED = auto()
    SESSION_LENGTH = auto()
    SUBSCRIPTION_ENDED = auto()
    ENGINE_LOST = auto()
    FAILED = auto()


class PromptKind(StrEnum):
    """What a prompt asks about: no activity, a long session, a long day (rule 13)."""

    INACTIVITY = auto()
    SESSION = auto()
    DAILY = auto()


class SegmentKind(StrEnum):
    """What a session was doing during one segment of its timeline."""

    STARTING = auto()
    IDLE = auto()
    ACTIVE = auto()


class ReactionKind(StrEnum):
    """What an activity report or an answer to a prompt does to a session."""

    REFUSED_NOT_READY = auto()
    REFUSED_ENDED = auto()
    REFUSED_NO_PROMPT = auto()
    NOTHING = auto()
    BEGINS = auto()
    EXTENDS = auto()
    RESUMES = auto()
    IDLES = auto()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a session keeps from its start (product.md rule 14).

    Seconds, except `multiplier` (compute-seconds per second). All are at least 1;
    `longest` is None where no policy limits the session's length.
    """

    idle_timeout: int
    multiplier: int = 1
    start_timeout: int = 120
    idle_end: int = 300
    inactivity_prompt: int = 180
    session_prompt: int = 10_800
    daily_limit: int = 28_800
    daily_prompt: int = 3_600
    prompt_answer: int = 60
    longest: int | None = None

    def __post_init__(self) -> None:
        """Refuse lengths that would let an instant come before its own cause."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and value < 1:
                raise ValueError(f"{field.name} is {value}; give it at least 1")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A closed run of activity, [started_at, idle_at)."""

    started_at: int
    idle_at: int


@dataclass(frozen=True, slots=True)
class OpenStretch:
    """The latest run of activity, which reports may still extend.

    `last_call_at` is the last Docker API call or `stay`, or the stretch's start.
    `idled_at` is when the person answered a prompt with `idle`. `kept_until` is the instant
    until which a job declared itself alive. So
    started_at <= last_call_at <= last_activity_at.
    """

    started_at: int
    last_activity_at: int
    last_call_at: int
    idled_at: int | None = None
    kept_until: int | None = None


@dataclass(frozen=True, slots=True)
class EndFact:
    """An end: the first instant at which the session is no more, and why."""

    at: int
    reason: EndReason


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is recorded about one session's time.

    `closed` is in order of time and `open` comes after it; the gap before a stretch
    that isn't the first is a resumed one. `ends` is in order of recording.
    `exhausted` is the exact instant at which the allowance or a cap ran out (rule 19).
    `active_before` is the active time, in seconds, that the person had in this
    organization in the UTC day of `created_at` when this session started (rule 13).
    """

    created_at: int
    terms: Terms
    ready_at: int | None = None
    closed: tuple[Stretch, ...] = ()
    open: OpenStretch | None = None
    ends: tuple[EndFact, ...] = ()
    exhausted: EndFact | None = None
    active_before: int = 0


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question to the developer: due from `due_at`, too late at `answer_by`."""

    kind: PromptKind
    due_at: int
    answer_by: int


@dataclass(frozen=True, slots=True)
class Idle:
    """When a stretch becomes idle, and whether a prompt does it (rule 13)."""

    at: int
    by_prompt: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a timeline, [start, end), never empty."""

    start: int
    end: int
    kind: SegmentKind
    billed: bool

    @property
    def seconds(self) -> int:
        """Its length in seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Lump:
    """The seconds of a resumed gap, all billed at the instant of resuming (rule 15)."""

    at: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Billing:
    """What is billed within one period: spans [start, end) in order, and lumps."""

    spans: tuple[tuple[int, int], ...]
    lumps: tuple[Lump, ...]

    @property
    def seconds(self) -> int:
        """Billed seconds, spans and lumps together, before the multiplier."""
        return sum(end - start for start, end in self.spans) + sum(
            lump.seconds for lump in self.lumps
        )


@dataclass(frozen=True, slots=True)
class GoingOn:
    """How a session goes on from an instant if it stays active, or becomes so again.

    `gap` is the open idle gap in seconds, which a resume would bill; None while it is active.
    `ends_at` is the end that then still holds: a known fact's or the longest length's.
    """

    gap: int | None
    ends_at: int | None


@dataclass(frozen=True, slots=True)
class Moment:
    """A session as it is at one instant.

    `seconds_until_idle` is given while active, `seconds_until_end` until the end; both
    tell what the clock alone will do if nothing more happens. The first may be the longer
    one, where the longest session cuts the activity short. All sums run up to the instant
    asked for or the end, whichever is first.
    """

    state: State
    end_reason: EndReason | None
    ended_at: int | None
    idle_since: int | None
    first_active_at: int | None
    last_activity_at: int | None
    seconds_until_idle: int | None
    seconds_until_end: int | None
    elapsed_seconds: int
    active_seconds: int
    idle_seconds: int
    billed_seconds: int
    prompt: Prompt | None


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a report or an answer does, and the facts after it.

    `facts` are the same object where nothing changes. `closed` is the stretch that a
    resume closes, `lump_seconds` the gap that it bills. `end` says how the session
    ended where that is why it is refused.
    """

    kind: ReactionKind
    facts: Facts
    closed: Stretch | None = None
    lump_seconds: int = 0
    end: EndFact | None = None
