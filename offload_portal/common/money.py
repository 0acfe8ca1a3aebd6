"""Money as integer micro-dollars, rounded once and in one place (product.md rules 21 and 22).

Every amount is an `int` of micro-dollars unless its name says cents. No float and no Decimal comes
near it: what isn't a whole number of micro-dollars doesn't exist here.
"""

import re

MICRO = 1_000_000
MICRO_PER_CENT = MICRO // 100
SECONDS_PER_HOUR = 3_600
MOST_WHOLE_DIGITS = 12  # 10**12 dollars in micro-dollars still fit a signed 64-bit column
MOST_PLACES = 6

_WRITTEN = re.compile(r"\$?\s*(?P<whole>\d+|\d{1,3}(?:,\d{3})+)(?:\.(?P<part>\d+))?", re.ASCII)


def _divide_half_even(amount: int, by: int) -> int:
    """`amount / by`, a tie going to the even neighbour, on both sides of zero."""
    quotient, rest = divmod(amount, by)
    # divmod floors, so `rest` is never negative and one comparison serves both signs.
    if 2 * rest > by or (2 * rest == by and quotient % 2):
        quotient += 1
    return quotient


def round_to_cents(microusd: int) -> int:
    """Cents, half-even (product.md rule 21). Called once, per statement line."""
    return _divide_half_even(microusd, MICRO_PER_CENT)


def cents_to_microusd(cents: int) -> int:
    return cents * MICRO_PER_CENT


def _check_share(amount: int, left: int, whole: int) -> None:
    if amount < 0:
        raise ValueError(f"A share is taken of zero or more, not of {amount}.")
    if whole <= 0 or not 0 <= left <= whole:
        raise ValueError(f"{left} of {whole} seconds is not a share of a period.")


def prorate_charge_down(amount: int, left: int, whole: int) -> int:
    """What `left` of `whole` seconds cost, rounded down (product.md rule 22)."""
    _check_share(amount, left, whole)
    return amount * left // whole


def prorate_grant_up(amount: int, left: int, whole: int) -> int:
    """What `left` of `whole` seconds bring, rounded up (product.md rule 22)."""
    _check_share(amount, left, whole)
    return -(-amount * left // whole)


def per_hour(rate: int) -> int:
    """A rate in micro-dollars per compute-second as micro-dollars per compute-hour."""
    return rate * SECONDS_PER_HOUR


def format_usd(microusd: int, places: int = 2) -> str:
    """`$1,234.56`; a negative amount is `-$1,234.56`. Rounds half-even to 0 to 6 places."""
    if not 0 <= places <= MOST_PLACES:
        raise ValueError(f"Dollars are shown with 0 to {MOST_PLACES} places, not with {places}.")
    shown = _divide_half_even(microusd, 10 ** (MOST_PLACES - places))
    whole, part = divmod(abs(shown), 10**places)
    sign = "-" if shown < 0 else ""
    return f"{sign}${whole:,}" + (f".{part:0{places}}" if places else "")


def parse_usd(text: str) -> int:
    """Micro-dollars from what a person typed: `12`, `12.50`, `$1,234.56`. Never negative."""
    written = text.strip()
    found = _WRITTEN.fullmatch(written)
    if not found:
        if written.startswith("-"):
            raise ValueError("An amount can't be negative.")
        raise ValueError("Write an amount in dollars, for example 25 or 1,234.56.")
    whole, part = found["whole"].replace(",", ""), found["part"] or ""
    if len(whole) > MOST_WHOLE_DIGITS:
        raise ValueError(f"An amount has at most {MOST_WHOLE_DIGITS} digits before the point.")
    if len(part) > MOST_PLACES:
        raise ValueError(f"An amount has at most {MOST_PLACES} digits after the point.")
    return int(whole) * MICRO + int(part.ljust(MOST_PLACES, "0"))
