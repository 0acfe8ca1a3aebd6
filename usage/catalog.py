"""The plans that a new portal offers (product.md rule 23). Operators edit the rows afterwards.

Money is micro-dollars, times are compute-seconds. Time bought ahead is cheaper than on-demand,
and a larger plan's time is cheaper than a smaller one's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DOLLAR = 1_000_000
HOUR = 3_600


@dataclass(frozen=True, slots=True)
class Offer:
    """One plan of the catalog. `per_ten` is its on-demand rate in tenths of the portal's rate."""

    slug: str
    name: str
    summary: str
    licenses: int
    committed_hours: int
    price_dollars: int
    per_ten: int
    trial_days: int = 0


PLANS = (
    Offer("team", "Team", "For one team that builds and tests every day.", 10, 100, 29, 10),
    Offer("business", "Business", "For several teams that share one commitment.", 50, 600, 149, 9),
    Offer("scale", "Scale", "For builds that never stop.", 250, 4_000, 790, 8),
)


def offers(trial_days: int, trial_hours: int) -> tuple[Offer, ...]:
    trial = Offer(
        "trial", "Trial", "To see it at work. No card.", 5, trial_hours, 0, 10, trial_days
    )
    return (trial, *PLANS)


def values_of(offer: Offer, position: int, rate: int) -> Mapping[str, Any]:
    """The row of an offer, `rate` being the portal's on-demand rate per compute-second."""
    on_demand = rate * offer.per_ten // 10
    return {
        "name": offer.name,
        "summary": offer.summary,
        "licenses": offer.licenses,
        "committed_compute_seconds": offer.committed_hours * HOUR,
        "price_microusd": offer.price_dollars * DOLLAR,
        "on_demand_rate_microusd": on_demand,
        "commitment_rate_microusd": on_demand * 8 // 10,
        "trial_days": offer.trial_days,
        "position": position,
    }


def install(plans: Any, *, trial_days: int, trial_hours: int, rate: int) -> None:
    """Add the offers that are missing; what operators changed stays. `plans` is Plan's manager."""
    for position, offer in enumerate(offers(trial_days, trial_hours)):
        plans.get_or_create(slug=offer.slug, defaults=values_of(offer, position, rate))
