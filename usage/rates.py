"""Engine sizes and on-demand rates (product.md rule 16).

One wall second on a size with multiplier M is M compute-seconds. A rate is a whole number of
micro-dollars per compute-second and holds from a midnight, UTC. Instants are POSIX seconds.
"""

from bisect import bisect_right
from dataclasses import dataclass

from offload_portal.common.periods import DAY

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class EngineSize:
    """What an engine has, and how many compute-seconds one of its seconds is."""

    name: str
    vcpus: int
    memory_bytes: int
    gpus: int
    multiplier: int

    def __post_init__(self) -> None:
        if self.multiplier < 1:
            raise ValueError(f"Engine size {self.name} needs a multiplier of at least 1.")


DEFAULT_SIZES = (
    EngineSize("standard", vcpus=4, memory_bytes=8 * GIB, gpus=0, multiplier=1),
    EngineSize("large", vcpus=8, memory_bytes=16 * GIB, gpus=0, multiplier=2),
    EngineSize("gpu", vcpus=4, memory_bytes=16 * GIB, gpus=1, multiplier=6),
)


@dataclass(frozen=True, slots=True)
class RateTable:
    """(from this midnight, micro-dollars per compute-second), in order of time."""

    rates: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        starts = [start for start, _ in self.rates]
        if starts != sorted(set(starts)):
            raise ValueError("Rates come in order of time, one for each midnight.")
        if any(start % DAY for start in starts):
            raise ValueError("A rate holds from a midnight, UTC.")
        if any(rate < 0 for _, rate in self.rates):
            raise ValueError("A rate can't be negative.")

    def rate_at(self, at: int) -> int:
        """The rate that holds at the instant: its midnight belongs to the new one."""
        place = bisect_right(self.rates, at, key=lambda entry: entry[0])
        if not place:
            raise ValueError(f"No on-demand rate holds at {at}. Add one that begins before it.")
        return self.rates[place - 1][1]


def payable(limit: int | None, used: int, rate: int) -> int | None:
    """Compute-seconds that `limit - used` micro-dollars still pay; None is without a bound.

    Rounded down, so that no limit is ever passed (product.md rule 16). At a rate of 0 time costs
    nothing and no amount bounds it.
    """
    if limit is None or rate == 0:
        return None
    return max(0, limit - used) // rate
