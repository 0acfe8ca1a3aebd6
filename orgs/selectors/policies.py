"""The client policy as it holds, for everyone and for one person (product.md rule 6).

A policy for a person beats one for a team, and that beats the organization's, setting by setting.
Of two at the same level the one that was made later wins.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from orgs.models import (
    Organization,
    Person,
    Policy,
    PolicyMark,
    PolicyOverride,
    PolicyTarget,
    TeamMember,
)

# What is set together: the three timeouts would contradict each other one by one.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "offload": ("offload",),
    "idle_timeout": (
        "idle_timeout_seconds",
        "idle_timeout_least_seconds",
        "idle_timeout_most_seconds",
    ),
    "engine_sizes": ("engine_sizes", "gpu_allowed"),
    "longest_session": ("longest_session_seconds",),
    "sessions_per_person": ("sessions_per_person",),
    "keep_alive": ("keep_alive_most_seconds",),
    "required_labels": ("required_labels",),
}
FIELDS = tuple(name for group in GROUPS.values() for name in group)
OF_TEAM, OF_PERSON = 1, 2
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """What clients and starts obey. Times are seconds; `longest_session_seconds` None: no limit.

    `keep_alive_most_seconds` is how far ahead a job may declare itself alive; 0 is not at all.
    `required_labels` are names of labels without which no session starts.
    """

    version: int
    offload: str
    idle_timeout_seconds: int
    idle_timeout_least_seconds: int
    idle_timeout_most_seconds: int
    engine_sizes: tuple[str, ...]
    gpu_allowed: bool
    longest_session_seconds: int | None
    sessions_per_person: int
    keep_alive_most_seconds: int
    required_labels: tuple[str, ...]
    refresh_after_seconds: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Layer:
    """One override as it applies to somebody: by their team (rank 1) or by name (rank 2)."""

    policy_id: uuid.UUID
    name: str
    rank: int
    team: str
    created_at: datetime
    changed_at: datetime
    until: datetime | None
    terms: Values

    @property
    def order(self) -> tuple[int, datetime, uuid.UUID]:
        return self.rank, self.created_at, self.policy_id


@dataclass(frozen=True, slots=True)
class PolicySource:
    """Where one group of settings comes from; `layer` None is the organization's policy."""

    group: str
    layer: Layer | None


@dataclass(frozen=True, slots=True)
class EffectivePolicy:
    """What holds for a person, and why: a source for each group of settings, in their order."""

    terms: PolicyTerms
    sources: tuple[PolicySource, ...]


def policy_terms(organization: Organization) -> PolicyTerms:
    """The policy of everyone in the organization; every organization has one."""
    policy = Policy.objects.get(organization=organization)
    return terms_of_policy(policy, settings.POLICY_REFRESH_SECONDS)


def values_of(policy: Policy) -> dict[str, Any]:
    """Every setting of the organization's policy."""
    return {name: getattr(policy, name) for name in FIELDS}


def terms_of_policy(policy: Policy, refresh_after_seconds: int) -> PolicyTerms:
    return _terms(values_of(policy), policy.version, refresh_after_seconds, policy.changed_at)


def _terms(values: Values, version: int, refresh: int, changed_at: datetime) -> PolicyTerms:
    # The portal's own bound may have been lowered since the policy was set.
    alive = min(values["keep_alive_most_seconds"], settings.KEEP_ALIVE_MOST_SECONDS)
    whole = {**values, "keep_alive_most_seconds": alive}
    return PolicyTerms(
        version=version,
        refresh_after_seconds=refresh,
        changed_at=changed_at,
        **{
            **whole,
            "engine_sizes": tuple(values["engine_sizes"]),
            "required_labels": tuple(values["required_labels"]),
        },
    )


# For one person


def layered(base: Values, layers: Iterable[Layer]) -> tuple[dict[str, Any], dict[str, Layer]]:
    """The settings with the layers over them, and which layer set each group."""
    values, by_group = dict(base), {}
    for layer in sorted(layers, key=lambda each: each.order):
        for group, names in GROUPS.items():
            if names[0] in layer.terms:
                values.update({name: layer.terms[name] for name in names})
                by_group[group] = layer
    return values, by_group


def policy_of(organization: Organization, person: Person, at: datetime) -> EffectivePolicy:
    """What holds for the person in the organization at the instant."""
    return policies_of(person, [organization.pk], at)[organization.pk]


def policies_of(
    person: Person, organizations: Collection[uuid.UUID], at: datetime
) -> dict[uuid.UUID, EffectivePolicy]:
    """What holds for the person in each of the organizations.

    Two statements; one where none of them has a policy but everyone's.
    """
    mark = PolicyMark.objects.filter(person_id=person.pk, organization=OuterRef("organization"))
    rows = Policy.objects.filter(organization_id__in=organizations)
    there = PolicyOverride.objects.filter(organization=OuterRef("organization"), ended_at=None)
    rows = rows.annotate(mark=Subquery(mark.values("version")), layered=Exists(there))
    with_layers = [row.organization_id for row in rows if row.layered]
    layers, ended = _layers_of(person.pk, with_layers, at)
    return {
        row.organization_id: effective(
            row, layers[row.organization_id], row.mark or 0, ended[row.organization_id]
        )
        for row in rows
    }


def effective(
    policy: Policy, layers: Sequence[Layer], mark: int, ended: int = 0
) -> EffectivePolicy:
    """The policy with the layers over it.

    `ended` are overrides whose end no sweep has written down: each is a change of its own, so that
    the version rises at the instant and not when somebody looks.
    """
    values, by_group = layered(values_of(policy), layers)
    version = max(policy.version, mark) + ended
    changed_at = max([policy.changed_at, *(layer.changed_at for layer in by_group.values())])
    return EffectivePolicy(
        terms=_terms(values, version, settings.POLICY_REFRESH_SECONDS, changed_at),
        sources=tuple(PolicySource(group, by_group.get(group)) for group in GROUPS),
    )


def _layers_of(
    person_id: uuid.UUID, organizations: Collection[uuid.UUID], at: datetime
) -> tuple[dict[uuid.UUID, list[Layer]], dict[uuid.UUID, int]]:
    layers: dict[uuid.UUID, list[Layer]] = defaultdict(list)
    ended: dict[uuid.UUID, int] = defaultdict(int)
    if not organizations:
        return layers, ended
    teams = TeamMember.objects.filter(
        person_id=person_id, organization_id__in=organizations
    ).values("team_id")
    rows = PolicyTarget.objects.filter(organization_id__in=organizations, policy__ended_at=None)
    for row in _with_policy(rows.filter(Q(person_id=person_id) | Q(team_id__in=teams))):
        if row.policy.until is not None and row.policy.until <= at:
            ended[row.organization_id] += 1
        else:
            layers[row.organization_id].append(layer_of(row))
    return layers, ended


def _with_policy(rows: QuerySet[PolicyTarget]) -> QuerySet[PolicyTarget]:
    return rows.select_related("policy", "team").order_by("id")


def layer_of(target: PolicyTarget) -> Layer:
    policy = target.policy
    return Layer(
        policy_id=policy.pk,
        name=policy.name,
        rank=OF_TEAM if target.team_id else OF_PERSON,
        team=target.team.name if target.team else "",
        created_at=policy.created_at,
        changed_at=policy.changed_at,
        until=policy.until,
        terms=policy.terms,
    )


# For everyone who has one of their own


def own_values(
    organization: Organization, at: datetime
) -> tuple[dict[str, Any], dict[uuid.UUID, dict[str, Any]]]:
    """The organization's settings, and those of each member whom an override concerns.

    Three statements, whatever the numbers; two where there is no override.
    """
    base = values_of(Policy.objects.get(organization=organization))
    rows = PolicyTarget.objects.filter(organization=organization)
    live = rows.filter(Q(policy__until=None) | Q(policy__until__gt=at))
    by_person = people_under(organization, list(_with_policy(live)))
    return base, {person: layered(base, layers)[0] for person, layers in by_person.items()}


def people_under(
    organization: Organization, targets: Sequence[PolicyTarget]
) -> dict[uuid.UUID, list[Layer]]:
    """Each person whom the targets reach, with the layers over them."""
    by_person: dict[uuid.UUID, list[Layer]] = defaultdict(list)
    by_team: dict[uuid.UUID, list[Layer]] = defaultdict(list)
    for target in targets:
        if target.person_id:
            by_person[target.person_id].append(layer_of(target))
        elif target.team_id:
            by_team[target.team_id].append(layer_of(target))
    if by_team:
        rows = TeamMember.objects.filter(organization=organization, team_id__in=by_team)
        for team_id, person_id in rows.order_by("id").values_list("team_id", "person_id"):
            by_person[person_id].extend(by_team[team_id])
    return by_person
