"""Teams: named groups of members, to which access may be granted (product.md rule 4)."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import not_found
from orgs.enums import Event
from orgs.models import LicenseGrant, Organization, Team, TeamMember
from orgs.policies import check_can_change_people
from orgs.services import audit
from orgs.services.checking import clean_name, invalid, members_among
from orgs.services.expiry import lock_at, record_grants
from orgs.services.following import following
from orgs.services.licensing import Settled, settle
from orgs.services.locking import viewer
from orgs.services.notices import tell

MOST_TEAMS = 1_000


def create_team(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    name: str,
    person_ids: Collection[uuid.UUID] = (),
) -> Team:
    """A new team with these members. Its name is its own in the organization, whatever the case."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        if Team.objects.filter(organization=row).count() >= MOST_TEAMS:
            sentence = _("An organization has at most %(most)s teams; delete one first.")
            raise invalid("name", sentence % {"most": f"{MOST_TEAMS:,}"})
        team = Team.objects.create(organization=row, name=_free_name(row, name), created_at=at)
        _record(Event.TEAM_CREATED, actor, at, team, after={"name": audit.Named(team.name)})
        put_in(actor, at, row, team, members_among(row, person_ids))
    return team


def rename_team(
    *, actor: Actor, at: datetime, organization: Organization, team_id: uuid.UUID, name: str
) -> Team:
    """Give a team another name."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        team = team_of(row, team_id)
        before, after = team.name, _free_name(row, name, team)
        if before != after:
            team.name = after
            team.save(update_fields=["name"])
            _record(
                Event.TEAM_RENAMED,
                actor,
                at,
                team,
                {"name": audit.Named(before)},
                {"name": audit.Named(after)},
            )
    return team


def delete_team(
    *, actor: Actor, at: datetime, organization: Organization, team_id: uuid.UUID
) -> Settled:
    """Delete a team with its grant; its members stay in the organization."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        team = team_of(row, team_id)
        people = _people_in(team)
        grants = list(LicenseGrant.objects.filter(organization=row, team=team).order_by("id"))
        record_grants(Event.ACCESS_REVOKED, actor, at, row, grants)
        before = {"name": audit.Named(team.name), "members": len(people)}
        _record(Event.TEAM_DELETED, actor, at, team, before)
        with following(row, at):
            team.delete()
        return _settled(actor, at, row, "team_deleted", people if grants else ())


def add_to_team(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    team_id: uuid.UUID,
    person_ids: Collection[uuid.UUID],
) -> tuple[list[uuid.UUID], Settled]:
    """Put members into a team; returns who was not in it yet, and what became of licenses."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        team = team_of(row, team_id)
        return put_in(actor, at, row, team, members_among(row, person_ids))


def remove_from_team(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    team_id: uuid.UUID,
    person_ids: Collection[uuid.UUID],
) -> tuple[list[uuid.UUID], Settled]:
    """Take members out of a team; who was not in it is passed over."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        team = team_of(row, team_id)
        rows = TeamMember.objects.filter(team=team, person_id__in=person_ids)
        gone = list(rows.order_by("joined_at", "id").values_list("person_id", flat=True))
        with following(row, at):
            rows.delete()
        _record_people(Event.TEAM_MEMBER_REMOVED, actor, at, team, gone)
        return gone, _settled(actor, at, row, "left_team", gone)


def put_in(
    actor: Actor, at: datetime, organization: Organization, team: Team, people: Sequence[uuid.UUID]
) -> tuple[list[uuid.UUID], Settled]:
    """Members into a team of the locked organization."""
    known = set(_people_in(team))
    new = [person for person in people if person not in known]
    with following(organization, at):
        TeamMember.objects.bulk_create(
            TeamMember(organization=organization, team=team, person_id=person, joined_at=at)
            for person in new
        )
    _record_people(Event.TEAM_MEMBER_ADDED, actor, at, team, new)
    return new, _settled(actor, at, organization, "joined_team", new)


def team_of(organization: Organization, team_id: uuid.UUID) -> Team:
    """The team by identifier, if it is the organization's; else 404."""
    team = Team.objects.filter(organization=organization, pk=team_id).first()
    if team is None:
        raise not_found()
    return team


def _opened(actor: Actor, at: datetime, organization: Organization) -> Organization:
    row = lock_at(organization.pk, at)
    check_can_change_people(viewer(actor, row))
    return row


def _free_name(organization: Organization, name: str, own: Team | None = None) -> str:
    text = clean_name(name)
    others = Team.objects.filter(organization=organization, name__iexact=text)
    if own is not None:
        others = others.exclude(pk=own.pk)
    if others.exists():
        raise invalid("name", _("A team has this name already."))
    return text


def _people_in(team: Team) -> list[uuid.UUID]:
    rows = TeamMember.objects.filter(team=team).order_by("joined_at", "id")
    return list(rows.values_list("person_id", flat=True))


def _settled(
    actor: Actor,
    at: datetime,
    organization: Organization,
    cause: str,
    people: Collection[uuid.UUID],
) -> Settled:
    if not people:
        return Settled()
    done = settle(actor=actor, at=at, organization=organization, cause=cause, persons=people)
    tell(organization, done)
    return done


def _record(
    event: Event,
    actor: Actor,
    at: datetime,
    team: Team,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    audit.record(
        event=event,
        actor=actor,
        at=at,
        organization_id=team.organization_id,
        subject=("team", team.pk),
        before=before,
        after=after,
    )


def _record_people(
    event: Event, actor: Actor, at: datetime, team: Team, people: Sequence[uuid.UUID]
) -> None:
    fact = {"team": str(team.pk)}
    audit.record_many(
        event=event,
        actor=actor,
        at=at,
        organization_id=team.organization_id,
        subjects=[("person", person) for person in people],
        before=fact if event == Event.TEAM_MEMBER_REMOVED else None,
        after=fact if event == Event.TEAM_MEMBER_ADDED else None,
    )
