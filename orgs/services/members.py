"""Joining, roles, leaving (product.md rules 1 and 2)."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import not_found
from orgs.enums import Event, Role
from orgs.models import LicenseGrant, Membership, Organization, Person, PolicyTarget, TeamMember
from orgs.policies import Departure, check_can_change_people, check_keeps_an_owner
from orgs.services import audit
from orgs.services.checking import invalid
from orgs.services.expiry import lock_at
from orgs.services.licensing import Settled, settle
from orgs.services.locking import lock, viewer
from orgs.services.notices import tell
from orgs.services.requests import withdraw_all


def add_member(
    *, actor: Actor, at: datetime, organization: Organization, person: Person, role: str
) -> Membership:
    """Make the person a member of the locked organization; one who is stays as they are."""
    membership, created = Membership.objects.get_or_create(
        organization=organization, person=person, defaults={"role": role, "joined_at": at}
    )
    if not created:
        return membership
    audit.record(
        event=Event.MEMBER_JOINED,
        actor=actor,
        at=at,
        organization_id=organization.pk,
        subject=("person", person.pk),
        after={"role": role},
    )
    done = settle(
        actor=actor, at=at, organization=organization, cause="joined", persons=[person.pk]
    )
    tell(organization, done)
    return membership


def change_role(
    *, actor: Actor, at: datetime, organization: Organization, person: Person, role: str
) -> Membership:
    """Give a member another role. Owners only; the last owner stays one.

    The organization's lock makes two owners who demote each other come one after the other.
    """
    if role not in Role.values:
        raise invalid("role", _("Choose owner, editor or member."))
    with transaction.atomic():
        row = lock(organization.pk)
        check_can_change_people(viewer(actor, row))
        membership = _membership(row, person)
        before = membership.role
        if role == before:
            return membership
        check_keeps_an_owner(_departure(row, membership))
        membership.role = role
        membership.save(update_fields=["role"])
        audit.record(
            event=Event.MEMBER_ROLE_CHANGED,
            actor=actor,
            at=at,
            organization_id=row.pk,
            subject=("person", person.pk),
            before={"role": before},
            after={"role": role},
        )
    return membership


def remove_member(
    *, actor: Actor, at: datetime, organization: Organization, person: Person
) -> Settled:
    """Take a member out: their grants, their place in teams and their license go."""
    with transaction.atomic():
        row = lock_at(organization.pk, at)
        check_can_change_people(viewer(actor, row))
        return _take_out(actor, at, row, _membership(row, person), "removed")


def leave(*, actor: Actor, at: datetime, organization: Organization, person: Person) -> Settled:
    """Leave the organization on one's own; the last owner can't."""
    with transaction.atomic():
        row = lock_at(organization.pk, at)
        return _take_out(actor, at, row, _membership(row, person), "left")


def _membership(organization: Organization, person: Person) -> Membership:
    found = Membership.objects.filter(organization=organization, person_id=person.pk).first()
    if found is None:
        raise not_found()
    return found


def _departure(organization: Organization, membership: Membership) -> Departure:
    owners = Membership.objects.filter(organization=organization).owners().count()
    return Departure(membership.role, owners)


def _take_out(
    actor: Actor, at: datetime, organization: Organization, membership: Membership, cause: str
) -> Settled:
    check_keeps_an_owner(_departure(organization, membership))
    return take_out(actor, at, organization, [membership], cause)


def take_out(
    actor: Actor,
    at: datetime,
    organization: Organization,
    memberships: Sequence[Membership],
    cause: str,
) -> Settled:
    """Members out of the locked organization; whoever calls has checked that an owner stays."""
    people = [membership.person_id for membership in memberships]
    Person.objects.filter(pk__in=people, default_organization=organization).update(
        default_organization=None
    )
    TeamMember.objects.filter(organization=organization, person_id__in=people).delete()
    LicenseGrant.objects.filter(organization=organization, person_id__in=people).delete()
    PolicyTarget.objects.filter(organization=organization, person_id__in=people).delete()
    Membership.objects.filter(organization=organization, person_id__in=people).delete()
    withdraw_all(actor, at, organization, people)
    for role in Role.values:
        audit.record_many(
            event=Event.MEMBER_REMOVED,
            actor=actor,
            at=at,
            organization_id=organization.pk,
            subjects=[("person", each.person_id) for each in memberships if each.role == role],
            before={"role": role},
            after={"cause": cause},
        )
    done = settle(actor=actor, at=at, organization=organization, cause=cause, persons=people)
    tell(organization, done)
    return done
