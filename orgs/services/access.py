"""Granting access and taking it away; the pool of licenses (product.md rules 4 and 5)."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import not_found
from orgs.enums import Event, GrantKind
from orgs.models import LicenseGrant, Organization, Person, Team
from orgs.policies import check_can_change_access
from orgs.services.checking import invalid, members_among
from orgs.services.expiry import concerned, lock_at, record_grants
from orgs.services.licensing import Settled, settle
from orgs.services.locking import viewer
from orgs.services.notices import tell


def grant_to_all(
    *, actor: Actor, at: datetime, organization: Organization, until: datetime | None = None
) -> Settled:
    """Give every member, now and later, a license or a place in the queue.

    With `until` the grant has ended at that instant; granting again gives it the new end.
    """
    with transaction.atomic():
        row = _opened(actor, at, organization)
        new = _add(actor, at, row, [LicenseGrant(kind=GrantKind.ALL, until=until)])
        return _settled(actor, at, row, "granted", None) if new else Settled()


def grant_to_person(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    person: Person,
    until: datetime | None = None,
) -> Settled:
    """Select one member."""
    return grant_to_persons(
        actor=actor, at=at, organization=organization, person_ids=[person.pk], until=until
    )


def grant_to_persons(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    person_ids: Collection[uuid.UUID],
    until: datetime | None = None,
) -> Settled:
    """Select several members at once; all of them must be members."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        chosen = members_among(row, person_ids)
        wanted = [LicenseGrant(kind=GrantKind.PERSON, person_id=key, until=until) for key in chosen]
        new = _add(actor, at, row, wanted)
        persons = [grant.person_id for grant in new if grant.person_id]
        return _settled(actor, at, row, "granted", persons) if persons else Settled()


def grant_to_team(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    team: Team,
    until: datetime | None = None,
) -> Settled:
    """Give everyone in a team, now and later, a license or a place in the queue."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        if not Team.objects.filter(organization=row, pk=team.pk).exists():
            raise not_found()
        new = _add(actor, at, row, [LicenseGrant(kind=GrantKind.TEAM, team=team, until=until)])
        return _settled(actor, at, row, "granted", None) if new else Settled()


def grant_chosen(
    actor: Actor, at: datetime, organization: Organization, people: Sequence[uuid.UUID]
) -> Settled:
    """Select members of the locked organization: what an owner chose when inviting them."""
    wanted = [LicenseGrant(kind=GrantKind.PERSON, person_id=key) for key in people]
    if not _add(actor, at, organization, wanted):
        return Settled()
    return _settled(actor, at, organization, "granted", people)


def revoke_all(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    keep: Collection[uuid.UUID] = (),
) -> Settled:
    """Take back the grant to all members. `keep` are members who are selected in the same step."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        kept = members_among(row, keep)
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
        row = _opened(actor, at, organization)
        return _taken(actor, at, row, kind=GrantKind.PERSON, person_id__in=person_ids)


def revoke_team(*, actor: Actor, at: datetime, organization: Organization, team: Team) -> Settled:
    """Take back the grant to a team."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        return _taken(actor, at, row, kind=GrantKind.TEAM, team=team)


def revoke_grant(
    *, actor: Actor, at: datetime, organization: Organization, grant_id: uuid.UUID
) -> Settled:
    """Take one grant back, whatever its kind; else 404."""
    with transaction.atomic():
        row = _opened(actor, at, organization)
        if not LicenseGrant.objects.filter(organization=row, pk=grant_id).exists():
            raise not_found()
        return _taken(actor, at, row, pk=grant_id)


def set_license_pool(
    *, actor: Actor, at: datetime, organization: Organization, licenses: int
) -> Settled:
    """The subscription brings so many licenses. With fewer, the last granted go to the queue.

    Called by `usage`, which has checked who may; those who go to the queue lose access at `at`.
    """
    if licenses < 0:
        raise ValueError("A pool has no fewer than 0 licenses.")
    with transaction.atomic():
        row = lock_at(organization.pk, at)
        if licenses == row.licenses:
            return Settled()
        row.licenses = licenses
        done = _settled(actor, at, row, "pool_shrunk", ())
    organization.licenses, organization.licenses_held = row.licenses, row.licenses_held
    return done


def _opened(actor: Actor, at: datetime, organization: Organization) -> Organization:
    row = lock_at(organization.pk, at)
    check_can_change_access(viewer(actor, row))
    return row


def _add(
    actor: Actor, at: datetime, organization: Organization, wanted: Sequence[LicenseGrant]
) -> list[LicenseGrant]:
    """Write the grants that aren't there yet, or that get another end; returns those.

    The organization is locked, so none comes between.
    """
    for until in {grant.until for grant in wanted}:
        check_end(until, at)
    rows = LicenseGrant.objects.filter(organization=organization).order_by("id")
    known = {(row.kind, row.team_id, row.person_id): row for row in rows}
    new, renewed = [], []
    for grant in wanted:
        there = known.get((grant.kind, grant.team_id, grant.person_id))
        if there is None:
            grant.organization, grant.granted_at, grant.granted_by_id = organization, at, actor.id
            new.append(grant)
        elif there.until != grant.until:
            there.until = grant.until
            renewed.append(there)
    LicenseGrant.objects.bulk_create(new)
    LicenseGrant.objects.bulk_update(renewed, ["until"], batch_size=500)
    record_grants(Event.ACCESS_GRANTED, actor, at, organization, [*new, *renewed])
    return [*new, *renewed]


def check_end(until: datetime | None, at: datetime) -> None:
    """A grant ends after the instant at which it is given; None: it has no end."""
    if until is not None and until <= at:
        raise invalid("until", _("Access ends after it begins: choose a later day."))


def _taken(actor: Actor, at: datetime, organization: Organization, **which: object) -> Settled:
    grants = list(
        LicenseGrant.objects.filter(organization=organization, **which).order_by("granted_at", "id")
    )
    if not grants:
        return Settled()
    LicenseGrant.objects.filter(pk__in=[grant.pk for grant in grants]).delete()
    record_grants(Event.ACCESS_REVOKED, actor, at, organization, grants)
    return _settled(actor, at, organization, "grant_revoked", concerned(grants))


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
