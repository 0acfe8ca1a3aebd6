"""A correction is another entry: the one it corrects stays as it is (product.md rule 17)."""

from dataclasses import replace

import pytest

from usage.corrections import Correction, correct, standing
from usage.pools import Source
from usage.tally import Line

LINE = Line("session", 7_200, Source.ON_DEMAND, 100, 10, 600, 3, 1_800)


def corrected(truth: Line, *earlier: Correction) -> Correction:
    return correct(
        LINE,
        truth,
        entry="entry",
        hour=36_000,
        reason="engine was down",
        ordered_by="owner",
        earlier=earlier,
    )


def test_the_difference_is_written_in_the_open_hour() -> None:
    truth = replace(LINE, seconds=60, lump_seconds=0, compute_seconds=360, cost=1_080)
    one = corrected(truth)
    assert (one.corrects, one.session, one.source) == ("entry", "session", Source.ON_DEMAND)
    assert one.hour == 36_000
    assert (one.seconds, one.lump_seconds, one.compute_seconds) == (-40, -10, -240)
    assert one.cost == -720
    assert (one.reason, one.ordered_by) == ("engine was down", "owner")


def test_entry_and_correction_together_are_the_truth() -> None:
    truth = replace(LINE, rate=2, cost=1_200)
    assert standing(LINE, [corrected(truth)]) == truth


def test_a_second_correction_starts_from_what_stands() -> None:
    first = corrected(replace(LINE, seconds=60, compute_seconds=360, cost=1_080))
    truth = replace(LINE, seconds=50, compute_seconds=300, cost=900)
    second = corrected(truth, first)
    assert second.seconds == -10
    assert standing(LINE, [first, second]) == truth


def test_what_is_right_already_is_not_corrected() -> None:
    with pytest.raises(ValueError, match="nothing to correct"):
        corrected(LINE)


@pytest.mark.parametrize("other", [{"session": "b"}, {"hour": 0}, {"source": Source.TOP_UP}])
def test_a_correction_stays_with_its_entry(other: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="keeps the session"):
        corrected(replace(LINE, **other))  # type: ignore[arg-type]


@pytest.mark.parametrize(("reason", "ordered_by"), [(" ", "owner"), ("typo", "")])
def test_a_correction_says_why_and_who(reason: str, ordered_by: str) -> None:
    truth = replace(LINE, cost=0)
    with pytest.raises(ValueError, match="reason"):
        correct(LINE, truth, entry="entry", hour=0, reason=reason, ordered_by=ordered_by)
