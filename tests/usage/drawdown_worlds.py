"""Small worlds for the property tests, in which things happen at the same second.

Random instants hardly ever meet. So a world is made in two steps: the first is walked by the oracle
to find the seconds that matter (where something runs out, resumes, expires, begins), and the second
puts further facts on exactly those seconds, one before and one after.
"""

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from tests.usage.drawdown_oracle import walk
from usage.changes import CapChanged, Change, GivenBack, LimitChanged, PeriodBoundary, PoolAdded
from usage.pools import Book, Cap, OnDemand, OnDemandMode, Pool, Source
from usage.rates import RateTable
from usage.tally import Metered

HOUR = 3_600
DAY = 24 * HOUR
MIDNIGHT = 20_834 * DAY
FAR = MIDNIGHT + 40 * DAY
CAPS = ("team", "person")


@dataclass(frozen=True)
class World:
    book: Book
    changes: tuple[Change, ...]
    sessions: tuple[Metered, ...]
    since: int
    until: int
    critical: tuple[int, ...] = ()


def on_demands() -> st.SearchStrategy[OnDemand]:
    return st.builds(
        OnDemand,
        mode=st.sampled_from([OnDemandMode.LIMITED, *OnDemandMode]),
        limit=st.sampled_from([0, 1, 7]) | st.integers(0, 900),
        used=st.just(0) | st.integers(0, 300),
        let_finish=st.booleans(),
    )


@st.composite
def pools(draw: st.DrawFn, name: str, starts: int, instants: st.SearchStrategy[int]) -> Pool:
    return Pool(
        id=name,
        source=draw(st.sampled_from([Source.COMMITTED, Source.TOP_UP])),
        left=draw(st.sampled_from([0, 1, 5, 6]) | st.integers(0, 250)),
        starts_at=draw(st.just(starts) | instants),
        expires_at=draw(st.sampled_from([MIDNIGHT, FAR, FAR]) | instants),
        order=draw(st.integers(0, 2)),
    )


@st.composite
def metered(draw: st.DrawFn, number: int, instants: st.SearchStrategy[int]) -> Metered:
    bounds = sorted(draw(st.lists(instants, max_size=6, unique=True)))
    spans = tuple(zip(bounds[::2], bounds[1::2], strict=False))
    lumps = draw(st.lists(st.tuples(instants, st.integers(1, 30)), max_size=2))
    begins = [begin for begin, _ in spans] + [at for at, _ in lumps]
    started = min([*begins, draw(instants)]) - draw(st.sampled_from([0, 0, 1, 10]))
    return Metered(
        id=f"session-{number}",
        order=(started, draw(st.integers(0, 3))),
        multiplier=draw(st.sampled_from([1, 2, 3, 6])),
        spans=spans,
        lumps=tuple(lumps),
        caps=tuple(draw(st.lists(st.sampled_from(CAPS), unique=True))),
        ended_at=draw(st.none() | st.none() | instants),
    )


@st.composite
def changes(draw: st.DrawFn, number: int, instants: st.SearchStrategy[int]) -> Change:
    at, kind = draw(instants), draw(st.integers(0, 4))
    if kind == 0:
        pool = draw(pools(f"bought-{number}", at, instants))
        return PoolAdded(at, number, pool)
    if kind == 1:
        return GivenBack(at, number, draw(pools(f"returned-{number}", at, st.just(FAR))))
    if kind == 2:
        setting = draw(on_demands())
        return LimitChanged(at, number, setting.mode, setting.limit, setting.let_finish)
    if kind == 3:
        limit = draw(st.none() | st.integers(0, 150))
        return CapChanged(at, number, draw(st.sampled_from(CAPS)), limit)
    return PeriodBoundary(MIDNIGHT, number)


@st.composite
def first_worlds(draw: st.DrawFn, before: int, after: int) -> World:
    """The middle is a midnight or another hour; `before` and `after` bound the window's sides."""
    middle = draw(st.sampled_from([MIDNIGHT, MIDNIGHT + HOUR]))
    since = middle - draw(st.integers(0, before))
    until = middle + draw(st.integers(1, after))
    instants = st.integers(since - 3, until + 3)
    rates = ((MIDNIGHT - DAY, draw(st.integers(0, 5))), (MIDNIGHT, draw(st.integers(0, 5))))
    limits = st.none() | st.integers(0, 150)
    book = Book(
        pools=tuple(
            draw(pools(f"pool-{n}", MIDNIGHT - DAY, instants))
            for n in range(draw(st.integers(0, 3)))
        ),
        on_demand=draw(on_demands()),
        caps=tuple(Cap(name, draw(limits), draw(st.integers(0, 20))) for name in CAPS),
        rates=RateTable(rates),
    )
    happening = [draw(changes(n, instants)) for n in range(draw(st.integers(0, 2)))]
    sessions = [draw(metered(n, instants)) for n in range(draw(st.integers(1, 4)))]
    return World(book, tuple(happening), tuple(sessions), since, until)


def seconds_that_matter(world: World) -> tuple[int, ...]:
    walked = walk(world.book, world.changes, world.sessions, world.since, world.until)
    found = {world.since, world.until, MIDNIGHT, MIDNIGHT + HOUR}
    found.update(at for at, _, _ in walked.ends.values())
    found.update(pool.expires_at for pool in world.book.pools)
    for session in world.sessions:
        found.update(at for at, _ in session.lumps)
        found.update(begins for begins, _ in session.spans)
    near = {at + step for at in found for step in (-1, 0, 1)}
    return tuple(sorted(at for at in near if world.since <= at <= world.until))


@st.composite
def worlds(draw: st.DrawFn, before: int = 30, after: int = 60) -> World:
    """A world with further facts on the seconds that matter."""
    world = draw(first_worlds(before, after))
    critical = seconds_that_matter(world)
    on = st.sampled_from(critical)
    more = [draw(changes(10 + n, on)) for n in range(draw(st.integers(0, 3)))]
    late = [draw(metered(10 + n, on)) for n in range(draw(st.integers(0, 1)))]
    sessions = [draw(crossed(session, on)) for session in world.sessions]
    return replace(
        world,
        changes=world.changes + tuple(more),
        sessions=tuple(sessions + late),
        critical=critical,
    )


@st.composite
def crossed(draw: st.DrawFn, session: Metered, on: st.SearchStrategy[int]) -> Metered:
    """The session, sometimes with an end or a resumption on a second that matters."""
    what = draw(st.integers(0, 3))
    if what == 0:
        return replace(session, ended_at=draw(on))
    if what == 1:
        at = max(draw(on), session.started_at)
        return replace(session, lumps=(*session.lumps, (at, draw(st.integers(1, 30)))))
    return session
