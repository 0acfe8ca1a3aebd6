"""Stopping sessions (product.md rule 11)."""

from datetime import datetime

from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import Refusal
from orgs.models import Membership, Organization, Person
from sessions.enums import EndReason
from sessions.models import Session
from sessions.services.metering import meter_organization
from sessions.services.settling import EndOrder

STOPS = (EndReason.STOPPED, EndReason.STOPPED_BY_OWNER)


def stop(*, actor: Actor, at: datetime, session: Session, membership: Membership) -> None:
    """End it at once. Its user may, and an owner; a session that has ended stays as it is.

    The organization is metered to the instant first, so that the bill is whole at once.
    """
    own = session.person_id == membership.person_id
    if not own and not membership.is_owner:
        raise _not_theirs()
    reason = EndReason.STOPPED if own else EndReason.STOPPED_BY_OWNER
    _stop(actor=actor, at=at, session=session, reason=reason)


def _not_theirs() -> Refusal:
    sentence = _("Only its user or an owner of the organization can stop a session.")
    return Refusal("not_an_owner", sentence, 403)


def _stop(*, actor: Actor, at: datetime, session: Session, reason: EndReason) -> None:
    order = EndOrder(reason, actor.id)
    meter_organization(organization_id=session.organization_id, at=at, orders={session.pk: order})


def stop_all(*, actor: Actor, at: datetime, organization: Organization, person: Person) -> int:
    """End every session of the organization; only owners may. Says how many it stopped."""
    running = Session.objects.for_organization(organization).running()
    orders = {
        session: EndOrder(
            EndReason.STOPPED if user == person.pk else EndReason.STOPPED_BY_OWNER, actor.id
        )
        for session, user in running.values_list("id", "person_id")
    }
    meter_organization(organization_id=organization.pk, at=at, orders=orders)
    ended = Session.objects.filter(pk__in=orders, end_reason__in=STOPS)
    return ended.count()
