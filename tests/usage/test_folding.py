"""Groups too small to be shown become one, so that no difference gives them away."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from usage.selectors.reports import FOLDED, UsageRow, UsageSums, folded

AT = datetime(2026, 3, 11, tzinfo=UTC)


def row(group: str, people: int, seconds: int = 1, day: int = 0) -> UsageRow:
    start = AT + timedelta(days=day)
    sums = UsageSums(seconds, seconds, 0, people, people)
    return UsageRow(start, start + timedelta(days=1), group, group, sums)


def shown(rows: list[UsageRow]) -> dict[str, int]:
    return {one.group: one.sums.people for one in rows}


def test_groups_of_five_stay_and_smaller_ones_become_one() -> None:
    rows = [row("a", 5), row("b", 4), row("c", 2), row("d", 9)]
    assert shown(folded(rows, apart=True)) == {"a": 5, "d": 9, FOLDED: 6}


def test_where_the_small_ones_are_too_few_the_next_goes_with_them() -> None:
    rows = [row("a", 5), row("b", 4), row("d", 9)]
    assert shown(folded(rows, apart=True)) == {"d": 9, FOLDED: 9}


def test_where_people_may_be_in_several_the_largest_is_all_that_is_known() -> None:
    rows = [row("a", 5), row("b", 4), row("c", 4)]
    assert shown(folded(rows, apart=False)) == {FOLDED: 5}


def test_four_people_in_all_are_left_out() -> None:
    assert folded([row("a", 3), row("b", 1)], apart=True) == []
    assert folded([row("a", 4)], apart=False) == []


def test_each_bucket_is_folded_for_itself() -> None:
    rows = [row("a", 6), row("a", 4, day=1), row("b", 6, day=1)]
    found = folded(rows, apart=True)
    assert [(one.start.day, one.group, one.sums.people) for one in found] == [
        (11, "a", 6),
        (12, FOLDED, 10),
    ]


GROUPS = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 100)), max_size=8)


@given(GROUPS, st.booleans())
def test_nothing_shown_is_of_fewer_than_five_and_nothing_can_be_taken_away_to_get_there(
    groups: list[tuple[int, int]], apart: bool
) -> None:
    rows = [row(f"g{number}", *each) for number, each in enumerate(groups)]
    found = folded(rows, apart=apart)
    assert all(one.sums.people >= 5 for one in found)
    if found:
        left_over = sum(each for _people, each in groups) - sum(one.sums.seconds for one in found)
        assert left_over == 0, "what is shown is all there is, or nothing is"
