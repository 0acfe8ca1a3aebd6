"""An allowance while it is drawn down: the same facts as a `Book`, in a form that changes.

Times are compute-seconds, money is micro-dollars, instants are POSIX seconds, UTC.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from usage.changes import CapChanged, Change, GivenBack, LimitChanged, PeriodBoundary, PoolAdded
from usage.pools import Book, Cap, OnDemand, Payer, Pool, Source, in_turn, payers


@dataclass(frozen=True, slots=True)
class Payment:
    """Compute-seconds that one source paid, at micro-dollars each (0: paid ahead)."""

    source: Source
    compute_seconds: int
    rate: int


class Caps:
    """Counts what each cap's sessions use. Only paid compute-seconds count."""

    def __init__(self, caps: Iterable[Cap]) -> None:
        self._limit: dict[str, int | None] = {}
        self._used: dict[str, int] = {}
        self.spent: set[str] = set()
        for cap in caps:
            self._used[cap.id] = cap.used
            self._limit[cap.id] = cap.limit
            self._mark(cap.id)

    def _mark(self, cap: str) -> None:
        self.spent.discard(cap)
        limit = self._limit[cap]
        if limit is not None and self._used[cap] >= limit:
            self.spent.add(cap)

    def must_know(self, cap: str) -> None:
        if cap not in self._limit:
            raise ValueError(f"Cap {cap} is not in the book, so what it has used is not known.")

    def set_limit(self, cap: str, limit: int | None) -> None:
        self.must_know(cap)
        self._limit[cap] = limit
        self._mark(cap)

    def begin_period(self) -> None:
        for cap in self._used:
            self._used[cap] = 0
            self._mark(cap)

    def use(self, cap: str, compute_seconds: int) -> None:
        self._used[cap] += compute_seconds
        self._mark(cap)

    def left(self, cap: str) -> int | None:
        limit = self._limit[cap]
        return None if limit is None else max(0, limit - self._used[cap])

    def within(self, wanted: int, caps: Iterable[str]) -> int:
        """As much of `wanted` as the tightest of the caps has left."""
        rooms = [left for cap in caps if (left := self.left(cap)) is not None]
        return min([wanted, *rooms])

    def tightest_spent(self, caps: Iterable[str]) -> str:
        """Of several that are used up the smallest limit is named, then the first identifier."""
        return min((self._limit[cap] or 0, cap) for cap in caps if cap in self.spent)[1]

    def values(self) -> tuple[Cap, ...]:
        return tuple(Cap(cap, self._limit[cap], used) for cap, used in self._used.items())


class Purse:
    """What pays, in the order of draw-down (product.md rule 18)."""

    def __init__(self, book: Book) -> None:
        self._pools = {pool.id: pool for pool in in_turn(book.pools)}
        self._on_demand = book.on_demand
        self._rates = book.rates
        self.caps = Caps(book.caps)
        self.drawn: dict[str, int] = {}

    def apply(self, change: Change) -> None:
        match change:
            case PeriodBoundary():
                self._on_demand = replace(self._on_demand, used=0)
                self.caps.begin_period()
            case PoolAdded() | GivenBack():
                self._add(change.pool)
            case LimitChanged():
                self._on_demand = OnDemand(
                    change.mode, change.limit, self._on_demand.used, change.let_finish
                )
            case CapChanged():
                self.caps.set_limit(change.cap, change.limit)

    def _add(self, added: Pool) -> None:
        if added.id in self._pools:
            raise ValueError(f"Pool {added.id} is in the book already.")
        self._pools = {pool.id: pool for pool in in_turn([*self._pools.values(), added])}

    def _payers(self, at: int) -> Iterator[Payer]:
        return payers(self._pools.values(), self._on_demand, self._rates, at)

    def next_payer(self, at: int) -> Payer | None:
        """Who pays the next compute-second; None is exhausted (product.md rule 19)."""
        return next(self._payers(at), None)

    def take(self, at: int, wanted: int) -> list[Payment]:
        """Draw `wanted` compute-seconds at the instant, or as many as can be paid."""
        payments: list[Payment] = []
        for payer in list(self._payers(at)):
            if not wanted:
                break
            taken = wanted if payer.room is None else min(wanted, payer.room)
            self._draw(payer, taken)
            payments.append(Payment(payer.source, taken, payer.rate))
            wanted -= taken
        return payments

    def _draw(self, payer: Payer, taken: int) -> None:
        if payer.pool is None:
            used = self._on_demand.used + taken * payer.rate
            self._on_demand = replace(self._on_demand, used=used)
            return
        pool = self._pools[payer.pool]
        self._pools[pool.id] = replace(pool, left=pool.left - taken)
        self.drawn[pool.id] = self.drawn.get(pool.id, 0) + taken

    def book(self, at: int) -> Book:
        """What is true at the instant, before what happens at it: what expires there still is."""
        pools = tuple(pool for pool in self._pools.values() if pool.expires_at >= at)
        return Book(pools, self._on_demand, self.caps.values(), self._rates)
