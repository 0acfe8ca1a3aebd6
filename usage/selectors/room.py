"""What is left to start with, as of the watermark."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from usage.enums import OnDemand
from usage.models import Allowance


@dataclass(frozen=True, slots=True)
class Room:
    """In compute-seconds; `left` is None without a limit. Money is micro-dollars."""

    left: int | None
    reserved: int
    mode: str
    limit_microusd: int | None
    used_microusd: int
    resets_at: datetime | None

    def has(self, needed: int) -> bool:
        return self.left is None or self.left - self.reserved >= needed


NO_ROOM = Room(0, 0, OnDemand.OFF, None, 0, None)


def room(organization_id: uuid.UUID) -> Room:
    """Nothing is left before the first subscription."""
    allowance = Allowance.objects.filter(pk=organization_id).first()
    if allowance is None:
        return NO_ROOM
    return Room(
        left=allowance.left_compute_seconds,
        reserved=allowance.reserved_compute_seconds,
        mode=allowance.on_demand_mode,
        limit_microusd=allowance.on_demand_limit_microusd,
        used_microusd=allowance.on_demand_used_microusd,
        resets_at=allowance.period_end,
    )
