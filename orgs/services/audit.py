"""Writing the audit log (rule 7). Call it inside the transaction of the change it tells of.

Values hold identifiers. What names a person goes in as `Named(text, person_id)`: the entry keeps
its keyed digest, the text itself stands beside it and goes when the person is erased.
"""

import ipaddress
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from offload_portal.common.actors import Actor
from orgs import chain
from orgs.enums import Event, WebhookEvent
from orgs.models import AuditEntry, AuditText, Invitation, Team, Token
from orgs.services.publishing import publish

MOST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Named:
    """A value that names somebody: a name, an address, a reason in free words."""

    text: str
    person_id: uuid.UUID | None = None


def record(
    *,
    event: Event,
    actor: Actor,
    at: datetime,
    organization_id: uuid.UUID | None,
    subject: tuple[str, uuid.UUID | None],
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """One entry: `subject` is (kind, identifier); values hold identifiers, never names (rule 7)."""
    entries = record_many(
        event=event,
        actor=actor,
        at=at,
        organization_id=organization_id,
        subjects=[subject],
        before=before,
        after=after,
    )
    return entries[0]


def record_many(
    *,
    event: Event,
    actor: Actor,
    at: datetime,
    organization_id: uuid.UUID | None,
    subjects: Sequence[tuple[str, uuid.UUID | None]],
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> list[AuditEntry]:
    """The same entry for several subjects, in one statement; texts beside it take another."""
    if not subjects:
        return []
    texts = _Texts(organization_id)
    names = _names_of(subjects)
    told = {
        "organization_id": organization_id,
        "at": at,
        "actor_id": actor.id,
        "event": event,
        "before": texts.replaced(before),
        "after": texts.replaced(after),
        "origin": _origin(actor, texts),
    }
    entries = [
        AuditEntry(
            subject_kind=kind,
            subject_id=identifier,
            subject_name=texts.digest(names[identifier]) if identifier in names else "",
            **told,
        )
        for kind, identifier in subjects
    ]
    texts.keep()
    _publish(event, actor, at, organization_id, subjects, after)
    return AuditEntry.objects.bulk_create(entries)


def _publish(
    event: Event,
    actor: Actor,
    at: datetime,
    organization_id: uuid.UUID | None,
    subjects: Sequence[tuple[str, uuid.UUID | None]],
    after: Mapping[str, Any] | None,
) -> None:
    """What receivers may ask for goes to them, too; free words and names stay here."""
    if event not in WebhookEvent.values:
        return
    told = {name: value for name, value in (after or {}).items() if not isinstance(value, Named)}
    for kind, identifier in subjects:
        data = {"kind": kind, "id": identifier, "actor_id": actor.id, **told}
        publish(organization_id=organization_id, event=event, at=at, data=data)


class _Texts:
    """Texts of the entries that are being written, by digest."""

    def __init__(self, organization_id: uuid.UUID | None) -> None:
        self.organization_id = organization_id
        self.rows: dict[str, AuditText] = {}

    def digest(self, named: Named) -> str:
        text = named.text[:MOST_TEXT]
        digest = chain.digest_of(text, self.organization_id, named.person_id)
        self.rows[digest] = AuditText(
            digest=digest,
            organization_id=self.organization_id,
            person_id=named.person_id,
            text=text,
        )
        return digest

    def replaced(self, values: Mapping[str, Any] | None) -> dict[str, Any]:
        return {
            name: self.digest(value) if isinstance(value, Named) else value
            for name, value in (values or {}).items()
        }

    def keep(self) -> None:
        """Write those that aren't there yet, in one order, so that no two writers cross."""
        rows = [self.rows[digest] for digest in sorted(self.rows)]
        if rows:
            AuditText.objects.bulk_create(rows, ignore_conflicts=True)


def _origin(actor: Actor, texts: _Texts) -> str:
    """A door's word as it is; a network address, which is personal, as its digest."""
    try:
        ipaddress.ip_address(actor.origin)
    except ValueError:
        return actor.origin[:64]
    return texts.digest(Named(actor.origin, actor.id))


def _names_of(subjects: Sequence[tuple[str, uuid.UUID | None]]) -> dict[uuid.UUID | None, Named]:
    """What the subjects are called now, where their rows may go before the entry does.

    People aren't among them: their own row is what an erasure empties.
    """
    ids = [identifier for _kind, identifier in subjects if identifier]
    kind = subjects[0][0]
    if kind == "team":
        teams = Team.objects.filter(pk__in=ids).values_list("pk", "name")
        return {pk: Named(name) for pk, name in teams}
    if kind == "invitation":
        invitations = Invitation.objects.filter(pk__in=ids).values_list("pk", "email")
        return {pk: Named(email) for pk, email in invitations}
    if kind == "token":
        tokens = Token.objects.filter(pk__in=ids).values_list("pk", "name", "person_id")
        return {pk: Named(name, person_id) for pk, name, person_id in tokens}
    return {}
