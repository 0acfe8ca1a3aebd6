"""Policies for teams and people as lists and pages show them (product.md rule 6)."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from offload_portal.common.refusals import not_found
from orgs.models import Organization, Person, PolicyOverride, PolicyTarget, TeamMember
from orgs.selectors.access import PersonRef, reference
from orgs.selectors.policies import people_under


@dataclass(frozen=True, slots=True)
class TeamRef:
    id: uuid.UUID
    name: str


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """One policy for teams and people; `reach` counts the people whom it concerns now."""

    id: uuid.UUID
    name: str
    description: str
    terms: Mapping[str, Any]
    until: datetime | None
    created_at: datetime
    changed_at: datetime
    teams: tuple[TeamRef, ...]
    people: tuple[PersonRef, ...]
    reach: int


def overrides(
    organization: Organization, at: datetime, *, only_of: Person | None = None
) -> tuple[OverrideRow, ...]:
    """Those that hold at the instant, in the order of making; a fixed number of statements.

    `only_of` leaves those that concern that person, and names nobody else in them.
    """
    rows = list(PolicyOverride.objects.filter(organization=organization).live(at))
    targets = list(
        PolicyTarget.objects.filter(policy__in=rows)
        .select_related("policy", "team", "person")
        .order_by("id")
    )
    reached = people_under(organization, targets)
    shown = tuple(_row(row, targets, reached) for row in rows)
    if only_of is None:
        return shown
    own = {layer.policy_id for layer in reached.get(only_of.pk, ())}
    teams = set(
        TeamMember.objects.filter(organization=organization, person=only_of)
        .order_by("id")
        .values_list("team_id", flat=True)
    )
    return tuple(_narrowed(row, only_of, teams) for row in shown if row.id in own)


def override(organization: Organization, at: datetime, policy_id: uuid.UUID) -> OverrideRow:
    """One of them, or 404."""
    for row in overrides(organization, at):
        if row.id == policy_id:
            return row
    raise not_found()


def _row(
    policy: PolicyOverride,
    targets: Sequence[PolicyTarget],
    reached: Mapping[uuid.UUID, Sequence[Any]],
) -> OverrideRow:
    own = [target for target in targets if target.policy_id == policy.pk]
    return OverrideRow(
        id=policy.pk,
        name=policy.name,
        description=policy.description,
        terms=policy.terms,
        until=policy.until,
        created_at=policy.created_at,
        changed_at=policy.changed_at,
        teams=tuple(TeamRef(each.team.pk, each.team.name) for each in own if each.team),
        people=tuple(reference(each.person) for each in own if each.person),
        reach=sum(
            1
            for layers in reached.values()
            if any(layer.policy_id == policy.pk for layer in layers)
        ),
    )


def _narrowed(row: OverrideRow, person: Person, teams: set[uuid.UUID]) -> OverrideRow:
    return OverrideRow(
        id=row.id,
        name=row.name,
        description=row.description,
        terms=row.terms,
        until=row.until,
        created_at=row.created_at,
        changed_at=row.changed_at,
        teams=tuple(team for team in row.teams if team.id in teams),
        people=tuple(each for each in row.people if each.id == person.pk),
        reach=1,
    )
