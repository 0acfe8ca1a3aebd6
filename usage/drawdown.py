"""Draw-down: who pays for what, to the second (product.md rules 15 to 19).

`draw` sweeps the half-open window [since, until) in order of time across all of an organization's
sessions. It reads no clock: what it answers follows from its arguments alone, and windows that
follow each other give what one window over them gives. Instants are POSIX seconds, UTC; at one
instant come, in this order: period boundary and expiries, changes of the allowance, time given
back, lumps, the check for exhaustion, starts, then the second itself.

Nothing walks through long stretches. Between two instants at which something happens the same
sessions run, so whole seconds that one source and every cap can pay are drawn at once; only a
second in which something runs out is walked, session by session.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from offload_portal.common.periods import QUARTER, quarter_of
from usage.changes import (
    CapChanged,
    Change,
    GivenBack,
    LimitChanged,
    PeriodBoundary,
    PoolAdded,
    turn,
)
from usage.pools import (
    Book,
    Cap,
    OnDemand,
    OnDemandMode,
    Pool,
    Source,
    affordable_seconds,
    left,
)
from usage.purse import Purse
from usage.tally import Line, Metered, Tally, Unpaid

__all__ = [
    "Book",
    "Cap",
    "CapChanged",
    "Change",
    "Drawn",
    "EndReason",
    "Ended",
    "GivenBack",
    "LimitChanged",
    "Line",
    "Metered",
    "OnDemand",
    "OnDemandMode",
    "PeriodBoundary",
    "Pool",
    "PoolAdded",
    "Source",
    "Unpaid",
    "affordable_seconds",
    "draw",
    "left",
]


class EndReason(StrEnum):
    """Why the draw-down ends a session (product.md rule 11)."""

    ALLOWANCE_EXHAUSTED = "allowance_exhausted"
    CAP_REACHED = "cap_reached"


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a session: its instant and, with `cap_reached`, the tightest cap."""

    at: int
    reason: EndReason
    cap: str | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a window came to.

    `lines` hold what it adds to the ledger and `pool_draws` the compute-seconds drawn from each
    pool. `book` is what is true at its end, before what happens there. `unpaid` and `ends` are by
    session. `paying` is who paid last and since when (on demand: over the limit too).
    """

    lines: tuple[Line, ...]
    book: Book
    unpaid: dict[str, Unpaid]
    ends: dict[str, Ended]
    pool_draws: dict[str, int]
    paying: tuple[Source, int] | None = None

    @property
    def exhausted_at(self) -> tuple[int, ...]:
        """The instants at which sessions ended because nothing was left to pay them."""
        reason = EndReason.ALLOWANCE_EXHAUSTED
        return tuple(sorted({end.at for end in self.ends.values() if end.reason is reason}))


def draw(
    book: Book, changes: Iterable[Change], sessions: Iterable[Metered], since: int, until: int
) -> Drawn:
    """Draw the window [since, until) down from `book`, which holds what is true at `since`.

    `changes` and `sessions` may reach beyond the window; only what lies in it counts. Sessions
    that haven't ended are passed even when they bill nothing, since exhaustion ends them too. A
    session that an earlier window ended is passed with `ended_at`.
    """
    if until < since:
        raise ValueError(f"A window can't end at {until}, before its start {since}.")
    sweep = _Sweep(book, changes, sessions, since, until)
    sweep.run()
    return Drawn(
        lines=sweep.tally.lines(),
        book=sweep.purse.book(until),
        unpaid=sweep.tally.unpaid,
        ends=sweep.ends,
        pool_draws=sweep.purse.drawn,
        paying=sweep.paying,
    )


class _Sweep:
    def __init__(
        self,
        book: Book,
        changes: Iterable[Change],
        sessions: Iterable[Metered],
        since: int,
        until: int,
    ) -> None:
        self.since, self.until = since, until
        self.purse = Purse(book)
        self.tally = Tally()
        self.ends: dict[str, Ended] = {}
        self.paying: tuple[Source, int] | None = None
        self._changes: dict[int, list[Change]] = defaultdict(list)
        self._lumps: dict[int, list[tuple[Metered, int]]] = defaultdict(list)
        self._joins: dict[int, list[Metered]] = defaultdict(list)
        self._leaves: dict[int, list[Metered]] = defaultdict(list)
        self._open: dict[str, Metered] = {}
        self._under: dict[str, list[Metered]] = defaultdict(list)
        for change in sorted(changes, key=turn):
            if since <= change.at < until:
                self._changes[change.at].append(change)
        for session in sorted(sessions, key=lambda session: (session.order, session.id)):
            self._schedule(session)
        self._instants = sorted(self._all_instants(book))

    def _schedule(self, session: Metered) -> None:
        """Note what a session does in the window. Nothing after its own end counts.

        A gap may be resumed in the very second of the end, before it, so a lump there counts.
        """
        self._open[session.id] = session
        for cap in session.caps:
            self.purse.caps.must_know(cap)
            self._under[cap].append(session)
        end = self.until if session.ended_at is None else min(session.ended_at, self.until)
        for begins, ends in session.spans:
            begins, ends = max(begins, self.since), min(ends, end)
            if begins < ends:
                self._joins[begins].append(session)
                self._leaves[ends].append(session)
        for at, seconds in session.lumps:
            if self.since <= at < self.until and at <= end:
                self._lumps[at].append((session, seconds))

    def _all_instants(self, book: Book) -> set[int]:
        """When anything can change: in between the same sessions run at the same rate."""
        instants = {self.since, *self._changes, *self._lumps, *self._joins, *self._leaves}
        instants.update(range(quarter_of(self.since) + QUARTER, self.until, QUARTER))
        changes = chain.from_iterable(self._changes.values())
        for pool in chain(book.pools, _brought(changes)):
            instants.update((pool.starts_at, pool.expires_at))
        return instants

    def run(self) -> None:
        at = self.since
        while at < self.until:
            self._leave(at)
            for change in self._changes.get(at, ()):
                self.purse.apply(change)
            self._draw_lumps(at)
            recheck = self._check(at)
            self._start(at)
            at = self._draw(at, min(self._next(at), recheck))
        self.tally.close_quarter(quarter_of(self.until - 1))

    def _next(self, at: int) -> int:
        place = bisect_right(self._instants, at)
        return min(self._instants[place], self.until) if place < len(self._instants) else self.until

    def _leave(self, at: int) -> None:
        for session in self._leaves.get(at, ()):
            self._stop(session, at)

    def _stop(self, session: Metered, at: int) -> None:
        if session.id in self.tally.running:
            # On the quarter its use was written down already, so `at` names the one that is open.
            self.tally.leave(session, quarter_of(at))

    def _start(self, at: int) -> None:
        for session in self._joins.get(at, ()):
            if session.id in self._open:
                self.tally.join(session)

    def _draw_lumps(self, at: int) -> None:
        """A resumed gap is drawn whole at its instant, before the check (product.md rule 15)."""
        for session, seconds in self._lumps.get(at, ()):
            if session.id in self._open:
                self._pay(session, at, seconds, is_lump=True)

    def _check(self, at: int) -> int:
        """End whom nothing can pay; answer when to look again for those who start only now.

        The organization comes before caps: when both are used up, `allowance_exhausted` it is.
        """
        again = self.until
        if self.purse.next_payer(at) is None:
            again = self._end(list(self._open.values()), at, None)
        for cap in sorted(self.purse.caps.spent & self._under.keys()):
            staying = [session for session in self._under[cap] if session.id in self._open]
            again = min(again, self._end(staying, at, cap))
            self._under[cap] = [session for session in staying if session.id in self._open]
        return again

    def _end(self, sessions: Iterable[Metered], at: int, cap: str | None) -> int:
        """End those that started before the instant and have no end of their own by then."""
        again = self.until
        for session in sessions:
            if session.started_at >= at:
                again = min(again, session.started_at + 1)
                continue
            del self._open[session.id]
            if not session.is_over(at):
                self._stop(session, at)
                self.ends[session.id] = self._ended(session, at, cap)
        return again

    def _ended(self, session: Metered, at: int, cap: str | None) -> Ended:
        if cap is None:
            return Ended(at, EndReason.ALLOWANCE_EXHAUSTED)
        tightest = self.purse.caps.tightest_spent(session.caps)
        return Ended(at, EndReason.CAP_REACHED, tightest)

    def _draw(self, at: int, bound: int) -> int:
        """Draw from the instant on, at most to `bound`, up to where something runs out."""
        seconds = self._whole_seconds(at, bound - at)
        if seconds:
            self._run(at, seconds)
        else:
            seconds = 1
            self._walk(at)
        at += seconds
        if at % QUARTER == 0:
            self.tally.close_quarter(at - QUARTER)
        return at

    def _whole_seconds(self, at: int, most: int) -> int:
        """How many whole seconds of all who run one source and every cap can pay; 0 is none."""
        if not self.tally.running:
            return most
        payer = self.purse.next_payer(at)
        if payer is None:
            return 0
        if payer.room is not None:
            most = min(most, payer.room // self.tally.multiplier)
        for cap, multiplier in self.tally.cap_multipliers.items():
            room = self.purse.caps.left(cap)
            if room is not None:
                most = min(most, room // multiplier)
        return most

    def _run(self, at: int, seconds: int) -> None:
        for payment in self.purse.take(at, seconds * self.tally.multiplier):
            self.tally.run(payment.source, payment.rate, seconds)
            self._note(payment.source, at)
        for cap, multiplier in self.tally.cap_multipliers.items():
            self.purse.caps.use(cap, seconds * multiplier)

    def _walk(self, at: int) -> None:
        """One second in which something runs out: as far as it goes, in the order of sessions."""
        for session in sorted(self.tally.running.values(), key=lambda one: (one.order, one.id)):
            self._pay(session, at, 1, is_lump=False)

    def _pay(self, session: Metered, at: int, seconds: int, *, is_lump: bool) -> None:
        wanted = self.purse.caps.within(seconds * session.multiplier, session.caps)
        payments = self.purse.take(at, wanted)
        for cap in session.caps:
            self.purse.caps.use(cap, sum(payment.compute_seconds for payment in payments))
        self.tally.pay(session, at, seconds, payments, is_lump=is_lump)
        for payment in payments:
            self._note(payment.source, at)

    def _note(self, source: Source, at: int) -> None:
        """Time beyond the limit goes on from on-demand: it is paid in the same way."""
        source = Source.ON_DEMAND if source is Source.OVER_LIMIT else source
        if self.paying is None or self.paying[0] is not source:
            self.paying = (source, at)


def _brought(changes: Iterable[Change]) -> Iterator[Pool]:
    """The pools that changes bring."""
    for change in changes:
        if isinstance(change, PoolAdded | GivenBack):
            yield change.pool
