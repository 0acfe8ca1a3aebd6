"""What each session used: ledger lines while they grow (product.md rules 15 and 17).

Sessions that run side by side through a stretch each use the same number of wall seconds of it, so
a stretch is counted once, for all, and each session's share is the difference between two readings
of that count. A stretch then costs the same with one session as with a thousand.
"""

from collections import defaultdict
from dataclasses import dataclass

from offload_portal.common.periods import QUARTER, hour_of, quarter_of
from usage.pools import Source
from usage.purse import Payment


@dataclass(frozen=True, slots=True)
class Metered:
    """One session as the meter sees it. Instants are POSIX seconds, UTC.

    `order` is (started at, order of recording). `spans` are its billed stretches, half-open, in
    order of time; `lumps` are (instant of resuming, wall seconds of the gap). `caps` are the
    identifiers of the caps it is under. `ended_at` is an end of its own or one written down
    earlier; None is open.
    """

    id: str
    order: tuple[int, int]
    multiplier: int
    spans: tuple[tuple[int, int], ...] = ()
    lumps: tuple[tuple[int, int], ...] = ()
    caps: tuple[str, ...] = ()
    ended_at: int | None = None

    def __post_init__(self) -> None:
        if self.multiplier < 1:
            raise ValueError(f"Session {self.id} needs a multiplier of at least 1.")
        if len(set(self.caps)) != len(self.caps):
            raise ValueError(f"Session {self.id} names a cap twice, which would count twice.")
        bounds = [bound for span in self.spans for bound in span]
        if bounds != sorted(bounds):
            raise ValueError(f"The spans of session {self.id} overlap, which would bill twice.")

    @property
    def started_at(self) -> int:
        return self.order[0]

    def is_over(self, at: int) -> bool:
        """Has it an end at or before the instant?"""
        return self.ended_at is not None and self.ended_at <= at


@dataclass(frozen=True, slots=True)
class Line:
    """What a session used in one UTC hour from one source (product.md rule 17).

    `seconds` are wall seconds and hold `lump_seconds`. `rate` is micro-dollars per compute-second,
    0 where time was paid ahead, and `cost` is always `compute_seconds * rate`. `quarters` are the
    (wall seconds, compute-seconds) of the hour's four quarters: zones begin their days on them.
    """

    session: str
    hour: int
    source: Source
    seconds: int
    lump_seconds: int
    compute_seconds: int
    rate: int
    cost: int
    quarters: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Unpaid:
    """Billed time that nothing could pay: wall seconds wholly unpaid, and compute-seconds."""

    seconds: int
    compute_seconds: int


@dataclass(slots=True)
class _Sums:
    rate: int
    seconds: int = 0
    lump_seconds: int = 0
    compute_seconds: int = 0


class Tally:
    """The sessions that run, and what each one has used."""

    def __init__(self) -> None:
        self.running: dict[str, Metered] = {}
        self.multiplier = 0  # of all that run, together
        self.cap_multipliers: dict[str, int] = {}  # of those that run under each cap
        self.unpaid: dict[str, Unpaid] = {}
        self._lines: dict[tuple[int, str, Source], dict[int, _Sums]] = defaultdict(dict)
        # Seconds that all who run have used from a source since the tally began, and, for each
        # session, what that count was when it joined or was last written down.
        self._passed: dict[Source, int] = {}
        self._rates: dict[Source, int] = {}
        self._joined: dict[str, dict[Source, int]] = {}

    def join(self, session: Metered) -> None:
        self.running[session.id] = session
        self._joined[session.id] = dict(self._passed)
        self._count(session, session.multiplier)

    def leave(self, session: Metered, quarter: int) -> None:
        """It runs no longer; what it used of `quarter` is written down."""
        self._write(session, quarter)
        del self.running[session.id], self._joined[session.id]
        self._count(session, -session.multiplier)

    def _count(self, session: Metered, multiplier: int) -> None:
        self.multiplier += multiplier
        for cap in session.caps:
            total = self.cap_multipliers.get(cap, 0) + multiplier
            if total:
                self.cap_multipliers[cap] = total
            else:
                del self.cap_multipliers[cap]

    def run(self, source: Source, rate: int, seconds: int) -> None:
        """All who run use whole wall seconds of one source, within one quarter."""
        self._passed[source] = self._passed.get(source, 0) + seconds
        self._rates[source] = rate

    def close_quarter(self, quarter: int) -> None:
        for session in self.running.values():
            self._write(session, quarter)

    def _write(self, session: Metered, quarter: int) -> None:
        before = self._joined[session.id]
        for source, passed in self._passed.items():
            seconds = passed - before.get(source, 0)
            if seconds:
                compute_seconds = seconds * session.multiplier
                payment = Payment(source, compute_seconds, self._rates[source])
                self._add(session, quarter, payment, seconds, 0)
        self._joined[session.id] = dict(self._passed)

    def pay(
        self, session: Metered, at: int, seconds: int, payments: list[Payment], *, is_lump: bool
    ) -> None:
        """A session's wall seconds at one instant, paid piece by piece as far as it went.

        A wall second belongs to the source that pays its first compute-second; one of which
        nothing is paid is unpaid.
        """
        paid, walls = 0, 0
        for payment in payments:
            paid += payment.compute_seconds
            begun = -(-paid // session.multiplier)
            wall = begun - walls
            self._add(session, quarter_of(at), payment, wall, wall if is_lump else 0)
            walls = begun
        rest = seconds * session.multiplier - paid
        if rest:
            before = self.unpaid.get(session.id, Unpaid(0, 0))
            self.unpaid[session.id] = Unpaid(
                before.seconds + seconds - walls, before.compute_seconds + rest
            )

    def _add(self, session: Metered, quarter: int, payment: Payment, wall: int, lump: int) -> None:
        quarters = self._lines[hour_of(quarter), session.id, payment.source]
        sums = quarters.setdefault(quarter, _Sums(payment.rate))
        sums.seconds += wall
        sums.lump_seconds += lump
        sums.compute_seconds += payment.compute_seconds

    def lines(self) -> tuple[Line, ...]:
        """In order of hour, session and source."""
        return tuple(
            _line(session, hour, source, quarters)
            for (hour, session, source), quarters in sorted(self._lines.items())
        )


def _line(session: str, hour: int, source: Source, quarters: dict[int, _Sums]) -> Line:
    """Rates hold from a midnight, so an hour has one."""
    rate = next(iter(quarters.values())).rate
    compute_seconds = sum(one.compute_seconds for one in quarters.values())
    nothing = _Sums(rate)
    parts = [quarters.get(at, nothing) for at in range(hour, hour + 4 * QUARTER, QUARTER)]
    return Line(
        session,
        hour,
        source,
        sum(one.seconds for one in quarters.values()),
        sum(one.lump_seconds for one in quarters.values()),
        compute_seconds,
        rate,
        compute_seconds * rate,
        tuple((one.seconds, one.compute_seconds) for one in parts),
    )
