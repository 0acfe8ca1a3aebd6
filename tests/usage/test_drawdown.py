"""Draw-down by hand: its order, exhaustion, periods (product.md rules 17 to 19)."""

from dataclasses import replace

import pytest

from tests.usage.drawdown_cases import (
    CAPPED,
    DAY,
    EXHAUSTED,
    FAR,
    HOUR,
    NOON,
    RATE,
    T0,
    UNLIMITED,
    book,
    committed,
    draw_hour,
    limited,
    session,
    top_up,
    written,
)
from usage.drawdown import (
    Cap,
    Change,
    Ended,
    GivenBack,
    LimitChanged,
    OnDemandMode,
    PeriodBoundary,
    PoolAdded,
    Unpaid,
    draw,
)

# The order of draw-down


def test_committed_comes_first_then_top_ups_by_expiry_then_by_purchase_then_on_demand() -> None:
    what = book(
        top_up(10, "later", FAR, order=0),
        top_up(10, "second", FAR - 1, order=2),
        top_up(10, "first", FAR - 1, order=1),
        committed(10, "own", FAR + 1),
        on_demand=UNLIMITED,
    )
    for seconds, drawn_from in (
        (10, {"own"}),
        (20, {"own", "first"}),
        (30, {"own", "first", "second"}),
        (40, {"own", "first", "second", "later"}),
    ):
        drawn = draw_hour(what, [session("a", (NOON, NOON + seconds))])
        assert drawn.pool_draws == dict.fromkeys(drawn_from, 10)
    drawn = draw_hour(what, [session("a", (NOON, NOON + 50))])
    assert written(drawn) == [
        ("a", 0, "committed", 10, 10),
        ("a", 0, "on_demand", 10, 10),
        ("a", 0, "top_up", 30, 30),
    ]
    assert drawn.book.on_demand.used == 10 * RATE


def test_committed_of_two_pools_is_used_by_expiry() -> None:
    what = book(committed(10, "long", FAR), committed(10, "short", NOON + 5))
    drawn = draw_hour(what, [session("a", (NOON, NOON + 20))])
    assert drawn.pool_draws == {"short": 5, "long": 10}
    assert drawn.ends == {"a": Ended(NOON + 15, EXHAUSTED)}


def test_lines_are_cut_at_hours_and_priced_with_the_rate_of_their_day() -> None:
    midnight = T0 + DAY
    one = session("a", (midnight - 20, midnight + HOUR + 5), multiplier=2)
    drawn = draw(book(on_demand=UNLIMITED), [], [one], midnight - HOUR, midnight + 2 * HOUR)
    assert [(line.hour - midnight, line.rate, line.cost) for line in drawn.lines] == [
        (-HOUR, RATE, 40 * RATE),
        (0, 2 * RATE, 2 * HOUR * 2 * RATE),
        (HOUR, 2 * RATE, 10 * 2 * RATE),
    ]


def test_the_window_is_half_open() -> None:
    one = session("a", (NOON - 10, NOON + 10))
    assert written(draw(book(committed(99)), [], [one], NOON - 1, NOON + 1)) == [
        ("a", -1, "committed", 1, 1),
        ("a", 0, "committed", 1, 1),
    ]
    assert draw(book(committed(99)), [], [one], NOON, NOON).lines == ()


# Exhaustion


def test_the_second_in_which_it_runs_out_is_drawn_as_far_as_it_goes() -> None:
    """Three sizes run, 9 compute-seconds each second; 24 are left: two seconds, and 6 of 9."""
    three = [
        session("a", (NOON, NOON + 99), multiplier=1),
        session("b", (NOON, NOON + 99), multiplier=2),
        session("c", (NOON, NOON + 99), multiplier=6),
    ]
    drawn = draw_hour(book(committed(24)), three)
    assert written(drawn) == [
        ("a", 0, "committed", 3, 3),
        ("b", 0, "committed", 3, 6),
        ("c", 0, "committed", 3, 15),
    ]
    assert drawn.unpaid == {"c": Unpaid(0, 3)}
    assert drawn.ends == dict.fromkeys("abc", Ended(NOON + 3, EXHAUSTED))
    assert drawn.exhausted_at == (NOON + 3,)


def test_a_second_that_nothing_pays_is_unpaid_as_a_whole() -> None:
    two = [session("a", (NOON, NOON + 9), multiplier=6), session("b", (NOON, NOON + 9))]
    drawn = draw_hour(book(committed(6 + 1 + 4)), two)
    assert drawn.unpaid == {"a": Unpaid(0, 2), "b": Unpaid(1, 1)}
    assert written(drawn) == [("a", 0, "committed", 2, 10), ("b", 0, "committed", 1, 1)]


def test_a_wall_second_belongs_to_the_source_that_pays_its_first_compute_second() -> None:
    one = session("a", (NOON, NOON + 2), multiplier=6)
    drawn = draw_hour(book(committed(4), top_up(2), on_demand=UNLIMITED), [one])
    assert written(drawn) == [
        ("a", 0, "committed", 1, 4),
        ("a", 0, "on_demand", 1, 6),
        ("a", 0, "top_up", 0, 2),
    ]


def test_exhaustion_ends_starting_and_idle_sessions_too() -> None:
    three = [
        session("a", (NOON, NOON + 99)),
        session("idle", (NOON - 50, NOON - 40)),
        session("starting"),
    ]
    drawn = draw_hour(book(committed(5)), three)
    assert drawn.ends == dict.fromkeys(("a", "idle", "starting"), Ended(NOON + 5, EXHAUSTED))


def test_a_session_that_starts_at_the_check_comes_after_it() -> None:
    two = [session("a", (NOON, NOON + 99)), session("late", start=NOON + 5)]
    drawn = draw_hour(book(committed(5)), two)
    assert drawn.ends["a"].at == NOON + 5
    assert drawn.ends["late"].at == NOON + 6
    assert drawn.exhausted_at == (NOON + 5, NOON + 6)


def test_an_end_of_its_own_beats_exhaustion() -> None:
    two = [
        session("a", (NOON, NOON + 5), ended_at=NOON + 5),
        session("b", ended_at=NOON + 6),
    ]
    drawn = draw_hour(book(committed(5)), two)
    assert drawn.ends == {"b": Ended(NOON + 5, EXHAUSTED)}


def test_nothing_is_billed_after_the_end_however_late_it_is_found() -> None:
    one = session("a", (NOON, NOON + 5), (NOON + 9, NOON + 99), lumps=((NOON + 9, 4),))
    drawn = draw_hour(book(committed(5)), [one])
    assert written(drawn) == [("a", 0, "committed", 5, 5)]
    assert drawn.ends == {"a": Ended(NOON + 5, EXHAUSTED)}
    assert drawn.unpaid == {}


def test_nothing_is_billed_after_an_end_of_its_own() -> None:
    one = session(
        "a", (NOON, NOON + 50), lumps=((NOON + 20, 3), (NOON + 21, 7)), ended_at=NOON + 20
    )
    drawn = draw_hour(book(committed(999)), [one])
    # The resumption in the very second of the end was recorded before it.
    assert written(drawn) == [("a", 0, "committed", 23, 23)]


@pytest.mark.parametrize(("at", "saved"), [(4, True), (5, True), (6, False)])
def test_a_purchase_at_that_very_second_saves_it_and_a_later_one_does_not(
    at: int, saved: bool
) -> None:
    bought = PoolAdded(NOON + at, 0, top_up(20, "bought"))
    drawn = draw_hour(book(committed(5)), [session("a", (NOON, NOON + 10))], bought)
    assert drawn.ends == ({} if saved else {"a": Ended(NOON + 5, EXHAUSTED)})
    assert sum(line.seconds for line in drawn.lines) == (10 if saved else 5)


def test_time_given_back_at_that_very_second_saves_it() -> None:
    back = GivenBack(NOON + 5, 0, top_up(5, "back"))
    drawn = draw_hour(book(committed(5)), [session("a", (NOON, NOON + 10))], back)
    assert drawn.ends == {"a": Ended(NOON + 10, EXHAUSTED)}
    assert drawn.pool_draws == {"committed": 5, "back": 5}


def test_it_is_found_in_the_next_window_when_it_falls_on_the_bound() -> None:
    one = session("a", (NOON, NOON + 10))
    first = draw(book(committed(5)), [], [one], NOON, NOON + 5)
    assert first.ends == {}
    second = draw(first.book, [], [one], NOON + 5, NOON + 10)
    assert second.ends == {"a": Ended(NOON + 5, EXHAUSTED)}
    assert second.lines == ()


@pytest.mark.parametrize("bought", [False, True])
def test_a_purchase_between_two_windows_saves_it(bought: bool) -> None:
    one = session("a", (NOON, NOON + 10))
    first = draw(book(committed(5)), [], [one], NOON, NOON + 5)
    fact = [PoolAdded(NOON + 5, 0, top_up(50, "bought"))] if bought else []
    second = draw(first.book, fact, [one], NOON + 5, NOON + 10)
    assert bool(second.ends) is not bought


def test_a_fact_recorded_after_the_meter_has_passed_counts_from_the_watermark() -> None:
    """It comes with the watermark as its instant, and nothing metered before it moves."""
    one = session("a", (NOON, NOON + 60))
    what = book(on_demand=UNLIMITED)
    first = draw(what, [], [one], NOON, NOON + 30)
    lowered = LimitChanged(NOON + 30, 0, OnDemandMode.LIMITED, 10 * RATE)
    second = draw(first.book, [lowered], [one], NOON + 30, NOON + 60)
    assert second.ends == {"a": Ended(NOON + 30, EXHAUSTED)}
    assert second.book.on_demand.used == 30 * RATE
    assert draw(what, [lowered], [one], NOON, NOON + 60).lines == first.lines


@pytest.mark.parametrize(
    "fact",
    [
        LimitChanged(NOON + 7, 0, OnDemandMode.OFF),
        LimitChanged(NOON + 7, 0, OnDemandMode.LIMITED, 7 * RATE),
        LimitChanged(NOON + 7, 0, OnDemandMode.LIMITED, 0, let_finish=True),
    ],
)
def test_exhaustion_also_comes_from_a_limit(fact: Change) -> None:
    drawn = draw_hour(book(on_demand=UNLIMITED), [session("a", (NOON, NOON + 99))], fact)
    assert drawn.ends == {"a": Ended(NOON + 7, EXHAUSTED)}
    assert drawn.unpaid == {}


def test_exhaustion_also_comes_from_an_expiry() -> None:
    drawn = draw_hour(book(committed(99, expires=NOON + 7)), [session("a", (NOON, NOON + 99))])
    assert drawn.ends == {"a": Ended(NOON + 7, EXHAUSTED)}
    assert drawn.book.pools == ()


def test_a_dearer_rate_can_exhaust_at_midnight() -> None:
    """15 micro-dollars are left: one compute-second at 10, none at 20."""
    midnight = T0 + DAY
    what = book(committed(5, expires=midnight), on_demand=limited(15))
    one = session("a", (midnight - 5, midnight + 9))
    drawn = draw(what, [], [one], midnight - 60, midnight + 60)
    assert drawn.ends == {"a": Ended(midnight, EXHAUSTED)}


# Periods


def test_the_last_second_of_a_period_is_the_old_period_s() -> None:
    midnight = T0 + DAY
    what = book(committed(99, expires=midnight), on_demand=limited(1_000, used=900))
    renewed: list[Change] = [
        PeriodBoundary(midnight),
        PoolAdded(midnight, 1, replace(committed(3, "new"), starts_at=midnight)),
    ]
    one = session("a", (midnight - 1, midnight + 5))
    drawn = draw(what, renewed, [one], midnight - HOUR, midnight + HOUR)
    assert drawn.pool_draws == {"committed": 1, "new": 3}
    assert drawn.book.on_demand.used == 2 * 2 * RATE
    assert [pool.id for pool in drawn.book.pools] == ["new"]


def test_a_new_period_with_nothing_ends_all() -> None:
    midnight = T0 + DAY
    what = book(committed(99, expires=midnight))
    one = session("a", (midnight - 1, midnight + 5))
    drawn = draw(what, [PeriodBoundary(midnight)], [one], midnight - HOUR, midnight + HOUR)
    assert drawn.ends == {"a": Ended(midnight, EXHAUSTED)}


def test_what_was_used_up_in_the_old_period_s_last_second_is_saved_by_the_new() -> None:
    midnight = T0 + DAY
    what = book(on_demand=limited(2 * RATE, used=RATE))
    one = session("a", (midnight - 1, midnight + 1))
    drawn = draw(what, [PeriodBoundary(midnight)], [one], midnight - 1, midnight + 1)
    assert drawn.ends == {}
    assert drawn.book.on_demand.used == 2 * RATE
    assert [line.cost for line in drawn.lines] == [RATE, 2 * RATE]


def test_caps_count_from_zero_in_a_new_period() -> None:
    midnight = T0 + DAY
    what = book(committed(999), caps=(Cap("team", 10, 10 - 4),))
    one = session("a", (midnight - 4, midnight + 99), caps=("team",))
    drawn = draw(what, [PeriodBoundary(midnight)], [one], midnight - HOUR, midnight + HOUR)
    assert drawn.ends == {"a": Ended(midnight + 10, CAPPED, "team")}


def test_a_period_begins_at_midnight() -> None:
    with pytest.raises(ValueError, match="midnight"):
        PeriodBoundary(T0 + 1)
