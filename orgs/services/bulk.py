"""The same change for many members in one step, and undoing it (look.md, Members)."""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import Refusal, not_found
from orgs.enums import BulkKind, Event, MemberAct, Role
from orgs.models import BulkChange, LicenseGrant, Membership, Organization
from orgs.policies import (
    Departure,
    check_can_change_people,
    check_keeps_an_owner,
    check_not_oneself,
)
from orgs.selectors.previews import MemberStep
from orgs.services import audit
from orgs.services.access import grant_to_persons, revoke_persons
from orgs.services.checking import invalid, members_among
from orgs.services.expiry import lock_at
from orgs.services.licensing import Settled
from orgs.services.locking import viewer
from orgs.services.members import take_out
from orgs.services.teams import add_to_team, remove_from_team

UNDONE_WITHIN = timedelta(hours=1)
KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BulkDone:
    """What a step did: `changed` are the persons it concerned, `undo_id` leads to undoing it."""

    changed: tuple[uuid.UUID, ...]
    settled: Settled = field(default_factory=Settled)
    undo_id: uuid.UUID | None = None


def act_on_members(
    *, actor: Actor, at: datetime, organization: Organization, step: MemberStep
) -> BulkDone:
    """Do the step; `orgs.selectors.previews.preview_step` tells before what it would do."""
    order = _Order(actor, at, organization, step.person_ids)
    return _ACTS[step.act](order, step)


def change_roles(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    person_ids: Collection[uuid.UUID],
    role: str,
) -> BulkDone:
    """Give members another role; who has it stays as they are. At least one owner is kept."""
    if role not in Role.values:
        raise invalid("role", _("Choose owner, editor or member."))
    with transaction.atomic():
        row = _opened(actor, at, organization, person_ids)
        before = _other_roles(row, person_ids, role)
        _check_owners(row, [person for person, old in before if old == Role.OWNER])
        _set_roles(actor, at, row, before, role)
        roles = {str(person): old for person, old in before}
        facts = {"role": role, "roles": roles}
        return _done(BulkKind.ROLE, actor, at, row, [person for person, _old in before], facts)


def grant_many(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    person_ids: Collection[uuid.UUID],
    until: datetime | None = None,
) -> BulkDone:
    """Select members; undoing takes the new selections back."""
    with transaction.atomic():
        row = lock_at(organization.pk, at)
        known = _selected(row, person_ids)
        settled = grant_to_persons(
            actor=actor, at=at, organization=row, person_ids=person_ids, until=until
        )
        new = [person for person in members_among(row, person_ids) if person not in known]
        return _done(BulkKind.GRANT, actor, at, row, new, {"persons": _texts(new)}, settled)


def take_many(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    person_ids: Collection[uuid.UUID],
) -> BulkDone:
    """Take selections back; it can be undone where nobody lost a license or a place."""
    with transaction.atomic():
        row = lock_at(organization.pk, at)
        ends = _selected(row, members_among(row, person_ids))
        settled = revoke_persons(actor=actor, at=at, organization=row, person_ids=person_ids)
        facts = {"ends": {str(key): end.isoformat() if end else "" for key, end in ends.items()}}
        lost = bool(settled.lost or settled.left_queue)
        return _done(BulkKind.TAKE, actor, at, row, [*ends], {} if lost else facts, settled)


def add_many_to_team(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    person_ids: Collection[uuid.UUID],
    team_id: uuid.UUID,
) -> BulkDone:
    """Put members into a team; undoing takes out those who were not in it before."""
    with transaction.atomic():
        new, settled = add_to_team(
            actor=actor, at=at, organization=organization, team_id=team_id, person_ids=person_ids
        )
        facts = {"team": str(team_id), "persons": _texts(new)}
        return _done(BulkKind.TEAM_ADD, actor, at, organization, new, facts, settled)


def remove_many_from_team(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    person_ids: Collection[uuid.UUID],
    team_id: uuid.UUID,
) -> BulkDone:
    """Take members out of a team; it can be undone where nobody lost a license or a place."""
    with transaction.atomic():
        gone, settled = remove_from_team(
            actor=actor, at=at, organization=organization, team_id=team_id, person_ids=person_ids
        )
        lost = bool(settled.lost or settled.left_queue)
        facts = {} if lost else {"team": str(team_id), "persons": _texts(gone)}
        return _done(BulkKind.TEAM_REMOVE, actor, at, organization, gone, facts, settled)


def remove_members(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    person_ids: Collection[uuid.UUID],
) -> BulkDone:
    """Take members out of the organization. That can't be undone: they are invited anew."""
    with transaction.atomic():
        row = _opened(actor, at, organization, person_ids)
        check_not_oneself(actor.id, person_ids)
        rows = Membership.objects.filter(organization=row, person_id__in=person_ids)
        chosen = list(rows.select_related("person").order_by("joined_at", "id"))
        _check_owners(row, [each.person_id for each in chosen if each.is_owner])
        settled = take_out(actor, at, row, chosen, "removed")
        return BulkDone(tuple(each.person_id for each in chosen), settled)


def undo(*, actor: Actor, at: datetime, organization: Organization, change_id: uuid.UUID) -> int:
    """Undo a step within an hour, once; returns for how many. Who was changed since is left.

    Granted access that is taken back may be lost by some: whoever calls has shown who.
    """
    with transaction.atomic():
        row = _opened(actor, at, organization, ())
        change = undoable(row, change_id, at)
        if BulkChange.objects.filter(pk=change.pk, undone_at=None).update(undone_at=at) != 1:
            raise _too_late()
        count = _UNDOING[BulkKind(change.kind)](actor, at, row, change.facts)
        audit.record(
            event=Event.BULK_UNDONE,
            actor=actor,
            at=at,
            organization_id=row.pk,
            subject=("bulk_change", change.pk),
            after={"kind": change.kind, "count": count},
        )
    return count


def undoable(organization: Organization, change_id: uuid.UUID, at: datetime) -> BulkChange:
    """The step, if it is the organization's and can still be undone; else 404 or 409."""
    change = BulkChange.objects.filter(organization=organization, pk=change_id).first()
    if change is None:
        raise not_found()
    if change.undone_at is not None or at >= change.at + UNDONE_WITHIN:
        raise _too_late()
    return change


def _too_late() -> Refusal:
    sentence = _("This can no longer be undone: it was undone already, or an hour has passed.")
    return Refusal("not_undoable", sentence, 409)


def _undo_roles(actor: Actor, at: datetime, row: Organization, facts: dict[str, Any]) -> int:
    """Back to what they were, for those who still have what the step gave."""
    now = Membership.objects.filter(organization=row, role=facts["role"])
    still = set(now.order_by("id").values_list("person_id", flat=True))
    back = {uuid.UUID(key): old for key, old in facts["roles"].items()}
    chosen = [person for person in back if person in still]
    if facts["role"] == Role.OWNER:
        _check_owners(row, chosen)
    for role in Role.values:
        people = [(person, facts["role"]) for person in chosen if back[person] == role]
        _set_roles(actor, at, row, people, role)
    return len(chosen)


def _undo_grant(actor: Actor, at: datetime, row: Organization, facts: dict[str, Any]) -> int:
    people = _persons(facts)
    count = len(_selected(row, people))
    revoke_persons(actor=actor, at=at, organization=row, person_ids=people)
    return count


def _undo_take(actor: Actor, at: datetime, row: Organization, facts: dict[str, Any]) -> int:
    ends = {uuid.UUID(key): end for key, end in facts["ends"].items()}
    there = _still_members(row, [*ends])
    count = 0
    for text in sorted({ends[person] for person in there}):
        until = datetime.fromisoformat(text) if text else None
        if until is not None and until <= at:
            continue
        people = [person for person in there if ends[person] == text]
        grant_to_persons(actor=actor, at=at, organization=row, person_ids=people, until=until)
        count += len(people)
    return count


def _undo_team_add(actor: Actor, at: datetime, row: Organization, facts: dict[str, Any]) -> int:
    people, team = _persons(facts), uuid.UUID(facts["team"])
    gone, _settled = remove_from_team(
        actor=actor, at=at, organization=row, team_id=team, person_ids=people
    )
    return len(gone)


def _undo_team_remove(actor: Actor, at: datetime, row: Organization, facts: dict[str, Any]) -> int:
    people, team = _still_members(row, _persons(facts)), uuid.UUID(facts["team"])
    new, _settled = add_to_team(
        actor=actor, at=at, organization=row, team_id=team, person_ids=people
    )
    return len(new)


_UNDOING = {
    BulkKind.ROLE: _undo_roles,
    BulkKind.GRANT: _undo_grant,
    BulkKind.TAKE: _undo_take,
    BulkKind.TEAM_ADD: _undo_team_add,
    BulkKind.TEAM_REMOVE: _undo_team_remove,
}


@dataclass(frozen=True, slots=True)
class _Order:
    """Who orders what on whom: what every act takes."""

    actor: Actor
    at: datetime
    organization: Organization
    person_ids: Collection[uuid.UUID]

    def words(self) -> dict[str, Any]:
        names = ("actor", "at", "organization", "person_ids")
        return {name: getattr(self, name) for name in names}


def _team(step: MemberStep) -> uuid.UUID:
    if step.team_id is None:
        raise not_found()
    return step.team_id


_ACTS: Mapping[MemberAct, Callable[[_Order, MemberStep], BulkDone]] = {
    MemberAct.ROLE: lambda order, step: change_roles(role=step.role, **order.words()),
    MemberAct.GRANT: lambda order, step: grant_many(until=step.until, **order.words()),
    MemberAct.TAKE: lambda order, step: take_many(**order.words()),
    MemberAct.TEAM_ADD: lambda order, step: add_many_to_team(team_id=_team(step), **order.words()),
    MemberAct.TEAM_REMOVE: lambda order, step: remove_many_from_team(
        team_id=_team(step), **order.words()
    ),
    MemberAct.REMOVE: lambda order, step: remove_members(**order.words()),
}


def _opened(
    actor: Actor, at: datetime, organization: Organization, person_ids: Collection[uuid.UUID]
) -> Organization:
    row = lock_at(organization.pk, at)
    check_can_change_people(viewer(actor, row))
    members_among(row, person_ids)
    return row


def _check_owners(organization: Organization, going: Collection[uuid.UUID]) -> None:
    """At least one owner stays when these stop being owners (rule 1)."""
    if going:
        owners = Membership.objects.filter(organization=organization).owners().count()
        check_keeps_an_owner(Departure(Role.OWNER, owners - len(going) + 1))


def _other_roles(
    organization: Organization, person_ids: Collection[uuid.UUID], role: str
) -> list[tuple[uuid.UUID, str]]:
    rows = Membership.objects.filter(organization=organization, person_id__in=person_ids)
    others = rows.exclude(role=role).order_by("joined_at", "id")
    return list(others.values_list("person_id", "role"))


def _set_roles(
    actor: Actor,
    at: datetime,
    organization: Organization,
    before: Sequence[tuple[uuid.UUID, str]],
    role: str,
) -> None:
    people = [person for person, _old in before]
    Membership.objects.filter(organization=organization, person_id__in=people).update(role=role)
    for old in Role.values:
        audit.record_many(
            event=Event.MEMBER_ROLE_CHANGED,
            actor=actor,
            at=at,
            organization_id=organization.pk,
            subjects=[("person", person) for person, was in before if was == old],
            before={"role": old},
            after={"role": role},
        )


def _selected(
    organization: Organization, people: Collection[uuid.UUID]
) -> dict[uuid.UUID, datetime | None]:
    """Who has a grant of their own, and when it ends."""
    rows = LicenseGrant.objects.filter(organization=organization, person_id__in=people)
    pairs = rows.order_by("granted_at", "id").values_list("person_id", "until")
    return {person: until for person, until in pairs if person is not None}


def _still_members(organization: Organization, people: Collection[uuid.UUID]) -> list[uuid.UUID]:
    rows = Membership.objects.filter(organization=organization, person_id__in=people)
    return list(rows.order_by("joined_at", "id").values_list("person_id", flat=True))


def _texts(people: Collection[uuid.UUID]) -> list[str]:
    return [str(person) for person in people]


def _persons(facts: dict[str, Any]) -> list[uuid.UUID]:
    return [uuid.UUID(text) for text in facts["persons"]]


def _done(
    kind: BulkKind,
    actor: Actor,
    at: datetime,
    organization: Organization,
    changed: Sequence[uuid.UUID],
    facts: dict[str, Any],
    settled: Settled | None = None,
) -> BulkDone:
    """Keep what undoing needs, a day long; without facts there is no undoing."""
    undo_id = None
    BulkChange.objects.filter(organization=organization, at__lt=at - KEPT_FOR).delete()
    if changed and facts and actor.id is not None:
        made = BulkChange.objects.create(
            organization=organization, actor_id=actor.id, at=at, kind=kind, facts=facts
        )
        undo_id = made.pk
    return BulkDone(tuple(changed), settled or Settled(), undo_id)
