"""Which warnings are due (product.md rule 20): arithmetic alone."""

import pytest

from usage.alerts import Bound, Range, Reached, Warned, due, is_over, lasts_between

SHARES = (50, 75, 90, 100)
DAY = 86_400


def shares(bounds, warned=()):
    return [(one.bound.key, one.thresholds) for one in due(bounds, SHARES, warned)]


@pytest.mark.parametrize(
    ("used", "thresholds"),
    [
        (499, ()),
        (500, (50,)),
        (501, (50,)),
        (749, (50,)),
        (750, (75, 50)),
        (899, (75, 50)),
        (900, (90, 75, 50)),
        (999, (90, 75, 50)),
        (1_000, (100, 90, 75, 50)),
        (1_001, (100, 90, 75, 50)),
    ],
)
def test_a_threshold_is_due_from_its_very_share_on(used, thresholds):
    found = due([Bound("commitment", used, 1_000)], SHARES, ())
    assert [one.thresholds for one in found] == ([thresholds] if thresholds else [])


def test_threshold_jumps_40_to_100_percent_in_one_step_each_once_highest_first():
    before, after = Bound("commitment", 40, 100), Bound("commitment", 100, 100)
    assert due([before], SHARES, ()) == []
    assert due([after], SHARES, ()) == [Reached(after, (100, 90, 75, 50))]
    said = [Warned("commitment", share, 100) for share in SHARES]
    assert due([after], SHARES, said) == []


def test_the_gravest_bound_comes_first():
    bounds = [Bound("commitment", 60, 100), Bound("on_demand", 95, 100), Bound("cap:a", 91, 100)]
    assert [key for key, _each in shares(bounds)] == ["on_demand", "cap:a", "commitment"]


def test_a_limit_of_nothing_is_never_approached():
    assert shares([Bound("on_demand", 0, 0)]) == []


def test_a_raised_limit_is_not_warned_of_at_once_but_when_use_comes_near_it_again():
    said = [Warned("on_demand", 50, 100), Warned("on_demand", 75, 100)]
    assert shares([Bound("on_demand", 80, 150)], said) == []
    over = [Warned("on_demand", 50, 100, is_over=True), Warned("on_demand", 75, 100, is_over=True)]
    assert shares([Bound("on_demand", 80, 1_000)], over) == []
    assert shares([Bound("on_demand", 500, 1_000)], over) == [("on_demand", (50,))]


def test_a_limit_set_back_is_not_warned_of_twice():
    over = [Warned("on_demand", 50, 100, is_over=True)]
    assert shares([Bound("on_demand", 60, 100)], over) == []


@pytest.mark.parametrize(("limit", "over"), [(100, False), (133, False), (134, True), (0, True)])
def test_a_warning_is_over_once_use_is_below_its_share(limit, over):
    assert is_over([Bound("on_demand", 100, limit)], "on_demand", 75) is over


def test_a_bound_that_is_gone_is_over():
    assert is_over([], "on_demand", 75)


def test_the_range_leaves_out_the_quietest_and_the_busiest_day():
    assert lasts_between(120, [10, 20, 30], DAY) == Range(120 * 2 * DAY // 50, 120 * 2 * DAY // 30)


def test_without_its_only_busy_day_it_would_last_for_ever():
    assert lasts_between(120, [0, 0, 30], DAY) == Range(120 * 2 * DAY // 30, None)


@pytest.mark.parametrize("days", [[], [10], [10, 20], [0, 0, 0]])
def test_no_range_is_told_of_too_few_days_or_of_none_used(days):
    assert lasts_between(120, days, DAY) is None
