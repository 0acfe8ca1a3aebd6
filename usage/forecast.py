"""When compute time runs out if everything goes on as it does (product.md rule 19, notices).

The instant is the earliest that the facts allow: sessions that bill now stay active, and open idle
gaps are resumed, which bills them whole. Whenever that is, a gap and what follows it come to the
same sum; but where a pool expires or a period begins in between, a later resume is worse, since it
no longer draws from what is gone. So each such instant is tried. What starts anew is not in it.

Draw-down itself does the sweep (`usage.drawdown`), so that both know one set of rules. Who shares
an end is one session to it: the sums don't depend on how the seconds are split. Times are
compute-seconds, instants are POSIX seconds, UTC.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from usage.changes import (
    CapChanged,
    Change,
    GivenBack,
    LimitChanged,
    PeriodBoundary,
    PoolAdded,
)
from usage.drawdown import draw
from usage.pools import Book, Cap, OnDemand, OnDemandMode, left
from usage.rates import RateTable
from usage.tally import Metered

ANYBODY = "anybody"


@dataclass(frozen=True, slots=True)
class Onward:
    """How a session goes on from an instant if it stays active.

    `gap` are the wall seconds of its open idle gap, which a resume would bill; None is active now.
    `ends_at` is an end that is known already, such as its longest length; None is open.
    """

    multiplier: int
    gap: int | None = None
    ends_at: int | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """`spent_at`: from when on nothing is left for a start; `ends_at`: sessions end for it.

    They differ where running sessions may finish. None lies beyond the window. `by_limit`: the
    one that comes last is the instant at which a lower limit takes effect.
    """

    spent_at: int | None = None
    ends_at: int | None = None
    by_limit: bool = False


NOTHING_AHEAD = Forecast()


def forecast(
    book: Book, changes: Iterable[Change], sessions: Sequence[Onward], at: int, until: int
) -> Forecast:
    """Look ahead over [at, until) from `book`, which holds what is true at `at`.

    `changes` are those that are known to come. Caps are left out: `forecast_cap` looks for each.
    """
    book = replace(book, caps=())
    coming = [change for change in changes if not isinstance(change, CapChanged)]
    coming = [change for change in coming if at <= change.at < until]
    if not coming and _lasts(book, sessions, at, until):
        return NOTHING_AHEAD
    hard, lets = _without_finishing(book, coming)
    spent_at = _earliest(hard[0], hard[1], sessions, at, until)
    ends_at = _earliest(book, coming, sessions, at, until) if lets else spent_at
    last = spent_at if ends_at is None else ends_at
    by_limit = any(isinstance(change, LimitChanged) and change.at == last for change in coming)
    return Forecast(spent_at, ends_at, by_limit)


def forecast_cap(
    cap: Cap, changes: Iterable[Change], sessions: Sequence[Onward], at: int, until: int
) -> Forecast:
    """When the sessions under the cap, which `sessions` are, end if the organization pays on.

    A cap counts every source alike, so what pays doesn't matter: it is as if all were free.
    """
    coming = [change for change in changes if isinstance(change, CapChanged | PeriodBoundary)]
    coming = [change for change in coming if at <= change.at < until]
    if not coming and _cap_lasts(cap, sessions, at, until):
        return NOTHING_AHEAD
    book = Book((), OnDemand(OnDemandMode.UNLIMITED), (cap,), RateTable(((0, 0),)))
    ends_at = _earliest(book, coming, sessions, at, until)
    by_limit = any(isinstance(change, CapChanged) and change.at == ends_at for change in coming)
    return Forecast(ends_at, ends_at, by_limit)


def _cap_lasts(cap: Cap, sessions: Sequence[Onward], at: int, until: int) -> bool:
    return cap.limit is None or cap.limit - cap.used > _most(sessions, at, until)


def _most(sessions: Sequence[Onward], at: int, until: int) -> int:
    """Compute-seconds that nobody can go beyond within the window."""
    return sum(one.multiplier * ((one.gap or 0) + until - at) for one in sessions)


def _lasts(book: Book, sessions: Sequence[Onward], at: int, until: int) -> bool:
    """Is there plainly enough? Then nothing need be swept, which is nearly always so."""
    if any(at < start < until for start, _rate in book.rates.rates):
        return False
    there = left(book, at)
    if there is None:
        return True
    if any(pool.left and at <= pool.expires_at < until for pool in book.pools):
        return False
    return there > _most(sessions, at, until)


def _earliest(
    book: Book, changes: Sequence[Change], sessions: Sequence[Onward], at: int, until: int
) -> int | None:
    """The first instant at which nothing is left, whenever open gaps are resumed."""
    found = []
    caps = tuple(cap.id for cap in book.caps)
    for resumed in _resumes(book, changes, sessions, at, until):
        metered = [replace(one, caps=caps) for one in _together(sessions, at, until, resumed)]
        end = draw(book, changes, metered, at, until).ends.get(ANYBODY)
        if end is not None:
            found.append(end.at)
            until = min(until, end.at + 1)
    return min(found, default=None)


def _resumes(
    book: Book, changes: Sequence[Change], sessions: Sequence[Onward], at: int, until: int
) -> list[int]:
    """`at`, and where gaps are open each later instant at which the book changes by itself."""
    if all(one.gap is None for one in sessions):
        return [at]
    brought = [change.pool for change in changes if isinstance(change, PoolAdded | GivenBack)]
    instants = {pool.expires_at for pool in (*book.pools, *brought)}
    instants.update(change.at for change in changes)
    instants.update(start for start, _rate in book.rates.rates)
    return [at, *sorted(instant for instant in instants if at < instant < until)]


def _together(sessions: Sequence[Onward], at: int, until: int, resumed: int) -> list[Metered]:
    """One session for all that run alike, one for all gaps, and anybody who just waits."""
    spans: dict[tuple[int, int], int] = defaultdict(int)
    gaps = 0
    for one in sessions:
        begins = at if one.gap is None else resumed
        end = until if one.ends_at is None else min(one.ends_at, until)
        if begins >= end:
            continue
        spans[begins, end] += one.multiplier
        if one.gap is not None:
            gaps += (one.gap + resumed - at) * one.multiplier
    order = (at - 1, 0)
    found = [Metered(ANYBODY, order, 1)]
    if gaps:
        found.append(Metered("gaps", order, 1, lumps=((resumed, gaps),)))
    found += [
        Metered(f"{begins}-{end}", order, multiplier, spans=((begins, end),))
        for (begins, end), multiplier in spans.items()
    ]
    return found


def _without_finishing(
    book: Book, changes: Sequence[Change]
) -> tuple[tuple[Book, list[Change]], bool]:
    """The same as if no session might run past the limit, and whether any may."""
    on_demand = replace(book.on_demand, let_finish=False)
    hard = [
        replace(change, let_finish=False) if isinstance(change, LimitChanged) else change
        for change in changes
    ]
    lets = book.on_demand.let_finish or any(
        isinstance(change, LimitChanged) and change.let_finish for change in changes
    )
    return (replace(book, on_demand=on_demand), hard), lets
