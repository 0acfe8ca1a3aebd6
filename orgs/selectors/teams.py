"""Teams as lists show them (product.md rule 4)."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower

from offload_portal.common.refusals import not_found
from orgs.enums import GrantKind
from orgs.models import LicenseGrant, Membership, Organization, Team, TeamMember
from orgs.selectors.access import PersonRef, Pool, grants_by_person, pool_of, reference


@dataclass(frozen=True, slots=True)
class TeamRow:
    """One team. `granted_at` is None where no access is granted to it; `until` ends the grant."""

    id: uuid.UUID
    name: str
    members: int
    created_at: datetime
    granted_at: datetime | None
    until: datetime | None

    @property
    def has_grant(self) -> bool:
        return self.granted_at is not None


@dataclass(frozen=True, slots=True)
class GainPreview:
    """What granting access would do: `given` get a license, `queued` wait, `have` are served.

    `given` and `queued` come in the order of the queue; `have` counts who holds a license or
    waits already. `pool` is the one of now.
    """

    given: tuple[PersonRef, ...]
    queued: tuple[PersonRef, ...]
    have: int
    pool: Pool


def teams_in(organization: Organization, search: str = "") -> QuerySet[Team]:
    """Teams with what `team_rows` reads beside them; page them by (sort_name, id)."""
    members = (
        TeamMember.objects.filter(team=OuterRef("pk"))
        .order_by()
        .values("team")
        .annotate(count=Count("*"))
    )
    grants = LicenseGrant.objects.filter(team=OuterRef("pk"), kind=GrantKind.TEAM).order_by("id")
    rows = Team.objects.filter(organization=organization).annotate(
        sort_name=Lower("name"),
        member_count=Coalesce(Subquery(members.values("count")), 0),
        granted_at=Subquery(grants.values("granted_at")[:1]),
        granted_until=Subquery(grants.values("until")[:1]),
    )
    if search:
        rows = rows.filter(name__icontains=search)
    return rows.order_by("sort_name", "id")


def team_rows(teams: Sequence[Team], at: datetime) -> tuple[TeamRow, ...]:
    """The rows of one page of `teams_in`; a grant that has ended by `at` is none."""
    return tuple(_row(team, at) for team in teams)


def _row(team: Team, at: datetime) -> TeamRow:
    granted_at: datetime | None = getattr(team, "granted_at", None)
    until: datetime | None = getattr(team, "granted_until", None)
    if until is not None and until <= at:
        granted_at = until = None
    count = int(getattr(team, "member_count", 0))
    return TeamRow(team.pk, team.name, count, team.created_at, granted_at, until)


def find_team(organization: Organization, team_id: uuid.UUID, at: datetime) -> TeamRow:
    """One team of the organization; else 404."""
    team = teams_in(organization).filter(pk=team_id).first()
    if team is None:
        raise not_found()
    return _row(team, at)


def team_names(organization: Organization) -> list[tuple[str, str]]:
    """(identifier, name) by name, for choosing one."""
    rows = Team.objects.filter(organization=organization).order_by(Lower("name"), "id")
    return [(str(key), name) for key, name in rows.values_list("id", "name")]


def teams_of(
    organization: Organization, persons: Sequence[uuid.UUID]
) -> dict[uuid.UUID, tuple[tuple[uuid.UUID, str], ...]]:
    """The teams of each person as (identifier, name), by name. One statement."""
    rows = (
        TeamMember.objects.filter(organization=organization, person_id__in=persons)
        .order_by(Lower("team__name"), "team_id")
        .values_list("person_id", "team_id", "team__name")
    )
    found: dict[uuid.UUID, tuple[tuple[uuid.UUID, str], ...]] = {}
    for person, team, name in rows:
        found[person] = (*found.get(person, ()), (team, name))
    return found


def who_gains(
    organization: Organization, *, at: datetime, persons: Collection[uuid.UUID] | None
) -> GainPreview:
    """What a grant to these members would do, None meaning all; changes nothing.

    Who has no license enters the queue in the order of joining and takes what the pool has left
    once those who wait already have had theirs.
    """
    rows = Membership.objects.for_organization(organization).select_related("person")
    if persons is not None:
        rows = rows.filter(person_id__in=persons)
    members = list(rows)
    served = set(grants_by_person(organization, at, [row.person_id for row in members]))
    new = [reference(row.person) for row in members if row.person_id not in served]
    pool = pool_of(organization)
    free = max(pool.free - pool.queued, 0)
    return GainPreview(tuple(new[:free]), tuple(new[free:]), len(members) - len(new), pool)


def members_of_team(team_id: uuid.UUID) -> list[uuid.UUID]:
    """Everyone in the team, in the order of joining it."""
    rows = TeamMember.objects.filter(team_id=team_id).order_by("joined_at", "id")
    return list(rows.values_list("person_id", flat=True))
