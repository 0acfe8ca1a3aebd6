"""What an engine host has to do, as the database wants it."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from offload_portal.common.periods import to_seconds
from sessions import clock
from sessions.enums import EngineState
from sessions.models import Engine, Session
from sessions.selectors.facts import ends_from_below, facts_of


@dataclass(frozen=True, slots=True)
class EngineWish:
    """One engine that this host has or may take. `ended`: its session needs it no more.

    `over`: it is at its end, but nobody has written that down yet. An engine that did not answer
    in time is not meant: whoever starts it says why. `answer_by` is when the start is too late
    (rule 8).
    """

    session_id: uuid.UUID
    size: str
    state: EngineState
    slot: int | None
    ended: bool
    asked_at: datetime
    answer_by: datetime
    ready_at: datetime | None = None
    over: bool = False


def engine_wishes(*, provider: str, host_name: str, at: datetime) -> tuple[EngineWish, ...]:
    """Those of this host and those that no host has taken yet, oldest first.

    A fixed number of statements, few where nothing runs.
    """
    mine = Q(host_name=host_name) | Q(host_name="")
    rows = list(
        Engine.objects.there().filter(mine, provider=provider).order_by("asked_at", "session_id")
    )
    sessions = Session.objects.with_facts().in_bulk([row.session_id for row in rows])
    ends = ends_from_below(sessions.values())
    return tuple(
        _wish(row, sessions[row.session_id], ends.get(row.session_id, ()), at)
        for row in rows
        if row.session_id in sessions
    )


def _wish(row: Engine, session: Session, ends: Iterable[clock.EndFact], at: datetime) -> EngineWish:
    end = clock.end_of(facts_of(session, ends))
    return EngineWish(
        session_id=row.session_id,
        size=session.engine_size,
        state=EngineState(row.state),
        slot=row.slot,
        ended=session.ended_at is not None or session.stop_at is not None,
        asked_at=row.asked_at,
        answer_by=session.created_at + timedelta(seconds=session.start_timeout_seconds),
        ready_at=row.ready_at,
        over=end.at <= to_seconds(at) and end.reason != clock.EndReason.FAILED,
    )
