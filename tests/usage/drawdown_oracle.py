"""Draw-down as plainly as it can be said: one second after another, one compute-second at a time.

It shares the shapes of what goes in with `usage.drawdown` and nothing of how it works. It is slow
on purpose: whoever doubts a rule reads it here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from usage.changes import CapChanged, Change, GivenBack, LimitChanged, PeriodBoundary, PoolAdded
from usage.pools import Book, OnDemandMode, Pool, Source
from usage.tally import Metered

K = TypeVar("K")
Key = tuple[str, int, str]  # session, start of the UTC hour, source


@dataclass
class Walked:
    """What the walk came to, and, while it goes on, where it is."""

    pools: dict[str, Pool]
    left: dict[str, int]
    mode: OnDemandMode
    limit: int | None
    let_finish: bool
    used: int
    cap_limit: dict[str, int | None]
    cap_used: dict[str, int]
    rates: tuple[tuple[int, int], ...]
    seconds: dict[Key, int] = field(default_factory=dict)
    lump_seconds: dict[Key, int] = field(default_factory=dict)
    compute_seconds: dict[Key, int] = field(default_factory=dict)
    cost: dict[Key, int] = field(default_factory=dict)
    unpaid_seconds: dict[str, int] = field(default_factory=dict)
    unpaid_compute_seconds: dict[str, int] = field(default_factory=dict)
    draws: dict[str, int] = field(default_factory=dict)
    ends: dict[str, tuple[int, str, str | None]] = field(default_factory=dict)


def add(counts: dict[K, int], key: K, number: int) -> None:
    counts[key] = counts.get(key, 0) + number


def opened(book: Book) -> Walked:
    return Walked(
        pools={pool.id: pool for pool in book.pools},
        left={pool.id: pool.left for pool in book.pools},
        mode=book.on_demand.mode,
        limit=book.on_demand.limit,
        let_finish=book.on_demand.let_finish,
        used=book.on_demand.used,
        cap_limit={cap.id: cap.limit for cap in book.caps},
        cap_used={cap.id: cap.used for cap in book.caps},
        rates=book.rates.rates,
    )


def walk(
    book: Book, changes: Iterable[Change], sessions: Iterable[Metered], since: int, until: int
) -> Walked:
    world = opened(book)
    recorded = sorted(changes, key=lambda change: change.order)
    in_order = sorted(sessions, key=lambda session: (session.order, session.id))
    for now in range(since, until):
        facts(world, [change for change in recorded if change.at == now])
        for session in in_order:
            gaps(world, session, now)
        check(world, in_order, now)
        for session in in_order:
            runs = any(begins <= now < ends for begins, ends in session.spans)
            if runs and counts(world, session, now, lump=False):
                second(world, session, now, lump=False)
    for pool in list(world.pools.values()):
        if pool.expires_at < until:
            del world.pools[pool.id], world.left[pool.id]
    return world


def facts(world: Walked, happening: list[Change]) -> None:
    """A boundary first, then changes as they were recorded, then time given back."""
    for change in happening:
        if isinstance(change, PeriodBoundary):
            world.used = 0
            world.cap_used = dict.fromkeys(world.cap_used, 0)
    for change in happening:
        if not isinstance(change, GivenBack):
            allow(world, change)
    for change in happening:
        if isinstance(change, GivenBack):
            allow(world, change)


def gaps(world: Walked, session: Metered, now: int) -> None:
    for at, gap in session.lumps:
        if at == now and counts(world, session, now, lump=True):
            for _ in range(gap):
                second(world, session, now, lump=True)


def allow(world: Walked, change: Change) -> None:
    if isinstance(change, PoolAdded | GivenBack):
        world.pools[change.pool.id] = change.pool
        world.left[change.pool.id] = change.pool.left
    if isinstance(change, LimitChanged):
        world.mode = change.mode
        world.limit = change.limit
        world.let_finish = change.let_finish
    if isinstance(change, CapChanged):
        world.cap_limit[change.cap] = change.limit


def counts(world: Walked, session: Metered, now: int, *, lump: bool) -> bool:
    """Does the session still bill at this second? A lump does at the very end of its session."""
    if session.id in world.ends:
        return False
    if session.ended_at is None:
        return True
    return now <= session.ended_at if lump else now < session.ended_at


def rate_at(world: Walked, now: int) -> int:
    return [rate for start, rate in world.rates if start <= now][-1]


def who_pays(world: Walked, now: int) -> tuple[Source, str | None] | None:
    """Who pays the next compute-second: a pool, on-demand, or nobody."""
    for source in (Source.COMMITTED, Source.TOP_UP):
        usable = [
            (pool.expires_at, pool.order, pool.id)
            for pool in world.pools.values()
            if pool.source == source
            and pool.starts_at <= now < pool.expires_at
            and world.left[pool.id] > 0
        ]
        if usable:
            return source, min(usable)[2]
    if world.mode == OnDemandMode.UNLIMITED:
        return Source.ON_DEMAND, None
    if world.mode == OnDemandMode.OFF or not world.limit:
        return None
    rate = rate_at(world, now)
    if rate == 0 or world.used + rate <= world.limit:
        return Source.ON_DEMAND, None
    return (Source.OVER_LIMIT, None) if world.let_finish else None


def capped(world: Walked, session: Metered) -> list[str]:
    """The session's caps that have nothing left, the tightest first."""
    spent = []
    for cap in session.caps:
        limit = world.cap_limit[cap]
        if limit is not None and world.cap_used[cap] >= limit:
            spent.append((limit, cap))
    return [cap for _, cap in sorted(spent)]


def check(world: Walked, sessions: list[Metered], now: int) -> None:
    for session in sessions:
        over = session.ended_at is not None and session.ended_at <= now
        if session.id in world.ends or over or session.order[0] >= now:
            continue
        if who_pays(world, now) is None:
            world.ends[session.id] = (now, "allowance_exhausted", None)
        elif capped(world, session):
            world.ends[session.id] = (now, "cap_reached", capped(world, session)[0])


def second(world: Walked, session: Metered, now: int, *, lump: bool) -> None:
    """One wall second: each of its compute-seconds finds its payer; the first one's gets it."""
    hour = now // 3_600 * 3_600
    owner = None
    for _ in range(session.multiplier):
        payer = None if capped(world, session) else who_pays(world, now)
        if payer is None:
            add(world.unpaid_compute_seconds, session.id, 1)
            continue
        source, pool = payer
        key = (session.id, hour, source.value)
        owner = owner or key
        add(world.compute_seconds, key, 1)
        for cap in session.caps:
            add(world.cap_used, cap, 1)
        if pool is not None:
            world.left[pool] -= 1
            add(world.draws, pool, 1)
            add(world.cost, key, 0)
        else:
            world.used += rate_at(world, now)
            add(world.cost, key, rate_at(world, now))
    if owner is None:
        add(world.unpaid_seconds, session.id, 1)
        return
    add(world.seconds, owner, 1)
    if lump:
        add(world.lump_seconds, owner, 1)
