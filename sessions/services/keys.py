"""The keys to a session's engine: made once, given once (product.md rule 12, api.md).

An answer may get lost on its way. So the caller who was given the key gets the same answer once
more for half a minute, as a refreshed token is, and not once it has been used at the door.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.periods import from_seconds, to_seconds
from offload_portal.common.refusals import Refusal, not_found
from offload_portal.common.sealing import seal, unseal
from orgs.enums import Event
from orgs.services import audit
from sessions import clock
from sessions.engines.certificates import (
    SEAL,
    door_authority,
    make_certificates,
    names_of,
    server_name,
)
from sessions.models import EngineKeys, Session
from sessions.selectors.facts import ends_from_below, facts_of

# Longer than the session can be; the door turns it away at its end, whatever the certificate says.
AFTER_THE_LONGEST = timedelta(hours=1)
WITHOUT_LONGEST = timedelta(days=30)
# From then on a lost answer can't be fetched again.
GIVEN_AGAIN = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class GivenKeys:
    """How to reach an engine. `ca`, `certificate` and `key` are PEM; `key` is given once."""

    host: str
    server_name: str
    ca: str
    certificate: str
    key: str | None
    key_given_at: datetime
    expires_at: datetime


def make_keys(session: Session, at: datetime) -> EngineKeys:
    """The session's certificates, made where there are none yet. Calling it twice is harmless."""
    known = EngineKeys.objects.filter(pk=session.pk).first()
    if known is not None:
        return known
    name = server_name(session.pk, settings.ENGINE_PUBLIC_HOST)
    until = _expiry(session)
    made = make_certificates(session.pk, names_of(name), at=at, until=until)
    row = EngineKeys(
        session=session,
        organization_id=session.organization_id,
        name=name,
        ca_pem=made.authority,
        server_cert_pem=made.server.certificate,
        server_key=seal(made.server.key, SEAL),
        client_cert_pem=made.client.certificate,
        client_key=seal(made.client.key, SEAL),
        expires_at=until,
    )
    # Whoever comes second gives its own up and takes the first one's.
    EngineKeys.objects.bulk_create([row], ignore_conflicts=True)
    return EngineKeys.objects.get(pk=session.pk)


def _expiry(session: Session) -> datetime:
    if session.longest_seconds is None:
        return session.created_at + WITHOUT_LONGEST
    return session.created_at + timedelta(seconds=session.longest_seconds) + AFTER_THE_LONGEST


def give_keys(*, actor: Actor, at: datetime, session: Session, caller: str) -> GivenKeys:
    """How the session's user reaches its engine. The private key is given to one caller.

    `caller` identifies the token that asks; the same one may ask again for `GIVEN_AGAIN`.
    404 for others, 409 `engine_is_external` or `session_not_ready`, 410 `session_ended`.
    """
    if actor.id != session.person_id:
        raise not_found()
    if session.provider == "external":
        sentence = _("The client of this session brings its own engine; the portal has none.")
        raise Refusal("engine_is_external", sentence, 409)
    _check_state(session, at)
    row = EngineKeys.objects.filter(pk=session.pk).first()
    if row is None:
        raise _not_ready()
    key = _take_key(actor, at, row, caller)
    return GivenKeys(
        host=f"tcp://{row.name}:{settings.ENGINE_PUBLIC_PORT}",
        server_name=row.name,
        ca=_trusted(row, at),
        certificate=row.client_cert_pem,
        key=key,
        key_given_at=row.key_given_at or at,
        expires_at=row.expires_at,
    )


def _check_state(session: Session, at: datetime) -> None:
    facts = facts_of(session, ends_from_below([session]).get(session.id, ()))
    moment = clock.state_at(facts, to_seconds(at))
    if moment.ended_at is not None:
        ended_at = from_seconds(moment.ended_at).strftime("%Y-%m-%dT%H:%M:%SZ")
        extra = {"end_reason": str(moment.end_reason), "ended_at": ended_at}
        raise Refusal("session_ended", _("The session has ended; start a new one."), 410, extra)
    if moment.state == clock.State.STARTING:
        raise _not_ready()


def _not_ready() -> Refusal:
    sentence = _("The engine does not answer yet; ask again once the session is ready.")
    return Refusal("session_not_ready", sentence, 409, retry_after=1)


def _take_key(actor: Actor, at: datetime, row: EngineKeys, caller: str) -> str | None:
    """The key, for whoever gets here first, and for the same caller for a little while."""
    with transaction.atomic():
        untouched = EngineKeys.objects.filter(pk=row.pk, key_given_at=None)
        first = untouched.update(key_given_at=at, key_given_to=caller)
        row.refresh_from_db(fields=["client_key", "key_given_at", "key_given_to"])
        if not first and not _is_given_again(row, at, caller):
            return None
        audit.record(
            event=Event.ENGINE_KEY_GIVEN,
            actor=actor,
            at=at,
            organization_id=row.organization_id,
            subject=("session", row.session_id),
            after={"expires_at": row.expires_at.isoformat()},
        )
    return unseal(row.client_key, SEAL)


def _is_given_again(row: EngineKeys, at: datetime, caller: str) -> bool:
    if row.key_given_at is None or not row.client_key or row.key_given_to != caller:
        return False
    return at < row.key_given_at + GIVEN_AGAIN


def note_key_used(*, session_id: uuid.UUID) -> None:
    """Somebody came through the door with it: the answer was not lost, so the key goes."""
    given = EngineKeys.objects.filter(pk=session_id, key_given_at__isnull=False)
    given.exclude(client_key="").update(client_key="")


def _trusted(row: EngineKeys, at: datetime) -> str:
    """The authority that the client believes: the session's own, or the shared name's."""
    if row.name == settings.ENGINE_PUBLIC_HOST:
        return door_authority(at=at, until=row.expires_at)
    return row.ca_pem


def forget_keys(*, at: datetime) -> int:
    """Remove what no one can use any more, and keys that were given; says how many rows went."""
    given = EngineKeys.objects.filter(key_given_at__lte=at - GIVEN_AGAIN)
    given.exclude(client_key="").update(client_key="")
    removed, _by_model = EngineKeys.objects.filter(expires_at__lt=at).delete()
    return removed
