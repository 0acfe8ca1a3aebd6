"""Draw-down against the oracle, and against itself however the time is cut (rules 17 to 19)."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.usage.drawdown_oracle import Walked, walk
from tests.usage.drawdown_worlds import FAR, HOUR, MIDNIGHT, World, worlds
from usage.changes import LimitChanged, PeriodBoundary
from usage.drawdown import Drawn, draw
from usage.pools import Book, OnDemandMode, Source
from usage.tally import Line, Metered

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def plain_book(book: Book) -> dict[str, Any]:
    return {
        "left": {pool.id: pool.left for pool in book.pools},
        "setting": (book.on_demand.mode, book.on_demand.limit, book.on_demand.let_finish),
        "used": book.on_demand.used,
        "caps": {cap.id: (cap.limit, cap.used) for cap in book.caps},
    }


def plain(drawn: list[Drawn]) -> dict[str, Any]:
    """Sweeps that follow each other, merged by key, as nothing but numbers."""
    lines: dict[tuple[str, int, str], Counter[str]] = {}
    unpaid: dict[str, Counter[str]] = {}
    ends: dict[str, tuple[int, str, str | None]] = {}
    draws: Counter[str] = Counter()
    for one in drawn:
        for line in one.lines:
            sums = lines.setdefault((line.session, line.hour, line.source.value), Counter())
            sums["seconds"] += line.seconds
            sums["lump_seconds"] += line.lump_seconds
            sums["compute_seconds"] += line.compute_seconds
            sums["cost"] += line.cost
        for session, rest in one.unpaid.items():
            unpaid.setdefault(session, Counter())["seconds"] += rest.seconds
            unpaid[session]["compute_seconds"] += rest.compute_seconds
        for session, end in one.ends.items():
            assert session not in ends
            ends[session] = (end.at, end.reason.value, end.cap)
        draws.update(one.pool_draws)
    return {
        "lines": lines,
        "unpaid": unpaid,
        "ends": ends,
        "draws": draws,
        "book": plain_book(drawn[-1].book),
    }


def plain_walk(walked: Walked) -> dict[str, Any]:
    lines = {
        key: Counter(
            seconds=walked.seconds.get(key, 0),
            lump_seconds=walked.lump_seconds.get(key, 0),
            compute_seconds=walked.compute_seconds[key],
            cost=walked.cost[key],
        )
        for key in walked.compute_seconds
    }
    unpaid = {
        session: Counter(
            seconds=walked.unpaid_seconds.get(session, 0),
            compute_seconds=walked.unpaid_compute_seconds[session],
        )
        for session in walked.unpaid_compute_seconds
    }
    book = {
        "left": walked.left,
        "setting": (walked.mode, walked.limit, walked.let_finish),
        "used": walked.used,
        "caps": {cap: (limit, walked.cap_used[cap]) for cap, limit in walked.cap_limit.items()},
    }
    return {
        "lines": lines,
        "unpaid": unpaid,
        "ends": walked.ends,
        "draws": Counter(walked.draws),
        "book": book,
    }


def once(world: World) -> Drawn:
    return draw(world.book, world.changes, world.sessions, world.since, world.until)


def in_sweeps(world: World, cuts: list[int]) -> list[Drawn]:
    """One draw for each stretch, each told what the one before it ended, as the meter does."""
    bounds = sorted({world.since, *cuts, world.until})
    book, sessions, done = world.book, list(world.sessions), []
    for since, until in pairwise(bounds):
        drawn = draw(book, world.changes, sessions, since, until)
        done.append(drawn)
        book = drawn.book
        sessions = [ended(session, drawn) for session in sessions]
    return done


def ended(session: Metered, drawn: Drawn) -> Metered:
    end = drawn.ends.get(session.id)
    return replace(session, ended_at=end.at) if end else session


def billed(world: World, drawn: Drawn, session: Metered) -> int:
    """Wall seconds of the session in the window, counted on their own."""
    own = FAR if session.ended_at is None else session.ended_at
    end = drawn.ends[session.id].at if session.id in drawn.ends else own
    running = sum(
        max(0, min(ends, end, world.until) - max(begins, world.since))
        for begins, ends in session.spans
    )
    resumed = [
        seconds for at, seconds in session.lumps if world.since <= at < world.until and at <= end
    ]
    return running + sum(resumed)


@settings(steady, max_examples=500)
@given(worlds())
def test_draw_down_is_what_the_oracle_walks(world: World) -> None:
    walked = walk(world.book, world.changes, world.sessions, world.since, world.until)
    assert plain([once(world)]) == plain_walk(walked)


@settings(steady, max_examples=400)
@given(worlds(), st.data())
def test_any_schedule_of_the_meter_gives_the_same(world: World, data: st.DataObject) -> None:
    on = st.sampled_from(world.critical) | st.integers(world.since, world.until)
    cuts = data.draw(st.lists(on, max_size=6))
    assert plain(in_sweeps(world, cuts)) == plain([once(world)])


@settings(steady, max_examples=60)
@given(worlds())
def test_a_meter_of_every_second_gives_the_same(world: World) -> None:
    every = list(range(world.since, world.until))
    assert plain(in_sweeps(world, every)) == plain([once(world)])


@settings(steady, max_examples=8)
@given(worlds(before=HOUR + 300, after=HOUR + 300))
def test_long_stretches_are_what_the_oracle_walks(world: World) -> None:
    walked = walk(world.book, world.changes, world.sessions, world.since, world.until)
    assert plain([once(world)]) == plain_walk(walked)


@settings(steady, max_examples=120)
@given(worlds())
def test_entries_and_unpaid_are_what_is_billed_and_no_second_twice(world: World) -> None:
    drawn = once(world)
    for session in world.sessions:
        lines = [line for line in drawn.lines if line.session == session.id]
        rest = drawn.unpaid.get(session.id)
        wall = sum(line.seconds for line in lines) + (rest.seconds if rest else 0)
        compute = sum(line.compute_seconds for line in lines) + (
            rest.compute_seconds if rest else 0
        )
        assert wall == billed(world, drawn, session)
        assert compute == session.multiplier * wall
    keys = [(line.session, line.hour, line.source) for line in drawn.lines]
    assert len(keys) == len(set(keys))


@settings(steady, max_examples=120)
@given(worlds())
def test_a_line_adds_up_by_itself(world: World) -> None:
    for line in once(world).lines:
        assert line.hour % HOUR == 0
        assert line.compute_seconds > 0
        assert 0 <= line.lump_seconds <= line.seconds
        assert line.cost == line.compute_seconds * line.rate
        if line.source in (Source.COMMITTED, Source.TOP_UP):
            assert line.rate == 0
        else:
            assert line.rate == world.book.rates.rate_at(line.hour)


@settings(steady, max_examples=120)
@given(worlds())
def test_no_pool_is_overdrawn_and_every_draw_is_in_a_line(world: World) -> None:
    drawn = once(world)
    offered = {pool.id: pool.left for pool in world.book.pools}
    offered |= {one.pool.id: one.pool.left for one in world.changes if hasattr(one, "pool")}
    assert all(pool.left >= 0 for pool in drawn.book.pools)
    assert all(taken <= offered[pool] for pool, taken in drawn.pool_draws.items())
    ahead = [line for line in drawn.lines if line.source in (Source.COMMITTED, Source.TOP_UP)]
    assert sum(line.compute_seconds for line in ahead) == sum(drawn.pool_draws.values())


def by_period(world: World, drawn: Drawn) -> list[tuple[list[Line], int]]:
    """The lines of each period in the window, and what it had used when it began."""
    used = world.book.on_demand.used
    boundaries = {one.at for one in world.changes if isinstance(one, PeriodBoundary)}
    if not any(world.since <= at < world.until for at in boundaries):
        return [(list(drawn.lines), used)]
    before = [line for line in drawn.lines if line.hour < MIDNIGHT]
    after = [line for line in drawn.lines if line.hour >= MIDNIGHT]
    return [(before, used), (after, 0)]


@settings(steady, max_examples=120)
@given(worlds(), st.integers(0, 400))
def test_a_hard_limit_is_never_passed(world: World, limit: int) -> None:
    """Per period, also where the rate changes at its boundary."""
    setting = replace(
        world.book.on_demand, mode=OnDemandMode.LIMITED, limit=limit, let_finish=False
    )
    kept = tuple(change for change in world.changes if not isinstance(change, LimitChanged))
    world = replace(world, book=replace(world.book, on_demand=setting), changes=kept)
    drawn = once(world)
    assert all(line.source is not Source.OVER_LIMIT for line in drawn.lines)
    for lines, used in by_period(world, drawn):
        cost = sum(line.cost for line in lines)
        assert cost == 0 or used + cost <= limit


@settings(steady, max_examples=80)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_arguments_does_not_matter(world: World, random: Any) -> None:
    changes, sessions = list(world.changes), list(world.sessions)
    pools = list(world.book.pools)
    random.shuffle(changes)
    random.shuffle(sessions)
    random.shuffle(pools)
    book = replace(world.book, pools=tuple(pools))
    assert draw(book, changes, sessions, world.since, world.until) == once(world)


@settings(steady, max_examples=80)
@given(worlds())
def test_a_lump_lands_in_the_hour_of_its_instant(world: World) -> None:
    drawn = once(world)
    for session in world.sessions:
        resumed: Counter[int] = Counter()
        for at, seconds in session.lumps:
            resumed[at // HOUR * HOUR] += seconds
        written: Counter[int] = Counter()
        for line in drawn.lines:
            if line.session == session.id:
                written[line.hour] += line.lump_seconds
        assert written <= resumed


@settings(steady, max_examples=80)
@given(worlds())
def test_an_end_of_its_own_is_never_taken_away(world: World) -> None:
    drawn = once(world)
    for session in world.sessions:
        if session.id in drawn.ends:
            end = drawn.ends[session.id]
            assert session.started_at < end.at
            assert session.ended_at is None or end.at < session.ended_at
            assert world.since <= end.at < world.until
