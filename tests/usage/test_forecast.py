"""When compute time runs out, as the notices say it, against the draw-down itself (rule 19)."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.usage.drawdown_worlds import DAY, FAR, HOUR, MIDNIGHT, changes, on_demands, pools
from usage.changes import CapChanged, Change, LimitChanged, PoolAdded
from usage.drawdown import draw
from usage.forecast import Forecast, Onward, forecast
from usage.pools import Book, OnDemand, OnDemandMode, Pool, Source
from usage.rates import RateTable
from usage.tally import Metered

steady = settings(
    deadline=None,
    derandomize=True,
    max_examples=200,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
OFF = OnDemand(OnDemandMode.OFF)
RATES = RateTable(((MIDNIGHT - DAY, 1),))
AT = MIDNIGHT + 100


def book(left: int, on_demand: OnDemand = OFF, expires_at: int = FAR) -> Book:
    pool = Pool("pool", Source.COMMITTED, left, MIDNIGHT, expires_at, 0)
    return Book((pool,), on_demand, (), RATES)


def looked(
    book: Book, *sessions: Onward, changes: tuple[Change, ...] = (), window: int = 10_000
) -> Forecast:
    return forecast(book, changes, sessions, AT, AT + window)


def limited(limit: int, used: int = 0, *, let_finish: bool = False) -> OnDemand:
    return OnDemand(OnDemandMode.LIMITED, limit, used, let_finish)


# By hand


def test_one_session_runs_out_when_what_is_left_is_used():
    assert looked(book(900), Onward(1)) == Forecast(AT + 900, AT + 900)


def test_three_sizes_run_it_out_together():
    found = looked(book(9_000), Onward(1), Onward(2), Onward(6))
    assert found.ends_at == AT + 1_000


def test_a_second_that_only_part_can_pay_is_the_last():
    assert looked(book(8_999), Onward(1), Onward(2), Onward(6)).ends_at == AT + 1_000
    assert looked(book(9_001), Onward(1), Onward(2), Onward(6)).ends_at == AT + 1_001


def test_a_gap_resumed_after_an_expiry_draws_from_what_is_then_left():
    soon = Pool("soon", Source.COMMITTED, 100, MIDNIGHT, AT + 10, 0)
    later = Pool("later", Source.COMMITTED, 120, MIDNIGHT, FAR, 0)
    both = replace(book(0), pools=(soon, later))
    assert looked(both, Onward(1, gap=100)).ends_at == AT + 20
    assert looked(replace(both, pools=(later,)), Onward(1, gap=100)).ends_at == AT + 20


def test_an_open_gap_counts_as_if_it_were_resumed_now():
    assert looked(book(900), Onward(1), Onward(2, gap=100)).ends_at == AT + 234


def test_a_gap_that_takes_everything_runs_it_out_at_once():
    assert looked(book(100), Onward(1, gap=100)).ends_at == AT


@pytest.mark.parametrize(("after", "by_now"), [(899, None), (900, None), (901, 900)])
def test_what_lies_beyond_the_window_is_not_foreseen(after, by_now):
    found = looked(book(900), Onward(1), window=after)
    assert found.ends_at == (None if by_now is None else AT + by_now)


def test_nobody_works_and_nothing_runs_out():
    assert looked(book(1)) == Forecast()


def test_where_nobody_works_an_expiry_still_does():
    assert looked(book(50, expires_at=AT + 70)).ends_at == AT + 70


def test_a_session_that_ends_by_then_uses_nothing_more():
    assert looked(book(900), Onward(1), Onward(8, ends_at=AT + 50)).ends_at == AT + 500
    assert looked(book(900), Onward(1, ends_at=AT + 899)).ends_at is None


def test_on_demand_pays_on_to_its_limit():
    assert looked(book(100, limited(50)), Onward(1)).ends_at == AT + 150


def test_unlimited_never_runs_out():
    assert looked(book(0, OnDemand(OnDemandMode.UNLIMITED)), Onward(6)) == Forecast()


def test_where_sessions_may_finish_only_starts_meet_the_end():
    found = looked(book(100, limited(50, let_finish=True)), Onward(1))
    assert found == Forecast(spent_at=AT + 150, ends_at=None)


def test_a_lower_limit_that_is_to_come_ends_sessions_at_its_instant():
    lower = LimitChanged(AT + 600, 1, OnDemandMode.LIMITED, 10)
    found = looked(book(0, limited(5_000, used=20)), Onward(1), changes=(lower,))
    assert found == Forecast(AT + 600, AT + 600, by_limit=True)


def test_a_limit_raised_in_time_takes_it_back():
    more = LimitChanged(AT + 149, 1, OnDemandMode.UNLIMITED)
    assert looked(book(100, limited(50)), Onward(1), changes=(more,)) == Forecast()
    late = replace(more, at=AT + 151)
    assert looked(book(100, limited(50)), Onward(1), changes=(late,)).ends_at == AT + 150


def test_a_purchase_at_that_very_second_saves_the_sessions():
    pool = Pool("bought", Source.TOP_UP, 40, AT + 100, FAR, 1)
    found = looked(book(100), Onward(1), changes=(PoolAdded(AT + 100, 1, pool),))
    assert found.ends_at == AT + 140


def test_letting_finish_withdrawn_ends_them_then():
    withdrawn = LimitChanged(AT + 300, 1, OnDemandMode.LIMITED, 50, let_finish=False)
    found = looked(book(0, limited(50, let_finish=True)), Onward(1), changes=(withdrawn,))
    assert found == Forecast(AT + 50, AT + 300, by_limit=True)


# Against the draw-down


@st.composite
def worlds(draw_: st.DrawFn) -> tuple[Book, list[Change], list[Onward], int, int]:
    middle = draw_(st.sampled_from([MIDNIGHT, MIDNIGHT + HOUR]))
    at = middle - draw_(st.integers(0, 20))
    until = middle + draw_(st.integers(1, 60))
    rates = sorted([draw_(st.integers(0, 5)), draw_(st.integers(0, 5))])
    instants = st.integers(at, until)
    found = Book(
        pools=tuple(
            draw_(pools(f"pool-{n}", MIDNIGHT - DAY, instants))
            for n in range(draw_(st.integers(0, 3)))
        ),
        on_demand=draw_(on_demands()),
        caps=(),
        rates=RateTable(((MIDNIGHT - DAY, rates[0]), (MIDNIGHT, rates[1]))),
    )
    coming = [draw_(changes(n, instants)) for n in range(draw_(st.integers(0, 3)))]
    onward = st.builds(
        Onward,
        multiplier=st.sampled_from([1, 2, 6]),
        gap=st.none() | st.integers(0, 30),
        ends_at=st.none() | st.none() | st.integers(at + 1, until + 5),
    )
    coming = [change for change in coming if not isinstance(change, CapChanged)]
    return found, coming, draw_(st.lists(onward, max_size=4)), at, until


def life(one: Onward, number: int, at: int, until: int, resumed: int) -> Metered:
    """A session by itself: active from `at` on, or from where its gap is resumed."""
    begins = at if one.gap is None else resumed
    lump = 0 if one.gap is None else one.gap + resumed - at
    over = begins >= min(until, until if one.ends_at is None else one.ends_at)
    return Metered(
        id=f"session-{number}",
        order=(at - 1 - number, number),
        multiplier=one.multiplier,
        spans=() if over else ((begins, until),),
        lumps=() if over or not lump else ((begins, lump),),
        ended_at=one.ends_at,
    )


def end_of(found: Book, coming: list[Change], lives: list[Metered], at: int, until: int):
    """When a session ends that only waits."""
    waits = Metered("waits", (at - 9, 0), 1)
    end = draw(found, coming, [waits, *lives], at, until).ends.get("waits")
    return None if end is None else end.at


@steady
@given(worlds())
def test_it_is_the_second_at_which_the_draw_down_ends_them(world):
    """Every session by itself, and their gaps resumed at each second of the window in turn."""
    found, coming, sessions, at, until = world
    ends = [
        end_of(
            found, coming, [life(one, n, at, until, s) for n, one in enumerate(sessions)], at, until
        )
        for s in range(at, until)
    ]
    ahead = forecast(found, coming, sessions, at, until)
    assert ahead.ends_at == min((end for end in ends if end is not None), default=None)


@steady
@given(worlds(), st.data())
def test_however_gaps_are_resumed_nothing_runs_out_before(world, data):
    found, coming, sessions, at, until = world
    never = until
    lives = [
        life(one, n, at, until, data.draw(st.just(never) | st.integers(at, until)))
        for n, one in enumerate(sessions)
    ]
    end = end_of(found, coming, lives, at, until)
    ahead = forecast(found, coming, sessions, at, until)
    if end is not None:
        assert ahead.ends_at is not None
        assert ahead.ends_at <= end
