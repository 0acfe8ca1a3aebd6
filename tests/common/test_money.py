"""Money is exact: rounded once, half-even, and never through a float (product.md rules 21, 22)."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offload_portal.common import money

AMOUNTS = st.integers(-(10**15), 10**15)


@pytest.mark.parametrize(
    ("microusd", "cents"),
    [
        (0, 0),
        (4_999, 0),
        (5_000, 0),
        (5_001, 1),
        (14_999, 1),
        (15_000, 2),
        (25_000, 2),
        (-4_999, 0),
        (-5_000, 0),
        (-5_001, -1),
        (-15_000, -2),
        (-25_000, -2),
        (-25_001, -3),
    ],
)
def test_cents_are_rounded_half_even(microusd: int, cents: int) -> None:
    assert money.round_to_cents(microusd) == cents


@given(AMOUNTS)
def test_rounding_agrees_with_fractions_and_is_symmetric(microusd: int) -> None:
    assert money.round_to_cents(microusd) == round(Fraction(microusd, 10_000))
    assert money.round_to_cents(-microusd) == -money.round_to_cents(microusd)


@given(AMOUNTS)
def test_cents_survive_the_way_there_and_back(cents: int) -> None:
    assert money.round_to_cents(money.cents_to_microusd(cents)) == cents


@pytest.mark.parametrize(
    ("left", "down", "up"), [(0, 0, 0), (1, 33, 34), (2, 66, 67), (3, 100, 100)]
)
def test_a_charge_is_rounded_down_and_a_grant_up(left: int, down: int, up: int) -> None:
    assert money.prorate_charge_down(100, left, 3) == down
    assert money.prorate_grant_up(100, left, 3) == up


@given(st.integers(0, 10**15), st.integers(0, 3_000_000), st.integers(1, 3_000_000))
def test_a_share_is_within_one_of_the_exact_share(amount: int, left: int, whole: int) -> None:
    left = min(left, whole)
    exact = Fraction(amount * left, whole)
    assert exact - 1 < money.prorate_charge_down(amount, left, whole) <= exact
    assert exact <= money.prorate_grant_up(amount, left, whole) < exact + 1


@pytest.mark.parametrize(
    ("amount", "left", "whole"), [(-1, 1, 2), (1, 3, 2), (1, -1, 2), (1, 0, 0)]
)
def test_what_is_no_share_is_refused(amount: int, left: int, whole: int) -> None:
    for share in (money.prorate_charge_down, money.prorate_grant_up):
        with pytest.raises(ValueError, match="share"):
            share(amount, left, whole)


def test_a_rate_is_shown_per_hour() -> None:
    assert money.format_usd(money.per_hour(278)) == "$1.00"
    assert money.format_usd(money.per_hour(278), places=4) == "$1.0008"


@pytest.mark.parametrize(
    ("microusd", "places", "text"),
    [
        (0, 2, "$0.00"),
        (1_234_560_000, 2, "$1,234.56"),
        (-1_234_560_000, 2, "-$1,234.56"),
        (999_995_001, 2, "$1,000.00"),
        (5_000, 2, "$0.00"),
        (15_000, 2, "$0.02"),
        (-4_000, 2, "$0.00"),
        (1_234_567, 6, "$1.234567"),
        (1_500_000, 0, "$2"),
        (2_500_000, 0, "$2"),
        (10**18 + 10_000, 2, "$1,000,000,000,000.01"),
    ],
)
def test_dollars_are_written_from_integers(microusd: int, places: int, text: str) -> None:
    assert money.format_usd(microusd, places) == text


@pytest.mark.parametrize("places", [-1, 7])
def test_there_are_at_most_six_places(places: int) -> None:
    with pytest.raises(ValueError, match="places"):
        money.format_usd(1, places)


@pytest.mark.parametrize(
    ("text", "microusd"),
    [
        ("0", 0),
        ("25", 25_000_000),
        (" $25.5 ", 25_500_000),
        ("1,234.56", 1_234_560_000),
        ("1234567.000001", 1_234_567_000_001),
        ("999999999999.999999", 999_999_999_999_999_999),
    ],
)
def test_typed_dollars_are_read(text: str, microusd: int) -> None:
    assert money.parse_usd(text) == microusd


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "inf",
        "-1",
        "-0",
        "1e3",
        "1.2.3",
        "1,23",
        "12,34.5",
        "1.",
        ".5",
        "٣",
        "0x10",
        "1_000",
    ],
)
def test_what_is_no_amount_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$"):
        money.parse_usd(text)


@pytest.mark.parametrize("text", ["1000000000000", "1.0000001", "9" * 5_000])
def test_an_amount_has_a_bounded_number_of_digits(text: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        money.parse_usd(text)


@given(st.integers(0, 10**17))
def test_what_is_written_is_read_back(microusd: int) -> None:
    assert money.parse_usd(money.format_usd(microusd, places=6)) == microusd
