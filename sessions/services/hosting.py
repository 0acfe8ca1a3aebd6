"""What an engine host writes down of its engines. Each may be said twice."""

import uuid
from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction

from sessions.enums import EngineState
from sessions.models import Engine, Session
from sessions.models.engine import EngineQuerySet
from sessions.services.engines import engine_failed, engine_lost, engine_ready
from sessions.services.metering import meter_organization


def take_engine(*, session_id: uuid.UUID, host_name: str, slot: int) -> bool:
    """This host starts it. False where another host has taken it, or the slot is taken."""
    free = Engine.objects.filter(pk=session_id, host_name="", state=EngineState.WANTED)
    try:
        with transaction.atomic():
            taken = free.update(host_name=host_name, slot=slot, state=EngineState.STARTING)
    except IntegrityError:
        return False
    return bool(taken)


def note_ready(
    *,
    at: datetime,
    session_id: uuid.UUID,
    address: str,
    left_out: tuple[str, ...],
    timings: Mapping[str, float],
) -> bool:
    """The engine answers. False where its session has ended by then: it goes again (rule 8)."""
    with transaction.atomic():
        in_time = engine_ready(at=at, session_id=session_id)
        starting = Engine.objects.filter(pk=session_id, state=EngineState.STARTING)
        starting.update(
            state=EngineState.READY if in_time else EngineState.STOPPING,
            ready_at=at if in_time else None,
            address=address if in_time else "",
            left_out=list(left_out),
            timings=dict(timings),
        )
    return in_time


def note_failed(*, at: datetime, session_id: uuid.UUID, reason: str) -> None:
    """It will never answer. Its session fails; what is there of it goes."""
    with transaction.atomic():
        engine_failed(at=at, session_id=session_id, reason=reason)
        _there(session_id).update(state=EngineState.STOPPING, failure=reason)


def note_lost(
    *, at: datetime, session_id: uuid.UUID, reason: str, last_seen_at: datetime | None
) -> None:
    """It answered and will no more (rule 12). Never seen since it was ready: seen then."""
    with transaction.atomic():
        ready_at = Engine.objects.values_list("ready_at", flat=True).get(pk=session_id)
        seen = max(filter(None, (ready_at, last_seen_at)), default=at)
        engine_lost(at=at, session_id=session_id, reason=reason, last_seen_at=min(seen, at))
        _there(session_id).update(state=EngineState.LOST, failure=reason, address="")


def note_over(*, at: datetime, session_id: uuid.UUID) -> None:
    """The session is over by the clock (rule 8, 10, 11): write it down before the next sweep does.

    Metering writes the end where it is still true once nothing else can be recorded before it; a
    report that was on its way may have resumed the session meanwhile. The engine goes afterwards.
    """
    organization = Session.objects.values_list("organization_id", flat=True).get(pk=session_id)
    meter_organization(organization_id=organization, at=at)


def note_removed(*, at: datetime, session_id: uuid.UUID) -> None:
    """Nothing of it is left on its host; its slot is free."""
    _there(session_id).update(state=EngineState.REMOVED, removed_at=at, slot=None, address="")


def _there(session_id: uuid.UUID) -> EngineQuerySet:
    return Engine.objects.there().filter(pk=session_id)
