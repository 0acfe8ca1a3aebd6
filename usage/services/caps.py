"""Caps: what a team or a person may use of a period (product.md rule 19)."""

import uuid
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import not_found
from orgs.enums import Event
from orgs.models import Membership, Organization, Team
from orgs.services import audit
from usage.enums import CapScope
from usage.models import Allowance, Cap, CapVersion
from usage.selectors.caps import CapSubject, cap_effective_instant
from usage.services.contract import (
    check_compute_seconds,
    contract_of,
    refuse_field,
)

MOST_REASON = 200
MOST_CAPS = 1_000


def cap_subject(organization: Organization, scope: str, subject_id: uuid.UUID) -> CapSubject:
    """A team or a member of the organization; what is foreign is unknown (rule 2)."""
    if scope not in CapScope.values:
        raise refuse_field("scope", _("A cap is for a team or for a person."))
    if scope == CapScope.TEAM:
        known = Team.objects.filter(organization=organization, pk=subject_id).exists()
    else:
        members = Membership.objects.for_organization(organization)
        known = members.filter(person_id=subject_id).exists()
    if not known:
        raise not_found()
    return CapSubject(CapScope(scope), subject_id)


def check_cap(limit: int | None, reason: str) -> None:
    """Raise the refusal that the values would meet; 0 lets nothing be used."""
    if limit is not None:
        check_compute_seconds(limit, field="limit_compute_seconds")
    if len(reason) > MOST_REASON:
        sentence = _("Give the reason in at most %(most)s characters.") % {"most": MOST_REASON}
        raise refuse_field("reason", sentence)


@transaction.atomic
def set_cap(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    subject: CapSubject,
    used_compute_seconds: int,
    limit_compute_seconds: int | None,
    reason: str = "",
    at_once: bool = False,
) -> CapVersion:
    """Set a cap, or lift it with None; the version says from when on it holds.

    The organization is metered to `at`. `used_compute_seconds` is what its sessions used since the
    period began, which counts where the cap is new. It replaces changes that are still to come.
    """
    check_cap(limit_compute_seconds, reason)
    contract = contract_of(organization, at)
    cap = _cap(contract.allowance, subject, used_compute_seconds)
    before = cap.limit_compute_seconds
    effective_at = cap_effective_instant(
        before, limit_compute_seconds, cap.used_compute_seconds, at, at_once=at_once
    )
    version = CapVersion.objects.create(
        organization=organization,
        cap=cap,
        recorded_at=at,
        effective_at=effective_at,
        actor_id=actor.id,
        limit_compute_seconds=limit_compute_seconds,
        reason=reason.strip(),
    )
    if effective_at == at:
        cap.limit_compute_seconds = limit_compute_seconds
        cap.save(update_fields=["limit_compute_seconds"])
    _record(actor, at, cap, version, before)
    return version


def _cap(allowance: Allowance, subject: CapSubject, used: int) -> Cap:
    """The row of the team or person; a new one begins with what was used in the period."""
    cap, made = Cap.objects.get_or_create(
        organization_id=allowance.organization_id,
        scope=subject.scope,
        subject_id=subject.subject_id,
        defaults={"used_compute_seconds": used},
    )
    if made:
        if Cap.objects.filter(organization_id=allowance.organization_id).count() > MOST_CAPS:
            sentence = _("An organization has at most %(most)s caps.") % {"most": MOST_CAPS}
            raise refuse_field("scope", sentence)
        if not allowance.has_caps:
            allowance.has_caps = True
            allowance.save(update_fields=["has_caps"])
    return cap


def _record(actor: Actor, at: datetime, cap: Cap, version: CapVersion, before: int | None) -> None:
    audit.record(
        event=Event.CAP_CHANGED,
        actor=actor,
        at=at,
        organization_id=version.organization_id,
        subject=("cap", cap.pk),
        before={"limit_compute_seconds": before},
        after={
            "scope": cap.scope,
            cap.scope: str(cap.subject_id),
            "limit_compute_seconds": version.limit_compute_seconds,
            "effective_at": version.effective_at.isoformat(),
            # Free words may name somebody.
            "reason": audit.Named(version.reason, actor.id) if version.reason else "",
        },
    )
