"""What operators do to organizations and sessions: through services, with a reason (rule 7)."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import Refusal
from orgs.models import Organization, Person
from orgs.services.operating import check_is_operator, note_act
from sessions.enums import EndReason
from sessions.models import Session
from sessions.services import erasing
from sessions.services.metering import change_allowance, meter_organization
from sessions.services.settling import EndOrder
from usage.services import extend_trial


def meter_now(*, actor: Actor, at: datetime, organization: Organization, reason: str) -> int:
    """Meter an organization to now, which also writes down every end that is true; how many."""
    check_is_operator(actor)
    with transaction.atomic():
        done = meter_organization(organization_id=organization.pk, at=at)
        note_act(
            actor=actor,
            at=at,
            act="metered",
            reason=reason,
            subject=("organization", organization.pk),
            organization_id=organization.pk,
            more={"ended": done.ended},
        )
    return done.ended


def end_session(*, actor: Actor, at: datetime, session: Session, reason: str) -> None:
    """End a session that is stuck, as its owner would; one that has ended is refused."""
    check_is_operator(actor)
    with transaction.atomic():
        if not Session.objects.filter(pk=session.pk, ended_at=None).exists():
            raise Refusal("session_ended", _("The session has ended already."), 409)
        order = EndOrder(EndReason.STOPPED_BY_OWNER, actor.id)
        meter_organization(
            organization_id=session.organization_id, at=at, orders={session.pk: order}
        )
        note_act(
            actor=actor,
            at=at,
            act="session_ended",
            reason=reason,
            subject=("session", session.pk),
            organization_id=session.organization_id,
        )


def lengthen_trial(
    *, actor: Actor, at: datetime, organization: Organization, days: int, reason: str
) -> None:
    """Let the trial last longer, after metering to the instant (rule 18)."""
    check_is_operator(actor)

    def change(when: datetime) -> None:
        extend_trial(actor=actor, at=when, organization=organization, days=days)
        note_act(
            actor=actor,
            at=when,
            act="trial_extended",
            reason=reason,
            subject=("organization", organization.pk),
            organization_id=organization.pk,
            more={"days": days},
        )

    change_allowance(organization=organization, at=at, change=change)


def erase(*, actor: Actor, at: datetime, person: Person, reason: str) -> None:
    """Erase a person who asked an operator for it; who owns something alone is refused."""
    check_is_operator(actor)
    with transaction.atomic():
        note_act(
            actor=actor, at=at, act="person_erased", reason=reason, subject=("person", person.pk)
        )
        erasing.erase_person(actor=actor, at=at, person=person)
