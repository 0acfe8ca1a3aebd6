"""Setting a cap: its organization is metered first, and it counts the whole period (rule 19)."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction

from offload_portal.common.actors import Actor
from orgs.models import Organization
from sessions.selectors.caps import CapEffect, cap_effect, used_under_cap
from sessions.services.metering import change_allowance
from usage.models import CapVersion
from usage.services import caps


def set_cap(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    scope: str,
    subject_id: uuid.UUID,
    limit_compute_seconds: int | None,
    reason: str = "",
    at_once: bool = False,
) -> CapVersion:
    """Cap a team or a person; None lifts the cap. The version says from when on it holds.

    Lowered, or made, under what is used it takes effect after a notice, unless `at_once`.
    """
    subject = caps.cap_subject(organization, scope, subject_id)

    def change(instant: datetime) -> CapVersion:
        return caps.set_cap(
            actor=actor,
            at=instant,
            organization=organization,
            subject=subject,
            used_compute_seconds=used_under_cap(organization, scope, subject_id),
            limit_compute_seconds=limit_compute_seconds,
            reason=reason,
            at_once=at_once,
        )

    return change_allowance(organization=organization, at=at, change=change)


def preview_cap(**change: Any) -> CapEffect:
    """What `set_cap` would do with the same words. Everything is undone."""
    with transaction.atomic():
        effect = cap_effect(set_cap(**change))
        transaction.set_rollback(True)
    return effect
