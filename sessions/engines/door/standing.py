"""What the door knows of each session: who may come in, to where, or why not."""

import logging
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from offload_portal.common.periods import to_seconds
from offload_portal.common.sealing import SealBrokenError, unseal
from sessions import clock
from sessions.engines.certificates import SEAL, Pair
from sessions.enums import EngineState
from sessions.models import Engine, EngineKeys, Session
from sessions.selectors.facts import ends_from_below, facts_of

logger = logging.getLogger(__name__)

# For so long a client hears that its session has ended; later its certificate is just refused.
ENDED_IS_TOLD = timedelta(hours=1)


class RefusedError(Exception):
    """The door answers in the engine's place. `status` is HTTP's."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Standing:
    """A session at the instant it was looked at. `address` is the engine's unix socket."""

    session_id: uuid.UUID
    address: str
    refused: RefusedError | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """What the door needs to speak for a session. `name` is the host name it is asked for by."""

    session_id: uuid.UUID
    name: str
    authority: str
    server: Pair


@dataclass(frozen=True, slots=True)
class Known:
    """Every session the door may be asked for, and the keys that were asked for."""

    standings: Mapping[uuid.UUID, Standing]
    keys: Mapping[uuid.UUID, Keys]


def look(*, at: datetime, have: Collection[uuid.UUID] = ()) -> Known:
    """All sessions with keys, ended ones for a while, and the keys but those of `have`.

    A session that the clock has ended is ended here, written down or not (rule 10).
    """
    rows = _rows(at)
    missing = [row.session_id for row in rows if row.session_id not in have]
    return Known(_standings(rows, at), _keys(missing))


def _rows(at: datetime) -> list[Engine]:
    told = Session.objects.filter(ended_at__gt=at - ENDED_IS_TOLD)
    running = Session.objects.running()
    return list(
        Engine.objects.filter(session__in=running | told)
        .filter(session__engine_keys__expires_at__gt=at)
        .order_by("session_id")
    )


def _standings(rows: list[Engine], at: datetime) -> dict[uuid.UUID, Standing]:
    sessions = {
        session.id: session
        for session in Session.objects.with_facts().filter(pk__in=[row.session_id for row in rows])
    }
    ends = ends_from_below(list(sessions.values()))
    return {
        row.session_id: Standing(
            row.session_id,
            row.address,
            _refusal(
                row,
                clock.state_at(
                    facts_of(sessions[row.session_id], ends.get(row.session_id, ())), to_seconds(at)
                ),
            ),
        )
        for row in rows
        if row.session_id in sessions
    }


def _refusal(row: Engine, moment: clock.Moment) -> RefusedError | None:
    """In English: Docker's client prints it among its own words."""
    if moment.end_reason is not None:
        sentence = f"The session has ended ({moment.end_reason}). Start a new one."
        return RefusedError(410, sentence)
    if row.state != EngineState.READY or moment.state == clock.State.STARTING:
        return RefusedError(409, "The session's engine is not ready yet. Try again in a moment.")
    return None


def _keys(missing: list[uuid.UUID]) -> dict[uuid.UUID, Keys]:
    found = {}
    for row in EngineKeys.objects.filter(pk__in=missing).order_by("pk"):
        try:
            server = Pair(row.server_cert_pem, unseal(row.server_key, SEAL))
        except SealBrokenError as error:
            logger.warning("Session %s can't be reached: %s", row.session_id, error)
            continue
        found[row.session_id] = Keys(row.session_id, row.name, row.ca_pem, server)
    return found
