"""What a compute-second costs on demand, and since when."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime

from orgs.models import Organization
from usage.models import Rate


def current_rate(organization: Organization, at: datetime) -> int | None:
    """Micro-dollars for a compute-second on demand; None without a rate. One statement."""
    return rate_at(rates_of([organization.pk]).get(organization.pk, ()), at)


def rates_of(ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[tuple[date, int], ...]]:
    """By organization: pairs of the first day and micro-dollars for a compute-second."""
    found: dict[uuid.UUID, list[tuple[date, int]]] = defaultdict(list)
    rows = Rate.objects.filter(organization_id__in=ids).order_by("organization_id", "valid_from")
    for row in rows:
        found[row.organization_id].append((row.valid_from, row.microusd_per_compute_second))
    return {key: tuple(rates) for key, rates in found.items()}


def rate_at(rates: Sequence[tuple[date, int]], at: datetime) -> int | None:
    """The rate that holds on the instant's day, UTC."""
    today = at.astimezone(UTC).date()
    held = [rate for valid_from, rate in rates if valid_from <= today]
    return held[-1] if held else None
