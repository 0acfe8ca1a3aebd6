"""An organization's allowance as values: pools of time, on-demand, caps (product.md rules 16-19).

Times are compute-seconds, money is micro-dollars, instants are POSIX seconds, UTC.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from usage.rates import RateTable, payable


class Source(StrEnum):
    """Who pays, in the order of draw-down (product.md rule 18)."""

    COMMITTED = "committed"
    TOP_UP = "top_up"
    ON_DEMAND = "on_demand"
    OVER_LIMIT = "over_limit"


class OnDemandMode(StrEnum):
    """Whether time beyond the pools may be used (product.md rule 19)."""

    OFF = "off"
    LIMITED = "limited"
    UNLIMITED = "unlimited"


@dataclass(frozen=True, slots=True)
class Pool:
    """Time paid for or given ahead: usable in [starts_at, expires_at), `left` compute-seconds.

    `order` is the order of purchase among pools that expire together.
    """

    id: str
    source: Source
    left: int
    starts_at: int
    expires_at: int
    order: int

    def __post_init__(self) -> None:
        if self.source not in (Source.COMMITTED, Source.TOP_UP):
            raise ValueError(f"Pool {self.id} is committed time or a top-up, not {self.source}.")
        if self.left < 0:
            raise ValueError(f"Pool {self.id} can't be below zero.")

    def is_open(self, at: int) -> bool:
        return self.starts_at <= at < self.expires_at

    @property
    def turn(self) -> tuple[bool, int, int, str]:
        """Sorts pools into the order of draw-down (product.md rule 18)."""
        return (self.source is not Source.COMMITTED, self.expires_at, self.order, self.id)


@dataclass(frozen=True, slots=True)
class OnDemand:
    """The setting, and what the period has used of it: on-demand and over the limit together."""

    mode: OnDemandMode
    limit: int | None = None  # micro-dollars of the period; only with LIMITED
    used: int = 0  # micro-dollars
    let_finish: bool = False

    def __post_init__(self) -> None:
        if self.mode is OnDemandMode.LIMITED and (self.limit is None or self.limit < 0):
            raise ValueError("Limited on-demand needs a limit of zero or more micro-dollars.")

    @property
    def is_on(self) -> bool:
        """Limited to 0 behaves as off, with letting finish too (product.md rule 19)."""
        if self.mode is OnDemandMode.LIMITED:
            return self.limit != 0
        return self.mode is OnDemandMode.UNLIMITED

    def payable(self, rate: int) -> int | None:
        """Compute-seconds within the limit; None is without a bound. Asked only where it is on."""
        limit = self.limit if self.mode is OnDemandMode.LIMITED else None
        return payable(limit, self.used, rate)


@dataclass(frozen=True, slots=True)
class Cap:
    """The most that the sessions under it may use of a period, from every source.

    `limit` None only counts: a cap that is set later in the period counts from its start.
    """

    id: str
    limit: int | None  # compute-seconds
    used: int  # compute-seconds, paid ones


@dataclass(frozen=True, slots=True)
class Book:
    """What is true at an instant, before anything that happens at it."""

    pools: tuple[Pool, ...]
    on_demand: OnDemand
    caps: tuple[Cap, ...]
    rates: RateTable


@dataclass(frozen=True, slots=True)
class Payer:
    """One source that can pay now: how many compute-seconds (None: any number) and at what rate."""

    source: Source
    room: int | None
    rate: int
    pool: str | None


def in_turn(pools: Iterable[Pool]) -> list[Pool]:
    """Pools in the order of draw-down."""
    return sorted(pools, key=lambda pool: pool.turn)


def payers(
    pools: Iterable[Pool], on_demand: OnDemand, rates: RateTable, at: int
) -> Iterator[Payer]:
    """Who can pay at least one compute-second at the instant, in the order of draw-down.

    `pools` come in turn. On-demand pays up to its limit and then, where running sessions may
    finish, over it.
    """
    for pool in pools:
        if pool.left and pool.is_open(at):
            yield Payer(pool.source, pool.left, 0, pool.id)
    if not on_demand.is_on:
        return
    rate = rates.rate_at(at)
    room = on_demand.payable(rate)
    if room != 0:
        yield Payer(Source.ON_DEMAND, room, rate, None)
    if room is not None and on_demand.let_finish:
        yield Payer(Source.OVER_LIMIT, None, rate, None)


def left(book: Book, at: int) -> int | None:
    """Compute-seconds that can still be paid, or None without a bound (product.md rule 19).

    What runs past the limit to its end is not left: it never lets a session start.
    """
    total = 0
    for payer in payers(in_turn(book.pools), book.on_demand, book.rates, at):
        if payer.source is Source.OVER_LIMIT:
            break
        if payer.room is None:
            return None
        total += payer.room
    return total


def affordable_seconds(
    book: Book, at: int, multiplier: int, caps: Collection[str] = ()
) -> int | None:
    """Whole wall seconds that one engine can run, within the caps named; None without a bound."""
    bounds = [left(book, at)]
    bounds += [
        max(0, cap.limit - cap.used)
        for cap in book.caps
        if cap.id in caps and cap.limit is not None
    ]
    least = min((bound for bound in bounds if bound is not None), default=None)
    return None if least is None else least // multiplier
