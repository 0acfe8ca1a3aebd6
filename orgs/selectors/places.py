"""Where a person stands: organizations, roles, whom to ask (product.md rules 1 and 2)."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Subquery

from offload_portal.common.refusals import not_found
from orgs.enums import Role
from orgs.models import Address, Membership, Notification, Organization, Person

MOST_SLUG_LETTERS = 48


@dataclass(frozen=True, slots=True)
class Place:
    """An organization and the asker's membership of it."""

    organization: Organization
    membership: Membership


@dataclass(frozen=True, slots=True)
class OrganizationRef:
    """What the switcher shows of an organization."""

    id: uuid.UUID
    name: str
    slug: str
    role: str


@dataclass(frozen=True, slots=True)
class Contact:
    """An owner whom a person may ask."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who wants something, as policies take it: the role here, and the owners to ask.

    `is_portal` is the portal itself, for which no person answers.
    """

    person_id: uuid.UUID | None
    role: str | None
    contacts: tuple[Contact, ...] = ()
    is_portal: bool = False


@dataclass(frozen=True, slots=True)
class Places:
    """Where somebody stands: here, in all their organizations by name, and their unread news."""

    here: Place
    organizations: tuple[OrganizationRef, ...]
    unread: int


def find_organization(person: Person, slug: str) -> Place:
    """The organization at the address, for one of its members; else not found (rule 2).

    An address that it had before finds it, too: `organization.slug` is then another.
    """
    if not slug or len(slug) > MOST_SLUG_LETTERS:
        raise not_found()
    membership = (
        Membership.objects.filter(person_id=person.pk, organization__addresses__slug=slug)
        .select_related("organization")
        .first()
    )
    if membership is None:
        raise not_found()
    return Place(membership.organization, membership)


def organizations_of(person: Person) -> tuple[OrganizationRef, ...]:
    """The person's organizations by name."""
    rows = (
        Membership.objects.filter(person_id=person.pk)
        .order_by("organization__name", "organization_id")
        .values_list("organization_id", "organization__name", "organization__slug", "role")
    )
    return tuple(OrganizationRef(*row) for row in rows)


def find_places(person: Person, slug: str) -> Places:
    """What `find_organization` finds, with what stands beside it on each page; one statement."""
    if not slug or len(slug) > MOST_SLUG_LETTERS:
        raise not_found()
    unread = Notification.objects.filter(person_id=person.pk).unread().order_by()
    counted = unread.values("person").annotate(number=Count("pk")).values("number")
    addressed = Address.objects.filter(organization_id=OuterRef("organization_id"), slug=slug)
    rows: Any = (
        Membership.objects.filter(person_id=person.pk)
        .select_related("organization")
        .annotate(unread=Subquery(counted), is_here=Exists(addressed))
        .order_by("organization__name", "organization_id")
    )
    found = list(rows)
    here = next((row for row in found if row.is_here), None)
    if here is None:
        raise not_found()
    here.person = person  # known already
    refs = tuple(
        OrganizationRef(row.organization_id, row.organization.name, row.organization.slug, row.role)
        for row in found
    )
    return Places(Place(here.organization, here), refs, here.unread or 0)


def contacts(organization: Organization) -> tuple[Contact, ...]:
    """The owners in the order of joining: whom to ask for a change."""
    owners = Membership.objects.for_organization(organization).owners().select_related("person")
    return tuple(Contact(owner.person.shown_name, owner.person.email) for owner in owners)


def viewer_of(organization: Organization, person_id: uuid.UUID | None) -> Viewer:
    """The person as policies take it, in one statement; None stands for the portal itself."""
    if person_id is None:
        return Viewer(None, None, is_portal=True)
    rows = Membership.objects.for_organization(organization).filter(
        role=Role.OWNER
    ) | Membership.objects.for_organization(organization).filter(person_id=person_id)
    found = list(rows.select_related("person"))
    role = next((row.role for row in found if row.person_id == person_id), None)
    owners = tuple(
        Contact(row.person.shown_name, row.person.email) for row in found if row.is_owner
    )
    return Viewer(person_id, role, owners)
