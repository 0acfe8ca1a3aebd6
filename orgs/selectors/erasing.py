"""What an erasure or a deletion would take (product.md rules 1 and 27)."""

from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef

from orgs.enums import Role
from orgs.models import Membership, Organization, Person
from orgs.selectors.places import OrganizationRef


@dataclass(frozen=True, slots=True)
class OrganizationLoss:
    """What goes with an organization, in numbers."""

    members: int
    teams: int
    invitations: int
    tokens: int


def lone_ownerships(person: Person) -> tuple[OrganizationRef, ...]:
    """The organizations that would be left without an owner, by name."""
    others = Membership.objects.filter(
        organization_id=OuterRef("organization_id"), role=Role.OWNER
    ).exclude(person_id=person.pk)
    rows = (
        Membership.objects.filter(person_id=person.pk, role=Role.OWNER)
        .exclude(Exists(others))
        .order_by("organization__name", "organization_id")
        .values_list("organization_id", "organization__name", "organization__slug", "role")
    )
    return tuple(OrganizationRef(*row) for row in rows)


def organization_loss(organization: Organization) -> OrganizationLoss:
    """Counts in one statement."""
    counts = Organization.objects.filter(pk=organization.pk).aggregate(
        members=Count("memberships", distinct=True),
        teams=Count("teams", distinct=True),
        invitations=Count("invitations", distinct=True),
        tokens=Count("tokens", distinct=True),
    )
    return OrganizationLoss(**counts)
