"""Licenses as lists show them, and where a person stands in all of their organizations."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from orgs.enums import GrantKind, LicenseState, Role
from orgs.models import License, LicenseGrant, Membership, Organization, Person, TeamMember
from orgs.selectors.access import PersonRef, Standing, grant_words, grants_by_person, reference
from orgs.selectors.places import Contact
from orgs.selectors.policies import PolicyTerms, policies_of
from orgs.selectors.second_factor import has_second_factor


@dataclass(frozen=True, slots=True)
class LicenseRow:
    """One member's license; `queue_place` counts from 1 and is None for one that is held."""

    person: PersonRef
    state: str
    granted_at: datetime
    held_since: datetime | None
    queue_place: int | None
    grants: tuple[str, ...]
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What decides about a person's starts in one of their organizations."""

    organization: Organization
    role: str
    standing: Standing
    policy: PolicyTerms
    contacts: tuple[Contact, ...]


def licenses_in(organization: Organization, state: str = "") -> QuerySet[License]:
    """Held and queued ones; page them by (granted_at, id), then `license_rows`."""
    rows = License.objects.filter(organization=organization).select_related("person")
    return rows.filter(state=state) if state else rows


def grants_of(organization: Organization, at: datetime) -> QuerySet[LicenseGrant]:
    """The grants that hold at the instant; page them by (-granted_at, -id)."""
    rows = LicenseGrant.objects.filter(organization=organization)
    return rows.filter(Q(until=None) | Q(until__gt=at)).select_related("team", "person")


def license_rows(
    organization: Organization, licenses: Sequence[License], at: datetime
) -> tuple[LicenseRow, ...]:
    """The rows of one page, in a fixed number of statements."""
    grants = grants_by_person(organization, at, [row.person_id for row in licenses])
    waiting = any(row.state == LicenseState.QUEUED for row in licenses)
    places = _places([organization.pk]) if waiting else {}
    return tuple(
        LicenseRow(
            person=reference(row.person),
            state=row.state,
            granted_at=row.granted_at,
            held_since=row.held_since,
            queue_place=places.get(row.pk),
            grants=grant_words(grants.get(row.person_id, ())),
            ends_at=row.ends_at,
        )
        for row in licenses
    )


def _places(organizations: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """The place in its organization's queue, by license."""
    rows = License.objects.queued().filter(organization_id__in=list(organizations))
    counts: dict[uuid.UUID, int] = defaultdict(int)
    places = {}
    for license_id, organization_id in rows.values_list("id", "organization_id"):
        counts[organization_id] += 1
        places[license_id] = counts[organization_id]
    return places


def accounts_of(person: Person, at: datetime) -> tuple[Account, ...]:
    """Everything about access in each of the person's organizations, by name.

    A fixed number of statements, whatever the number of organizations.
    """
    memberships = list(
        Membership.objects.filter(person=person)
        .select_related("organization")
        .order_by("organization__name", "organization_id")
    )
    return _accounts(person, memberships, at)


def account_of(membership: Membership, at: datetime) -> Account:
    """The same in one organization, with which the membership was read."""
    return _accounts(membership.person, [membership], at)[0]


def _accounts(
    person: Person, memberships: Sequence[Membership], at: datetime
) -> tuple[Account, ...]:
    ids = [row.organization_id for row in memberships]
    standings = _standings(person, memberships, at)
    policies = policies_of(person, ids, at)
    owners = _owners(ids)
    return tuple(
        Account(
            organization=row.organization,
            role=row.role,
            standing=standings[row.organization_id],
            policy=policies[row.organization_id].terms,
            contacts=owners.get(row.organization_id, ()),
        )
        for row in memberships
    )


def _owners(ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, tuple[Contact, ...]]:
    found: dict[uuid.UUID, list[Contact]] = defaultdict(list)
    rows = Membership.objects.filter(organization_id__in=ids, role=Role.OWNER)
    for row in rows.select_related("person").order_by("joined_at", "id"):
        found[row.organization_id].append(Contact(row.person.shown_name, row.person.email))
    return {key: tuple(contacts) for key, contacts in found.items()}


def _standings(
    person: Person, memberships: Sequence[Membership], at: datetime
) -> dict[uuid.UUID, Standing]:
    ids = [row.organization_id for row in memberships]
    own = {
        row.organization_id: row
        for row in License.objects.filter(person=person, organization_id__in=ids)
    }
    words = _grants_of(person, ids, at)
    waiting = [row.organization_id for row in own.values() if row.state == LicenseState.QUEUED]
    places = _places(waiting) if waiting else {}
    asked = any(row.organization.requires_second_factor for row in memberships)
    lacks = asked and not has_second_factor(person)
    standings = {}
    for row in memberships:
        license_ = own.get(row.organization_id)
        if license_ is not None and not license_.holds(at):
            license_ = None
        standings[row.organization_id] = Standing(
            role=row.role,
            license_state=license_.state if license_ else "none",
            grants=tuple(words.get(row.organization_id, ())),
            queue_place=places.get(license_.pk) if license_ else None,
            ends_at=license_.ends_at if license_ else None,
            lacks_second_factor=lacks and row.organization.requires_second_factor,
        )
    return standings


def _grants_of(
    person: Person, ids: Sequence[uuid.UUID], at: datetime
) -> Mapping[uuid.UUID, list[str]]:
    teams = TeamMember.objects.filter(person=person).values("team_id")
    rows = (
        LicenseGrant.objects.filter(organization_id__in=ids)
        .filter(Q(until=None) | Q(until__gt=at))
        .filter(Q(kind=GrantKind.ALL) | Q(person=person) | Q(team__in=teams))
        .select_related("team")
        .order_by("granted_at", "id")
    )
    found: dict[uuid.UUID, list[str]] = defaultdict(list)
    for row in rows:
        name = f"{row.kind}:{row.team.name}" if row.team else str(row.kind)
        found[row.organization_id].append(name)
    return found
