"""Granting access and taking it away; the pool of licenses (product.md rules 4 and 5)."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import transaction

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import not_found
from orgs.enums import Event, GrantKind
from orgs.models import LicenseGrant, Membership, Organization, Person, Team
from orgs.policies import check_can_change_access
from orgs.services import audit
from orgs.services.licensing import Settled, settle
from orgs.services.locking import lock, viewer
from orgs.services.notices import tell


def grant_to_all(*, actor: Actor, at: datetime, organization: Organization) -> Settled:
    """Give every member, now and later, a license or a place in the queue."""
    with transaction.atomic():
        row = _opened(actor, organization)
        new = _add(actor, at, row, [LicenseGrant(kind=GrantKind.ALL)])
        return _settled(actor, at, row, "granted", None) if new else Settled()


def grant_to_person(
    *, actor: Actor, at: datetime, organization: Organization, person: Person
) -> Settled:
    """Select one member."""
    return grant_to_persons(actor=actor, at=at, organization=organization, person_ids=[person.pk])


def grant_to_persons(
    *, actor: Actor, at: datetime, organization: Organization, person_ids: Collection[uuid.UUID]
) -> Settled:
    """Select several members at once; all of them must be members."""
    with transaction.atomic():
        row = _opened(actor, organization)
        chosen = _members(row, person_ids)
        new = _add(
            actor, at, row, [LicenseGrant(kind=GrantKind.PERSON, person_id=key) for key in chosen]
        )
        persons = [grant.person_id for grant in new if grant.person_id]
        return _settled(actor, at, row, "granted", persons) if persons else Settled()


def grant_to_team(*, actor: Actor, at: datetime, organization: Organization, team: Team) -> Settled:
    """Give everyone in a team, now and later, a license or a place in the queue."""
    with transaction.atomic():
        row = _opened(actor, organization)
        if team.organization_id != row.pk:
            raise not_found()
        new = _add(actor, at, row, [LicenseGrant(kind=GrantKind.TEAM, team=team)])
        return _settled(actor, at, row, "granted", None) if new else Settled()


def revoke_all(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    keep: Collection[uuid.UUID] = (),
) -> Settled:
    """Take back the grant to all members. `keep` are members who are selected in the same step."""
    with transaction.atomic():
        row = _opened(actor, organization)
        kept = _members(row, keep)
        _add(actor, at, row, [LicenseGrant(kind=GrantKind.PERSON, person_id=key) for key in kept])
        return _taken(actor, at, row, kind=GrantKind.ALL)


def revoke_person(
    *, actor: Actor, at: datetime, organization: Organization, person: Person
) -> Settled:
    """Take back the grant to one member, who may keep access by another."""
    return revoke_persons(actor=actor, at=at, organization=organization, person_ids=[person.pk])


def revoke_persons(
    *, actor: Actor, at: datetime, organization: Organization, person_ids: Collection[uuid.UUID]
) -> Settled:
    """Take back the grants to single members."""
    with transaction.atomic():
        row = _opened(actor, organization)
        return _taken(actor, at, row, kind=GrantKind.PERSON, person_id__in=person_ids)


def revoke_team(*, actor: Actor, at: datetime, organization: Organization, team: Team) -> Settled:
    """Take back the grant to a team."""
    with transaction.atomic():
        row = _opened(actor, organization)
        return _taken(actor, at, row, kind=GrantKind.TEAM, team=team)


def set_license_pool(
    *, actor: Actor, at: datetime, organization: Organization, licenses: int
) -> Settled:
    """The subscription brings so many licenses. With fewer, the last granted go to the queue.

    Called by `usage`, which has checked who may; those who go to the queue lose access at `at`.
    """
    if licenses < 0:
        raise ValueError("A pool has no fewer than 0 licenses.")
    with transaction.atomic():
        row = lock(organization.pk)
        if licenses == row.licenses:
            return Settled()
        row.licenses = licenses
        done = _settled(actor, at, row, "pool_shrunk", ())
    organization.licenses, organization.licenses_held = row.licenses, row.licenses_held
    return done


def _opened(actor: Actor, organization: Organization) -> Organization:
    row = lock(organization.pk)
    check_can_change_access(viewer(actor, row))
    return row


def _members(organization: Organization, persons: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """The persons in the order of joining; refuses where one is no member."""
    rows = Membership.objects.filter(organization=organization, person_id__in=persons)
    found = list(rows.order_by("joined_at", "id").values_list("person_id", flat=True))
    if len(found) != len(set(persons)):
        raise not_found()
    return found


def _add(
    actor: Actor, at: datetime, organization: Organization, wanted: Sequence[LicenseGrant]
) -> list[LicenseGrant]:
    """Write the grants that aren't there yet. The organization is locked, so none comes between."""
    rows = LicenseGrant.objects.filter(organization=organization)
    known = set(rows.order_by("id").values_list("kind", "team_id", "person_id"))
    new = [grant for grant in wanted if (grant.kind, grant.team_id, grant.person_id) not in known]
    for grant in new:
        grant.organization, grant.granted_at, grant.granted_by_id = organization, at, actor.id
    LicenseGrant.objects.bulk_create(new)
    _record(Event.ACCESS_GRANTED, actor, at, organization, new)
    return new


def _taken(actor: Actor, at: datetime, organization: Organization, **which: object) -> Settled:
    grants = list(
        LicenseGrant.objects.filter(organization=organization, **which).order_by("granted_at", "id")
    )
    if not grants:
        return Settled()
    LicenseGrant.objects.filter(pk__in=[grant.pk for grant in grants]).delete()
    _record(Event.ACCESS_REVOKED, actor, at, organization, grants)
    single = [grant.person_id for grant in grants if grant.person_id]
    persons = single if len(single) == len(grants) else None
    return _settled(actor, at, organization, "grant_revoked", persons)


def _record(
    event: Event,
    actor: Actor,
    at: datetime,
    organization: Organization,
    grants: Sequence[LicenseGrant],
) -> None:
    """An entry for each grant: its subject is the person, the team, or the organization."""
    for kind, subject_kind in (
        (GrantKind.ALL, "organization"),
        (GrantKind.TEAM, "team"),
        (GrantKind.PERSON, "person"),
    ):
        chosen = [grant for grant in grants if grant.kind == kind]
        fact = {"grant": str(kind)}
        audit.record_many(
            event=event,
            actor=actor,
            at=at,
            organization_id=organization.pk,
            subjects=[
                (subject_kind, grant.person_id or grant.team_id or organization.pk)
                for grant in chosen
            ],
            before=fact if event == Event.ACCESS_REVOKED else None,
            after=fact if event == Event.ACCESS_GRANTED else None,
        )


def _settled(
    actor: Actor,
    at: datetime,
    organization: Organization,
    cause: str,
    persons: Collection[uuid.UUID] | None,
) -> Settled:
    done = settle(actor=actor, at=at, organization=organization, cause=cause, persons=persons)
    tell(organization, done)
    return done
