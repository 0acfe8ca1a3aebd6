"""What is left to start with, as of the watermark."""

import uuid
from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class CapRoom:
    """What a cap leaves to start with, in compute-seconds. `scope` is a word of `CapScope`."""

    scope: str
    name: str
    limit: int
    used: int
    reserved: int
    resets_at: datetime | None

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def free(self) -> int:
        """What nobody holds back for a session that runs."""
        return max(0, self.left - self.reserved)

    def has(self, needed: int) -> bool:
        return self.left - self.reserved >= needed


def tightest(rooms: Sequence[CapRoom]) -> CapRoom:
    """The one that leaves least; of two the smaller cap (rule 19)."""
    return min(rooms, key=lambda room: (room.left - room.reserved, room.limit, room.name))
