"""Draw-down by hand: limits, lumps, facts of one second, caps (product.md rules 15 to 19)."""

from dataclasses import replace
from itertools import permutations

import pytest

from tests.usage.drawdown_cases import (
    CAPPED,
    DAY,
    EXHAUSTED,
    HOUR,
    NOON,
    OFF,
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
    CapChanged,
    Change,
    Ended,
    GivenBack,
    LimitChanged,
    Metered,
    OnDemandMode,
    PeriodBoundary,
    PoolAdded,
    Unpaid,
    draw,
)
from usage.rates import RateTable

# On-demand and its limit


def test_limited_to_zero_is_off_and_leaves_committed_time_alone() -> None:
    one = session("a", (NOON, NOON + 99))
    for setting in (OFF, limited(0), limited(0, let_finish=True)):
        drawn = draw_hour(book(committed(30), on_demand=setting), [one])
        assert written(drawn) == [("a", 0, "committed", 30, 30)]
        assert drawn.ends == {"a": Ended(NOON + 30, EXHAUSTED)}


def test_a_limit_pays_whole_compute_seconds_and_is_never_passed() -> None:
    drawn = draw_hour(
        book(on_demand=limited(20 * RATE + 9)), [session("a", (NOON, NOON + 99), multiplier=6)]
    )
    assert written(drawn) == [("a", 0, "on_demand", 4, 20)]
    assert drawn.unpaid == {"a": Unpaid(0, 4)}
    assert drawn.book.on_demand.used == 20 * RATE
    assert drawn.ends == {"a": Ended(NOON + 4, EXHAUSTED)}


def test_the_limit_counts_what_was_used_before_it_was_set() -> None:
    changed = LimitChanged(NOON + 20, 0, OnDemandMode.LIMITED, 50 * RATE)
    drawn = draw_hour(book(on_demand=UNLIMITED), [session("a", (NOON, NOON + 99))], changed)
    assert drawn.ends == {"a": Ended(NOON + 50, EXHAUSTED)}


def test_unlimited_never_runs_out() -> None:
    drawn = draw_hour(book(on_demand=UNLIMITED), [session("a", (NOON, NOON + HOUR), multiplier=6)])
    assert written(drawn) == [("a", 0, "on_demand", HOUR, 6 * HOUR)]
    assert drawn.ends == {}


def test_at_a_rate_of_nothing_a_limit_never_runs_out() -> None:
    free = replace(book(on_demand=limited(5)), rates=RateTable(((T0, 0),)))
    drawn = draw_hour(free, [session("a", (NOON, NOON + HOUR))])
    assert written(drawn) == [("a", 0, "on_demand", HOUR, HOUR)]
    assert drawn.book.on_demand.used == 0


def test_letting_sessions_finish_bills_over_the_limit_at_the_same_rate() -> None:
    setting = limited(20 * RATE + 3, let_finish=True)
    drawn = draw_hour(book(on_demand=setting), [session("a", (NOON, NOON + 10), multiplier=6)])
    assert written(drawn) == [("a", 0, "on_demand", 4, 20), ("a", 0, "over_limit", 6, 40)]
    assert drawn.book.on_demand.used == 60 * RATE
    assert drawn.ends == {}
    assert drawn.unpaid == {}


def test_no_longer_letting_sessions_finish_ends_them_there() -> None:
    setting = limited(5 * RATE, let_finish=True)
    changed = LimitChanged(NOON + 9, 0, OnDemandMode.LIMITED, 5 * RATE)
    drawn = draw_hour(book(on_demand=setting), [session("a", (NOON, NOON + 99))], changed)
    assert written(drawn) == [("a", 0, "on_demand", 5, 5), ("a", 0, "over_limit", 4, 4)]
    assert drawn.ends == {"a": Ended(NOON + 9, EXHAUSTED)}


# Lumps


def test_a_lump_belongs_to_the_hour_and_the_rate_of_its_instant() -> None:
    midnight = T0 + DAY
    one = session("a", (midnight, midnight + 1), lumps=((midnight, 2 * HOUR),), multiplier=2)
    drawn = draw(book(on_demand=UNLIMITED), [], [one], midnight - HOUR, midnight + HOUR)
    (line,) = drawn.lines
    assert (line.hour, line.seconds, line.lump_seconds) == (midnight, 2 * HOUR + 1, 2 * HOUR)
    assert line.cost == 2 * (2 * HOUR + 1) * 2 * RATE


def test_a_lump_takes_what_is_left_and_all_end_at_its_instant() -> None:
    two = [
        session("a", lumps=((NOON + 5, 10),), multiplier=2),
        session("b", (NOON, NOON + 99)),
    ]
    drawn = draw_hour(book(committed(5 + 13)), two)
    assert written(drawn) == [("a", 0, "committed", 7, 13), ("b", 0, "committed", 5, 5)]
    assert drawn.unpaid == {"a": Unpaid(3, 7)}
    assert drawn.ends == dict.fromkeys("ab", Ended(NOON + 5, EXHAUSTED))


def test_lumps_of_one_instant_go_in_the_order_of_sessions() -> None:
    late = session("a", lumps=((NOON + 5, 10),), start=NOON - 10)
    early = session("b", lumps=((NOON + 5, 10),), start=NOON - 20)
    drawn = draw_hour(book(committed(14)), [late, early])
    assert written(drawn) == [("a", 0, "committed", 4, 4), ("b", 0, "committed", 10, 10)]


def test_sessions_of_one_start_go_in_the_order_of_recording() -> None:
    second = Metered("a", (NOON - 9, 2), 1, ((NOON, NOON + 9),))
    first = Metered("b", (NOON - 9, 1), 1, ((NOON, NOON + 9),))
    drawn = draw_hour(book(committed(3)), [second, first])
    assert written(drawn) == [("a", 0, "committed", 1, 1), ("b", 0, "committed", 2, 2)]


def test_a_lump_comes_before_the_second_at_its_instant() -> None:
    two = [
        session("a", (NOON, NOON + 9), start=NOON - 99),
        session("b", lumps=((NOON + 2, 4),), start=NOON - 9),
    ]
    drawn = draw_hour(book(committed(6)), two)
    assert written(drawn) == [("a", 0, "committed", 2, 2), ("b", 0, "committed", 4, 4)]


# Two facts in one second, in every order of rule 18

FIFTH = NOON + 5


def of_the_fifth_second() -> dict[str, Change]:
    return {
        "bought": PoolAdded(FIFTH, 1, top_up(4, "bought")),
        "off": LimitChanged(FIFTH, 2, OnDemandMode.OFF),
        "limited": LimitChanged(FIFTH, 3, OnDemandMode.LIMITED, 8 * RATE),
        "back": GivenBack(FIFTH, 0, top_up(2, "back")),
    }


def test_facts_of_one_second_hold_in_the_order_of_recording_however_they_come() -> None:
    one = session("a", (NOON, NOON + 99), lumps=((FIFTH, 1),))
    results = [
        draw_hour(book(on_demand=limited(50 * RATE)), [one], *facts)
        for facts in permutations(of_the_fifth_second().values())
    ]
    assert all(result == results[0] for result in results)
    # Five seconds on demand; then 1 in a lump, 4 + 2 from pools, 3 more up to the limit of 8.
    assert written(results[0]) == [("a", 0, "on_demand", 8, 8), ("a", 0, "top_up", 6, 6)]
    assert results[0].ends == {"a": Ended(NOON + 5 + 8, EXHAUSTED)}


@pytest.mark.parametrize(("first", "ends"), [("off", NOON + 8), ("limited", FIFTH)])
def test_the_later_recorded_of_two_settings_holds(first: str, ends: int) -> None:
    facts = of_the_fifth_second()
    other = "limited" if first == "off" else "off"
    changes = [replace(facts[first], order=1), replace(facts[other], order=2)]
    one = session("a", (NOON, NOON + 99))
    drawn = draw_hour(book(on_demand=UNLIMITED), [one], *reversed(changes))
    assert drawn.ends == {"a": Ended(ends, EXHAUSTED)}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_boundary_expiry_and_purchase_come_before_lumps(order: tuple[int, ...]) -> None:
    midnight = T0 + DAY
    changes: list[Change] = [
        PeriodBoundary(midnight, order[0]),
        PoolAdded(midnight, order[1], replace(committed(10, "new"), starts_at=midnight)),
        GivenBack(midnight, order[2], top_up(1, "back")),
    ]
    one = session("a", (midnight, midnight + 3), lumps=((midnight, 8),))
    what = book(committed(999, expires=midnight), on_demand=limited(99, used=99))
    drawn = draw(what, changes, [one], midnight - 1, midnight + 60)
    assert drawn.pool_draws == {"new": 10, "back": 1}


# Caps


def test_a_cap_ends_its_own_people_only_and_in_mid_second() -> None:
    two = [
        session("a", (NOON, NOON + 20), multiplier=6, caps=("team",)),
        session("b", (NOON, NOON + 20)),
    ]
    drawn = draw_hour(book(committed(9_999), caps=(Cap("team", 20, 0),)), two)
    assert written(drawn) == [("a", 0, "committed", 4, 20), ("b", 0, "committed", 20, 20)]
    assert drawn.unpaid == {"a": Unpaid(0, 4)}
    assert drawn.ends == {"a": Ended(NOON + 4, CAPPED, "team")}
    assert drawn.book.caps == (Cap("team", 20, 20),)


def test_a_cap_counts_every_source() -> None:
    what = book(committed(3), top_up(3), on_demand=UNLIMITED, caps=(Cap("person", 10, 0),))
    drawn = draw_hour(what, [session("a", (NOON, NOON + 99), caps=("person",))])
    assert drawn.ends == {"a": Ended(NOON + 10, CAPPED, "person")}


def test_a_cap_holds_where_sessions_may_finish_over_the_limit() -> None:
    what = book(on_demand=limited(5 * RATE, let_finish=True), caps=(Cap("person", 8, 0),))
    drawn = draw_hour(what, [session("a", (NOON, NOON + 99), caps=("person",))])
    assert written(drawn) == [("a", 0, "on_demand", 5, 5), ("a", 0, "over_limit", 3, 3)]
    assert drawn.ends == {"a": Ended(NOON + 8, CAPPED, "person")}


@pytest.mark.parametrize(
    ("team", "person", "named"),
    [((20, 10), (30, 20), "team"), ((30, 20), (20, 10), "person"), ((9, -1), (9, -1), "person")],
)
def test_of_several_caps_the_tightest_is_named(
    team: tuple[int, int], person: tuple[int, int], named: str
) -> None:
    caps = (Cap("team", *team), Cap("person", *person))
    one = session("a", (NOON, NOON + 99), caps=("team", "person"))
    assert draw_hour(book(committed(999), caps=caps), [one]).ends["a"] == Ended(
        NOON + 10, CAPPED, named
    )


def test_the_organization_comes_before_a_cap() -> None:
    one = session("a", (NOON, NOON + 99), caps=("team",))
    what = book(committed(10), caps=(Cap("team", 10, 0),))
    assert draw_hour(what, [one]).ends == {"a": Ended(NOON + 10, EXHAUSTED)}
    what = book(committed(11), caps=(Cap("team", 10, 0),))
    assert draw_hour(what, [one]).ends == {"a": Ended(NOON + 10, CAPPED, "team")}


def test_a_lump_takes_what_the_cap_has_left() -> None:
    one = session("a", lumps=((NOON + 5, 10),), multiplier=2, caps=("team",))
    drawn = draw_hour(book(committed(999), caps=(Cap("team", 13, 0),)), [one])
    assert written(drawn) == [("a", 0, "committed", 7, 13)]
    assert drawn.unpaid == {"a": Unpaid(3, 7)}
    assert drawn.ends == {"a": Ended(NOON + 5, CAPPED, "team")}


def test_a_cap_that_is_raised_lowered_or_lifted_in_time() -> None:
    one = session("a", (NOON, NOON + 60), caps=("team",))
    what = book(committed(999), caps=(Cap("team", 30, 0),))
    for changes, end in (
        ([CapChanged(NOON + 30, 0, "team", 40)], NOON + 40),
        ([CapChanged(NOON + 30, 0, "team", None)], None),
        ([CapChanged(NOON + 10, 0, "team", 10)], NOON + 10),
        ([CapChanged(NOON + 10, 0, "team", 5)], NOON + 10),
        ([CapChanged(NOON + 5, 0, "team", None), CapChanged(NOON + 9, 1, "team", 12)], NOON + 12),
    ):
        expected = {"a": Ended(end, CAPPED, "team")} if end else {}
        assert draw_hour(what, [one], *changes).ends == expected


def test_a_session_under_a_spent_cap_ends_a_second_after_its_start() -> None:
    one = session("a", (NOON + 3, NOON + 9), start=NOON + 3, caps=("team",))
    drawn = draw_hour(book(committed(999), caps=(Cap("team", 0, 0),)), [one])
    assert drawn.ends == {"a": Ended(NOON + 4, CAPPED, "team")}
    assert drawn.unpaid == {"a": Unpaid(1, 1)}
    assert drawn.lines == ()


# What is refused, and how long it takes


def test_arguments_that_make_no_sense_are_refused() -> None:
    one = session("a", (NOON, NOON + 9), caps=("nobody",))
    with pytest.raises(ValueError, match="not in the book"):
        draw_hour(book(), [one])
    with pytest.raises(ValueError, match="not in the book"):
        draw_hour(book(), [], CapChanged(NOON, 0, "nobody", 5))
    with pytest.raises(ValueError, match="in the book already"):
        draw_hour(book(committed(5)), [], PoolAdded(NOON, 0, committed(5)))
    with pytest.raises(ValueError, match="before its start"):
        draw(book(), [], [], NOON, NOON - 1)
    with pytest.raises(ValueError, match="overlap"):
        session("a", (NOON, NOON + 9), (NOON + 8, NOON + 10))
    with pytest.raises(ValueError, match="multiplier"):
        session("a", multiplier=0)
    with pytest.raises(ValueError, match="twice"):
        session("a", caps=("team", "team"))


def test_a_thousand_sessions_over_an_hour_with_caps_of_their_own() -> None:
    many = [
        Metered(
            f"{n:04}",
            (NOON - 60, n),
            1 + n % 6,
            tuple((NOON + n + k * 900, NOON + n + k * 900 + 700) for k in range(3)),
            caps=("team", f"person-{n}"),
        )
        for n in range(1_000)
    ]
    caps = (Cap("team", 10**9, 0), *(Cap(f"person-{n}", 10**6, 0) for n in range(1_000)))
    drawn = draw_hour(book(committed(10**6), on_demand=UNLIMITED, caps=caps), many)
    assert sum(line.compute_seconds for line in drawn.lines) == sum(
        one.multiplier * (min(end, NOON + HOUR) - begin)
        for one in many
        for begin, end in one.spans
        if begin < NOON + HOUR
    )
