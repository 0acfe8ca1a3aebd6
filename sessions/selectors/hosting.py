"""What an engine host has to do, as the database wants it."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from sessions.enums import EngineState
from sessions.models import Engine


@dataclass(frozen=True, slots=True)
class EngineWish:
    """One engine that this host has or may take. `ended`: its session needs it no more.

    `answer_by` is when the start is too late (rule 8).
    """

    session_id: uuid.UUID
    size: str
    state: EngineState
    slot: int | None
    ended: bool
    asked_at: datetime
    answer_by: datetime
    ready_at: datetime | None = None


def engine_wishes(*, provider: str, host_name: str) -> tuple[EngineWish, ...]:
    """Those of this host and those that no host has taken yet, oldest first."""
    mine = Q(host_name=host_name) | Q(host_name="", state=EngineState.WANTED)
    rows = (
        Engine.objects.there()
        .filter(mine, provider=provider)
        .select_related("session")
        .order_by("asked_at", "session_id")
    )
    return tuple(_wish(row) for row in rows)


def _wish(row: Engine) -> EngineWish:
    session = row.session
    return EngineWish(
        session_id=row.session_id,
        size=session.engine_size,
        state=EngineState(row.state),
        slot=row.slot,
        ended=session.ended_at is not None or session.stop_at is not None,
        asked_at=row.asked_at,
        answer_by=session.created_at + timedelta(seconds=session.start_timeout_seconds),
        ready_at=row.ready_at,
    )
