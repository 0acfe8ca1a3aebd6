"""What operators find: organizations and people, newest first, by keys."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from orgs.enums import Event, Role
from orgs.models import AuditEntry, Membership, Organization, Person
from orgs.selectors.access import PersonRef, reference
from orgs.selectors.audit import AuditRow, audit_rows
from orgs.selectors.places import OrganizationRef, organizations_of
from orgs.selectors.second_factor import has_second_factor

PAGE_SIZE = 50
MOST_ACTS = 20


@dataclass(frozen=True, slots=True)
class OrganizationFound:
    """`owners` are at most three of them, in the order of joining."""

    id: uuid.UUID
    slug: str
    name: str
    created_at: datetime
    deleted_at: datetime | None
    members: int
    licenses: int
    licenses_held: int
    owners: tuple[PersonRef, ...]


@dataclass(frozen=True, slots=True)
class PersonFound:
    id: uuid.UUID
    name: str
    email: str
    joined_at: datetime
    last_login: datetime | None
    is_active: bool
    is_staff: bool
    erased_at: datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """One page; `older` is the key of the next one, None on the last."""

    rows: tuple[Any, ...]
    older: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class PersonState:
    """One person as an operator sees them."""

    found: PersonFound
    organizations: tuple[OrganizationRef, ...]
    has_second_factor: bool
    acts: tuple[AuditRow, ...]


def find_organizations(text: str, older_than: uuid.UUID | None = None) -> Found:
    """By name, by an address it has or had, by an owner's e-mail address, or by identifier."""
    rows = Organization.objects.all()
    if text:
        owners = Membership.objects.filter(role=Role.OWNER, person__email__icontains=text)
        rows = rows.filter(
            Q(name__icontains=text)
            | Q(addresses__slug__icontains=text)
            | Q(pk__in=owners.values("organization_id"))
            | _identified(text)
        ).distinct()
    page, older = _page(rows, older_than)
    return Found(_organizations(page), older)


def find_people(text: str, older_than: uuid.UUID | None = None) -> Found:
    """By name, e-mail address or identifier."""
    rows = Person.objects.all()
    if text:
        rows = rows.filter(
            Q(name__icontains=text)
            | Q(email__icontains=text)
            | Q(emailaddress__email__icontains=text)
            | _identified(text)
        ).distinct()
    page, older = _page(rows, older_than)
    return Found(tuple(_person(row) for row in page), older)


def organization_found(organization: Organization) -> OrganizationFound:
    return _organizations([organization])[0]


def person_state(person: Person) -> PersonState:
    acts = AuditEntry.objects.filter(event=Event.OPERATOR_ACTED, organization_id=None)
    return PersonState(
        found=_person(person),
        organizations=organizations_of(person),
        has_second_factor=has_second_factor(person),
        acts=_newest(acts.filter(subject_id=person.pk)),
    )


def acts_on(organization: Organization) -> tuple[AuditRow, ...]:
    """What operators did to the organization lately."""
    entries = AuditEntry.objects.filter(organization_id=organization.pk)
    return _newest(entries.filter(event=Event.OPERATOR_ACTED))


def _newest(entries: QuerySet[AuditEntry]) -> tuple[AuditRow, ...]:
    return audit_rows(list(entries.order_by("-at", "-id")[:MOST_ACTS]))


def _identified(text: str) -> Q:
    try:
        return Q(pk=uuid.UUID(text))
    except ValueError:
        return Q(pk__in=[])


def _page(rows: QuerySet[Any], older_than: uuid.UUID | None) -> tuple[list[Any], uuid.UUID | None]:
    """Identifiers sort by the time of their making."""
    if older_than is not None:
        rows = rows.filter(pk__lt=older_than)
    found = list(rows.order_by("-id")[: PAGE_SIZE + 1])
    return found[:PAGE_SIZE], found[PAGE_SIZE - 1].pk if len(found) > PAGE_SIZE else None


def _organizations(rows: Sequence[Organization]) -> tuple[OrganizationFound, ...]:
    ids = [row.pk for row in rows]
    counts = dict(
        Membership.objects.filter(organization_id__in=ids)
        .order_by("organization_id")
        .values_list("organization_id")
        .annotate(Count("id"))
    )
    owners: dict[uuid.UUID, list[PersonRef]] = {}
    own = Membership.objects.filter(organization_id__in=ids, role=Role.OWNER)
    for row in own.select_related("person").order_by("joined_at", "id"):
        owners.setdefault(row.organization_id, []).append(reference(row.person))
    return tuple(
        OrganizationFound(
            id=row.pk,
            slug=row.slug,
            name=row.name,
            created_at=row.created_at,
            deleted_at=row.deleted_at,
            members=counts.get(row.pk, 0),
            licenses=row.licenses,
            licenses_held=row.licenses_held,
            owners=tuple(owners.get(row.pk, ())[:3]),
        )
        for row in rows
    )


def _person(row: Person) -> PersonFound:
    return PersonFound(
        id=row.pk,
        name=row.shown_name,
        email="" if row.is_erased else row.email,
        joined_at=row.joined_at,
        last_login=row.last_login,
        is_active=row.is_active,
        is_staff=row.is_staff,
        erased_at=row.erased_at,
    )
