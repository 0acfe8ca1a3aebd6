"""When owners are warned (product.md rule 20): bounds and thresholds in, what is due out.

A bound is whatever use counts against: the commitment, the on-demand limit, a cap. Amounts are
compute-seconds or micro-dollars, as its unit says; thresholds are whole percent.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

COMMITMENT = "commitment"
ON_DEMAND = "on_demand"
FORECAST = "forecast"
MOVED = "moved"
CAP = "cap:"  # and its identifier
DAYS = 7


@dataclass(frozen=True, slots=True)
class Bound:
    """`key` is unique in its organization; `name` is whose it is, "" for the organization's own.

    `person` is the identifier of who is meant where it is somebody's own.
    """

    key: str
    used: int
    limit: int
    in_money: bool = False
    name: str = ""
    person: UUID | None = None

    def has_reached(self, threshold: int) -> bool:
        """A limit of 0 is no limit that could be approached: it behaves as off (rule 19)."""
        return self.limit > 0 and self.used * 100 >= threshold * self.limit

    @property
    def percent(self) -> int:
        """Rounded down, so that 100 is never said before it is so."""
        return self.used * 100 // self.limit if self.limit else 0


@dataclass(frozen=True, slots=True)
class Warned:
    """What was warned of in this period: another limit is another thing to be warned of."""

    bound: str
    threshold: int
    limit: int
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Reached:
    """A bound and every threshold that is due for it, the highest first."""

    bound: Bound
    thresholds: tuple[int, ...]


def due(
    bounds: Sequence[Bound], thresholds: Collection[int], warned: Collection[Warned]
) -> list[Reached]:
    """What has been reached and not been said, the highest share first.

    A threshold is said once for a limit, and not again under another limit while it stands: who
    raises a limit a little has just been told.
    """
    said = {(one.bound, one.threshold, one.limit) for one in warned}
    standing = {(one.bound, one.threshold) for one in warned if not one.is_over}
    found = []
    for bound in bounds:
        fresh = [
            threshold
            for threshold in sorted(set(thresholds), reverse=True)
            if bound.has_reached(threshold)
            and (bound.key, threshold) not in standing
            and (bound.key, threshold, bound.limit) not in said
        ]
        if fresh:
            found.append(Reached(bound, tuple(fresh)))
    return sorted(found, key=lambda one: (-one.thresholds[0], -one.bound.percent, one.bound.key))


def is_over(bounds: Sequence[Bound], bound: str, threshold: int) -> bool:
    """Does what was warned of no longer hold: the limit was raised, or is gone?"""
    present = next((one for one in bounds if one.key == bound), None)
    return present is None or not present.has_reached(threshold)


@dataclass(frozen=True, slots=True)
class Range:
    """Wall seconds until it runs out; `latest` None is not at all at the slower pace."""

    earliest: int
    latest: int | None


def lasts_between(left: int, days: Sequence[int], day_seconds: int) -> Range | None:
    """How long `left` lasts at the pace of the last days without their quietest, or busiest, one.

    None with fewer than three days: two say nothing of how much days differ.
    """
    if len(days) < 3:
        return None
    seconds = (len(days) - 1) * day_seconds
    fast, slow = sum(days) - min(days), sum(days) - max(days)
    if not fast:
        return None
    return Range(left * seconds // fast, left * seconds // slow if slow else None)
