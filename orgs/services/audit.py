"""Writing the audit log. Call it inside the transaction of the change it tells of."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from offload_portal.common.actors import Actor
from orgs.enums import Event
from orgs.models import AuditEntry


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
    """The same entry for several subjects, in one statement."""
    return AuditEntry.objects.bulk_create(
        AuditEntry(
            organization_id=organization_id,
            at=at,
            actor_id=actor.id,
            event=event,
            subject_kind=kind,
            subject_id=identifier,
            before=dict(before or {}),
            after=dict(after or {}),
            origin=actor.origin[:64],
        )
        for kind, identifier in subjects
    )
