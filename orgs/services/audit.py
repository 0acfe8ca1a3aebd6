"""Writing the audit log. Call it inside the transaction of the change it tells of."""

import uuid
from collections.abc import Mapping
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
    kind, identifier = subject
    return AuditEntry.objects.create(
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
