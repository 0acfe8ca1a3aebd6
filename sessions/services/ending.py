"""Stopping sessions (product.md rule 11)."""

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.periods import to_seconds
from offload_portal.common.refusals import Refusal
from orgs.models import Membership, Organization, Person
from sessions import clock
from sessions.enums import EndReason
from sessions.models import Session
from sessions.selectors.facts import facts_of
from sessions.services.metering import meter_organization
from sessions.services.settling import settle


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
    with transaction.atomic():
        until = meter_organization(organization_id=session.organization_id, at=at).until
        fresh = Session.objects.with_facts().get(pk=session.pk)
        if fresh.ended_at is not None or fresh.stop_at is not None:
            return
        mark = to_seconds(until)
        facts = facts_of(fresh)
        stopped = clock.EndFact(mark, clock.EndReason(reason))
        fresh.stop_actor_id = actor.id
        settle(fresh, replace(facts, ends=(*facts.ends, stopped)), stopped)


def stop_all(*, actor: Actor, at: datetime, organization: Organization, person: Person) -> int:
    """End every session of the organization; only owners may. Says how many it stopped."""
    with transaction.atomic():
        until = meter_organization(organization_id=organization.pk, at=at).until
        running = Session.objects.for_organization(organization).running().filter(stop_at=None)
        own = running.filter(person=person).update(
            stop_at=until, stop_reason=EndReason.STOPPED, stop_actor_id=actor.id
        )
        others = running.update(
            stop_at=until, stop_reason=EndReason.STOPPED_BY_OWNER, stop_actor_id=actor.id
        )
        meter_organization(organization_id=organization.pk, at=until)
    return own + others
