"""Time given back after an engine was lost (product.md rule 12)."""

import uuid
from datetime import datetime

from usage.enums import PoolKind, PoolOrigin
from usage.models import Allowance, Pool
from usage.services import metering


def give_back(
    *, at: datetime, allowance: Allowance, compute_seconds: int, cause: str
) -> Pool | None:
    """A top-up of the period, usable from `at` on; made once for its cause.

    The organization is locked and metered to `at`. Nothing is given where nothing was billed,
    or where no period goes on.
    """
    if compute_seconds <= 0 or allowance.period_end is None or allowance.period_end <= at:
        return None
    pool, _created = Pool.objects.get_or_create(
        organization_id=allowance.organization_id,
        cause=cause,
        defaults={
            "kind": PoolKind.TOP_UP,
            "origin": PoolOrigin.GIVEN_BACK,
            "compute_seconds": compute_seconds,
            "starts_at": at,
            "expires_at": allowance.period_end,
            "bought_at": at,
        },
    )
    metering.refresh_left(allowance, at)
    return pool


def lost_cause(session_id: uuid.UUID) -> str:
    return f"engine_lost:{session_id}"
