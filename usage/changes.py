"""What can happen to an allowance, each with its instant (POSIX seconds, UTC).

At one instant the boundary of a period comes first, then changes in the order in which they were
recorded, then time given back (product.md rule 18). `order` is the order of recording.
"""

from dataclasses import dataclass

from offload_portal.common.periods import DAY
from usage.pools import OnDemandMode, Pool


@dataclass(frozen=True, slots=True)
class PeriodBoundary:
    """A new period: on-demand and every cap count from zero. Pools expire by themselves."""

    at: int
    order: int = 0

    def __post_init__(self) -> None:
        if self.at % DAY:
            raise ValueError("A period begins at a midnight, UTC.")


@dataclass(frozen=True, slots=True)
class PoolAdded:
    """A purchase, more commitment, or a new period's commitment."""

    at: int
    order: int
    pool: Pool


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Time given back after a lost engine (product.md rule 12), as a top-up of the period."""

    at: int
    order: int
    pool: Pool


@dataclass(frozen=True, slots=True)
class LimitChanged:
    """The on-demand setting from here on; what was used stays."""

    at: int
    order: int
    mode: OnDemandMode
    limit: int | None = None  # micro-dollars
    let_finish: bool = False


@dataclass(frozen=True, slots=True)
class CapChanged:
    """A cap's limit from here on, in compute-seconds; None lifts it and goes on counting."""

    at: int
    order: int
    cap: str
    limit: int | None


Change = PeriodBoundary | PoolAdded | GivenBack | LimitChanged | CapChanged


def turn(change: Change) -> tuple[int, int, int]:
    """Sorts changes into the order in which they hold (product.md rule 18)."""
    rank = {PeriodBoundary: 0, GivenBack: 2}.get(type(change), 1)
    return (change.at, rank, change.order)
