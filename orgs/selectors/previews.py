"""What acting on many members would do (rule 5, look.md: see what will happen)."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from offload_portal.common.refusals import not_found
from orgs.enums import GrantKind, MemberAct, Role
from orgs.models import LicenseGrant, Membership, Organization, TeamMember
from orgs.policies import Departure, check_keeps_an_owner, check_not_oneself
from orgs.selectors.access import LossPreview, PersonRef, reference, who_loses
from orgs.selectors.teams import GainPreview, find_team, who_gains


@dataclass(frozen=True, slots=True)
class MemberStep:
    """One act on many members. `role`, `team_id` and `until` are for the acts that need them."""

    act: MemberAct
    person_ids: Collection[uuid.UUID]
    role: str = ""
    team_id: uuid.UUID | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RolePreview:
    """Who would get the role from which one; `stays` have it already."""

    role: str
    changes: tuple[tuple[PersonRef, str], ...]
    stays: int


@dataclass(frozen=True, slots=True)
class TeamPreview:
    """Who would enter or leave the team; `same` are those for whom nothing changes.

    `gains` and `losses` are what its grant does then; None where that can't happen.
    """

    team: str
    joining: bool
    moves: tuple[PersonRef, ...]
    same: int
    gains: GainPreview | None
    losses: LossPreview | None


def _chosen(organization: Organization, persons: Collection[uuid.UUID]) -> list[Membership]:
    rows = Membership.objects.for_organization(organization).filter(person_id__in=persons)
    return list(rows.select_related("person"))


def _check_owners(organization: Organization, going: int) -> None:
    if going:
        owners = Membership.objects.filter(organization=organization).owners().count()
        check_keeps_an_owner(Departure(Role.OWNER, owners - going + 1))


def role_preview(
    organization: Organization, persons: Collection[uuid.UUID], role: str
) -> RolePreview:
    """Refuses where no owner would be left (rule 1)."""
    rows = _chosen(organization, persons)
    changing = [row for row in rows if row.role != role]
    _check_owners(organization, sum(row.is_owner for row in changing))
    changes = tuple((reference(row.person), row.role) for row in changing)
    return RolePreview(role, changes, len(rows) - len(changes))


def removal_preview(
    organization: Organization,
    persons: Collection[uuid.UUID],
    own_id: uuid.UUID | None,
    *,
    at: datetime,
) -> LossPreview:
    """What removing these would take from whom. `own_id` is who asks: owners leave on their own."""
    check_not_oneself(own_id, persons)
    rows = _chosen(organization, persons)
    _check_owners(organization, sum(row.is_owner for row in rows))
    return who_loses(organization, at=at, leaving=persons)


def team_preview(
    organization: Organization,
    team_id: uuid.UUID,
    persons: Collection[uuid.UUID],
    *,
    at: datetime,
    joining: bool,
) -> TeamPreview:
    """What putting members into a team, or taking them out, would do."""
    team = find_team(organization, team_id, at)
    inside = set(
        TeamMember.objects.filter(team_id=team_id, person_id__in=persons)
        .order_by("id")
        .values_list("person_id", flat=True)
    )
    rows = _chosen(organization, persons)
    moves = [row for row in rows if (row.person_id in inside) != joining]
    ids = [row.person_id for row in moves]
    gains = who_gains(organization, at=at, persons=ids) if joining and team.has_grant else None
    losses = None
    if not joining and team.has_grant:
        losses = who_loses(organization, at=at, leaving_team=(team_id, ids))
    return TeamPreview(
        team=team.name,
        joining=joining,
        moves=tuple(reference(row.person) for row in moves),
        same=len(rows) - len(moves),
        gains=gains,
        losses=losses,
    )


def grants_in(organization: Organization, at: datetime) -> tuple[LicenseGrant, ...]:
    """The grants to all and to teams that hold at the instant, the newest first."""
    rows = LicenseGrant.objects.filter(organization=organization).exclude(kind=GrantKind.PERSON)
    live = rows.select_related("team").order_by("-granted_at", "-id")
    return tuple(grant for grant in live if grant.until is None or grant.until > at)


Preview = RolePreview | TeamPreview | GainPreview | LossPreview


def preview_step(
    organization: Organization, step: MemberStep, own_id: uuid.UUID | None, *, at: datetime
) -> Preview:
    """What the step would do, for the person who asks; changes nothing. Refuses as doing it would.

    A team that is not the organization's is 404.
    """
    people = step.person_ids
    if step.act == MemberAct.ROLE:
        return role_preview(organization, people, step.role)
    if step.act == MemberAct.GRANT:
        return who_gains(organization, at=at, persons=people)
    if step.act == MemberAct.TAKE:
        return who_loses(organization, at=at, person_ids=people)
    if step.act == MemberAct.REMOVE:
        return removal_preview(organization, people, own_id, at=at)
    if step.team_id is None:
        raise not_found()
    joining = step.act == MemberAct.TEAM_ADD
    return team_preview(organization, step.team_id, people, at=at, joining=joining)
