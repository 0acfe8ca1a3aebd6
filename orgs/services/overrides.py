"""Policies for teams and people (product.md rule 6): added, changed, removed, previewed."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import Refusal, not_found
from orgs.enums import Event
from orgs.models import (
    Membership,
    Organization,
    Person,
    Policy,
    PolicyOverride,
    PolicyTarget,
    Team,
)
from orgs.policies import check_can_change_policy
from orgs.selectors.access import PersonRef, reference
from orgs.selectors.policies import FIELDS, GROUPS, values_of
from orgs.services import audit
from orgs.services.checking import clean_name, invalid
from orgs.services.following import end_overrides, following, held, switched_off
from orgs.services.locking import lock, viewer
from orgs.services.policies import PolicyChange, check_policy, update_policy

MOST_OVERRIDES = 100
MOST_DESCRIPTION_LETTERS = 300
MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class OverrideChange:
    """A whole policy for teams and people. `terms` holds the settings that it overrides."""

    name: str
    terms: Mapping[str, Any]
    team_ids: Collection[uuid.UUID] = ()
    person_ids: Collection[uuid.UUID] = ()
    description: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class OverridePreview:
    """Whom a change concerns: how many get other terms, and how many lose access by it.

    `people` and `loses` name the first hundred of each.
    """

    changed: int
    people: tuple[PersonRef, ...]
    loses: tuple[PersonRef, ...]
    losers: int


def add_override(
    *, actor: Actor, at: datetime, organization: Organization, change: OverrideChange
) -> PolicyOverride:
    """A new policy for the teams and people named. Owners only; 400 with the fields to blame."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        return add_to_locked(actor, at, row, change)


def add_to_locked(
    actor: Actor, at: datetime, organization: Organization, change: OverrideChange
) -> PolicyOverride:
    """The same in an organization that is locked, by whoever has checked that they may."""
    if PolicyOverride.objects.filter(organization=organization, ended_at=None).count() >= (
        MOST_OVERRIDES
    ):
        sentence = _("An organization has at most %(most)s such policies; remove one first.")
        raise Refusal("too_many_policies", sentence % {"most": MOST_OVERRIDES}, 409)
    terms = _checked(organization, change, at)
    with following(organization, at):
        made = PolicyOverride.objects.create(
            organization=organization,
            name=clean_name(change.name),
            description=_description(change),
            terms=terms,
            until=change.until,
            created_at=at,
            changed_at=at,
        )
        _aim(made, change)
    _record(Event.POLICY_ADDED, actor, at, made, after=_told(made, change))
    return made


def change_override(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    policy_id: uuid.UUID,
    change: OverrideChange,
) -> PolicyOverride:
    """Set a policy for teams and people anew, its targets too."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        policy = _found(row, policy_id)
        terms = _checked(row, change, at)
        before = _told(policy, targets_of(policy))
        with following(row, at):
            policy.name, policy.description = clean_name(change.name), _description(change)
            policy.terms, policy.until, policy.changed_at = terms, change.until, at
            policy.save()
            PolicyTarget.objects.filter(policy=policy).delete()
            _aim(policy, change)
        after = _told(policy, change)
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        if names:
            old = {name: before[name] for name in names if name in before}
            new = {name: after[name] for name in names if name in after}
            _record(Event.POLICY_CHANGED, actor, at, policy, old, new)
    return policy


def remove_override(
    *, actor: Actor, at: datetime, organization: Organization, policy_id: uuid.UUID
) -> None:
    """Take a policy for teams and people away; what is under it holds for them again."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        policy = _found(row, policy_id)
        _record(Event.POLICY_REMOVED, actor, at, policy, _told(policy, targets_of(policy)))
        with following(row, at):
            policy.delete()


def preview_override(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    policy_id: uuid.UUID | None,
    change: OverrideChange | None,
) -> OverridePreview:
    """What adding, changing (both given) or removing (no `change`) would do; changes nothing."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        before = held(row, at)
        policy = _found(row, policy_id) if policy_id else None
        terms = _checked(row, change, at) if change else {}
        if policy is not None:
            created = policy.created_at
            policy.delete()
        else:
            created = at
        if change:
            made = PolicyOverride.objects.create(
                organization=row,
                name=clean_name(change.name),
                terms=terms,
                until=change.until,
                created_at=created,
                changed_at=at,
            )
            _aim(made, change)
        after = held(row, at)
        lost = switched_off(row, before, after)
        transaction.set_rollback(True)
    concerned = {*before.own, *after.own}
    changed = [person for person in concerned if before.of(person) != after.of(person)]
    return OverridePreview(len(changed), _people(changed), _people(lost), len(lost))


def preview_everyones(
    *, actor: Actor, at: datetime, organization: Organization, change: PolicyChange
) -> OverridePreview:
    """What setting everyone's policy would do; changes nothing."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        before = held(row, at)
        update_policy(actor=actor, at=at, organization=row, change=change)
        after = held(row, at)
        lost = switched_off(row, before, after)
        transaction.set_rollback(True)
    members = Membership.objects.for_organization(organization)
    changed = [
        person
        for person in members.values_list("person_id", flat=True)
        if before.of(person) != after.of(person)
    ]
    return OverridePreview(len(changed), _people(changed), _people(lost), len(lost))


def _people(keys: Collection[uuid.UUID]) -> tuple[PersonRef, ...]:
    rows = Person.objects.filter(pk__in=keys).order_by("name", "email", "id")
    return tuple(reference(person) for person in rows[:MOST_SHOWN])


def _opened(actor: Actor, at: datetime, organization: Organization) -> Organization:
    row = lock(organization.pk)
    check_can_change_policy(viewer(actor, row))
    end_overrides(row, at)
    return row


def _found(organization: Organization, policy_id: uuid.UUID) -> PolicyOverride:
    policy = PolicyOverride.objects.filter(
        organization=organization, pk=policy_id, ended_at=None
    ).first()
    if policy is None:
        raise not_found()
    return policy


def _description(change: OverrideChange) -> str:
    text = " ".join(change.description.split())
    if len(text) > MOST_DESCRIPTION_LETTERS:
        sentence = _("A description has at most %(most)s characters.")
        raise invalid("description", sentence % {"most": MOST_DESCRIPTION_LETTERS})
    return text


def _checked(organization: Organization, change: OverrideChange, at: datetime) -> dict[str, Any]:
    """The terms as they are stored, if together with the organization's they are a policy."""
    clean_name(change.name)
    terms = {name: change.terms[name] for name in FIELDS if name in change.terms}
    if not terms or len(terms) != len(change.terms):
        raise invalid("terms", _("Choose at least one setting that the policy overrides."))
    for names in GROUPS.values():
        missing = [name for name in names if name not in terms]
        if missing and len(missing) < len(names):
            sentence = _("It is set together with %(others)s.")
            raise invalid(missing[0], sentence % {"others": ", ".join(names)})
    whole = {**values_of(Policy.objects.get(organization=organization)), **terms}
    # Only what it sets is its own; a bound of the portal may have moved under the rest.
    lists = {name: tuple(whole[name]) for name in ("engine_sizes", "required_labels")}
    check_policy(PolicyChange(**{**whole, **lists}))
    if change.until is not None and change.until <= at:
        raise invalid("until", _("The end lies in the past."))
    _check_targets(organization, change)
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in terms.items()
    }


def _check_targets(organization: Organization, change: OverrideChange) -> None:
    if not change.team_ids and not change.person_ids:
        raise invalid("targets", _("Choose the teams or people that it is for."))
    teams = Team.objects.filter(organization=organization, pk__in=change.team_ids)
    if teams.count() != len(set(change.team_ids)):
        raise not_found()
    people = Membership.objects.filter(organization=organization, person_id__in=change.person_ids)
    if people.count() != len(set(change.person_ids)):
        raise not_found()


def _aim(policy: PolicyOverride, change: OverrideChange) -> None:
    organization = policy.organization_id
    PolicyTarget.objects.bulk_create(
        [
            *(
                PolicyTarget(organization_id=organization, policy=policy, team_id=team)
                for team in dict.fromkeys(change.team_ids)
            ),
            *(
                PolicyTarget(organization_id=organization, policy=policy, person_id=person)
                for person in dict.fromkeys(change.person_ids)
            ),
        ]
    )


def targets_of(policy: PolicyOverride) -> OverrideChange:
    """The policy as a change that would leave it as it is."""
    rows = list(policy.targets.order_by("id"))
    return OverrideChange(
        name=policy.name,
        terms=policy.terms,
        team_ids=[row.team_id for row in rows if row.team_id],
        person_ids=[row.person_id for row in rows if row.person_id],
        description=policy.description,
        until=policy.until,
    )


def _told(policy: PolicyOverride, change: OverrideChange) -> dict[str, Any]:
    """What the audit log says of it."""
    return {
        "name": audit.Named(policy.name),
        **policy.terms,
        "until": change.until.isoformat() if change.until else None,
        "teams": sorted(str(team) for team in change.team_ids),
        "people": sorted(str(person) for person in change.person_ids),
    }


def _record(
    event: Event,
    actor: Actor,
    at: datetime,
    policy: PolicyOverride,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    audit.record(
        event=event,
        actor=actor,
        at=at,
        organization_id=policy.organization_id,
        subject=("policy", policy.pk),
        before=before,
        after=after,
    )
