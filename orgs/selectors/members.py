"""The members of an organization as lists show them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from orgs.enums import LicenseState
from orgs.models import License, Membership, Organization
from orgs.selectors.access import PersonRef, grant_words, grants_by_person, reference


@dataclass(frozen=True, slots=True)
class MemberFilter:
    """What the member list was asked for; empty fields mean everyone.

    `access` is `held`, `queued` or `none`; `person_id` limits it to one (members see themselves).
    """

    search: str = ""
    role: str = ""
    access: str = ""
    person_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member. `license_state` is `held`, `queued` or `none`; grants as the API says them."""

    person: PersonRef
    role: str
    joined_at: datetime
    license_state: str
    grants: tuple[str, ...]


EVERYONE = MemberFilter()


def members_matching(
    organization: Organization, wanted: MemberFilter = EVERYONE
) -> QuerySet[Membership]:
    """Memberships with `license_state` beside them, by name; page them, then `member_rows`."""
    licenses = License.objects.filter(
        organization_id=OuterRef("organization_id"), person_id=OuterRef("person_id")
    )
    rows = (
        Membership.objects.filter(organization=organization)
        .annotate(license_state=Subquery(licenses.order_by("id").values("state")[:1]))
        .select_related("person")
        .order_by("person__name", "person__email", "id")
    )
    if wanted.person_id is not None:
        rows = rows.filter(person_id=wanted.person_id)
    if wanted.search:
        rows = rows.filter(
            Q(person__name__icontains=wanted.search) | Q(person__email__icontains=wanted.search)
        )
    if wanted.role:
        rows = rows.filter(role=wanted.role)
    if wanted.access == "none":
        rows = rows.filter(~Exists(licenses))
    elif wanted.access:
        rows = rows.filter(Exists(licenses.filter(state=wanted.access)))
    return rows


def member_rows(
    organization: Organization, memberships: Sequence[Membership], at: datetime
) -> tuple[MemberRow, ...]:
    """The rows of one page of `members_matching`, with every grant of each."""
    persons = [row.person_id for row in memberships]
    grants = grants_by_person(organization, at, persons)
    return tuple(
        MemberRow(
            person=reference(row.person),
            role=row.role,
            joined_at=row.joined_at,
            license_state=getattr(row, "license_state", None) or "none",
            grants=grant_words(grants.get(row.person_id, ())),
        )
        for row in memberships
    )


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What an organization's people have done of the first-run checklist."""

    members_invited: bool
    access_granted: bool
    member_count: int
    open_invitations: int
    licenses: int
    licenses_held: int


def first_steps(organization: Organization) -> FirstSteps:
    """Whether someone was invited or joined, and whether someone has access."""
    members = Membership.objects.filter(organization=organization).count()
    invitations = organization.invitations.open().count()
    granted = organization.license_grants.exists()
    held = License.objects.held().filter(organization=organization).count()
    return FirstSteps(
        members_invited=members > 1 or organization.invitations.exists(),
        access_granted=granted,
        member_count=members,
        open_invitations=invitations,
        licenses=Organization.objects.only("licenses").get(pk=organization.pk).licenses,
        licenses_held=held,
    )


LICENSE_STATES = (*LicenseState.values, "none")
