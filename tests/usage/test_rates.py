"""Sizes, rates and what is left (product.md rules 16 and 19)."""

from dataclasses import replace

import pytest

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
from usage.rates import DEFAULT_SIZES, EngineSize, RateTable, payable

DAY = 86_400
GIB = 2**30
RATES = RateTable(((DAY, 4), (3 * DAY, 5)))
POOLS = (
    Pool("a", Source.COMMITTED, 100, 0, 5 * DAY, 0),
    Pool("b", Source.TOP_UP, 50, 2 * DAY, 5 * DAY, 1),
)


def book(on_demand: OnDemand, *caps: Cap) -> Book:
    return Book(POOLS, on_demand, caps, RATES)


def test_the_sizes_are_those_of_the_rule() -> None:
    sizes = [(one.name, one.vcpus, one.memory_bytes // GIB, one.gpus) for one in DEFAULT_SIZES]
    assert sizes == [("standard", 4, 8, 0), ("large", 8, 16, 0), ("gpu", 4, 16, 1)]
    assert [one.multiplier for one in DEFAULT_SIZES] == [1, 2, 6]


def test_a_size_needs_a_multiplier() -> None:
    with pytest.raises(ValueError, match="multiplier"):
        EngineSize("free", 1, GIB, 0, 0)


@pytest.mark.parametrize(("at", "rate"), [(DAY, 4), (3 * DAY - 1, 4), (3 * DAY, 5), (9 * DAY, 5)])
def test_a_rate_holds_from_its_midnight(at: int, rate: int) -> None:
    assert RATES.rate_at(at) == rate


def test_before_the_first_rate_there_is_none() -> None:
    with pytest.raises(ValueError, match="No on-demand rate"):
        RATES.rate_at(DAY - 1)


@pytest.mark.parametrize(
    "rates", [((1, 4),), ((DAY, 4), (0, 4)), ((DAY, 4), (DAY, 5)), ((DAY, -1),)]
)
def test_a_table_of_rates_is_in_order_and_of_midnights(rates: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match=r"[Rr]ate"):
        RateTable(rates)


@pytest.mark.parametrize(
    ("limit", "used", "rate", "seconds"),
    [(10, 0, 3, 3), (10, 1, 3, 3), (10, 2, 3, 2), (10, 8, 3, 0), (10, 11, 3, 0)],
)
def test_a_limit_pays_whole_compute_seconds(limit: int, used: int, rate: int, seconds: int) -> None:
    assert payable(limit, used, rate) == seconds


def test_without_a_limit_or_a_price_any_time_can_be_paid() -> None:
    assert payable(None, 5, 3) is None
    assert payable(10, 50, 0) is None


def test_left_is_pools_that_are_open_and_on_demand() -> None:
    setting = OnDemand(OnDemandMode.LIMITED, limit=41, used=0)
    assert left(book(setting), DAY) == 100 + 10
    assert left(book(setting), 2 * DAY) == 150 + 10
    assert left(book(setting), 3 * DAY) == 150 + 8
    assert left(book(setting), 5 * DAY) == 8


def test_off_and_limited_to_zero_leave_the_pools() -> None:
    assert left(book(OnDemand(OnDemandMode.OFF)), DAY) == 100
    assert left(book(OnDemand(OnDemandMode.LIMITED, limit=0, let_finish=True)), DAY) == 100


def test_unlimited_has_no_bound() -> None:
    assert left(book(OnDemand(OnDemandMode.UNLIMITED)), DAY) is None


def test_letting_running_sessions_finish_leaves_nothing_to_start_with() -> None:
    setting = OnDemand(OnDemandMode.LIMITED, limit=41, used=50, let_finish=True)
    assert left(book(setting), 9 * DAY) == 0


@pytest.mark.parametrize(("multiplier", "seconds"), [(1, 110), (2, 55), (6, 18)])
def test_a_bigger_engine_runs_shorter(multiplier: int, seconds: int) -> None:
    setting = OnDemand(OnDemandMode.LIMITED, limit=41)
    assert affordable_seconds(book(setting), DAY, multiplier) == seconds


def test_the_tightest_bound_counts() -> None:
    one = book(OnDemand(OnDemandMode.UNLIMITED), Cap("team", 20, 5), Cap("person", None, 9))
    assert affordable_seconds(one, DAY, 2) is None
    assert affordable_seconds(one, DAY, 2, caps=["person"]) is None
    assert affordable_seconds(one, DAY, 2, caps=["person", "team"]) == 7
    assert affordable_seconds(replace(one, caps=(Cap("team", 5, 9),)), DAY, 2, ["team"]) == 0


def test_values_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="limit"):
        OnDemand(OnDemandMode.LIMITED)
    with pytest.raises(ValueError, match="top-up"):
        replace(POOLS[0], source=Source.ON_DEMAND)
    with pytest.raises(ValueError, match="below zero"):
        replace(POOLS[0], left=-1)
