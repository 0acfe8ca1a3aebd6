"""From grants to licenses: who holds one, who waits, who lost it (product.md rules 4 and 5).

`settle` is the only place that writes licenses. Grants, members, teams and the pool change
first; then it makes the licenses follow. The caller has locked the organization.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from offload_portal.common.actors import Actor
from orgs.enums import Event, LicenseState
from orgs.models import AccessLoss, License, Organization
from orgs.selectors.access import Entitlement, entitlements, grants_by_person
from orgs.services import audit


@dataclass(slots=True)
class Settled:
    """Whom a settling concerned, as identifiers of persons in the order of their turn.

    `at` is its instant; None where there was nothing to settle.
    """

    at: datetime | None = None
    given: list[uuid.UUID] = field(default_factory=list)
    queued: list[uuid.UUID] = field(default_factory=list)
    lost: list[uuid.UUID] = field(default_factory=list)
    back_to_queue: list[uuid.UUID] = field(default_factory=list)
    left_queue: list[uuid.UUID] = field(default_factory=list)


def settle(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    cause: str,
    persons: Collection[uuid.UUID] | None = None,
) -> Settled:
    """Make licenses follow the grants and the pool of the locked `organization`.

    `persons` are those whose grants may have changed; None means everyone. `cause` is what the
    facts of access lost will say. New ones go to the end of the queue by their grant, then the
    pool is dealt out in order of grant, so a promotion and a first license are one rule.
    """
    done = Settled(at)
    entitled = entitlements(grants_by_person(organization, at, persons))
    rows = License.objects.filter(organization=organization)
    if persons is not None:
        rows = rows.filter(person_id__in=persons)
    current = {row.person_id: row for row in rows.order_by("granted_at", "id")}
    _drop([row for person, row in current.items() if person not in entitled], done)
    _note_ends([row for person, row in current.items() if person in entitled], entitled)
    new = [(found, person) for person, found in entitled.items() if person not in current]
    entering = _enter(organization, sorted(new, key=lambda pair: pair[0].since))
    _deal(organization, at, done, {row.person_id for row in entering})
    _write_losses(organization, at, done, cause)
    _audit(actor, at, organization, done, cause)
    return done


def _drop(rows: Sequence[License], done: Settled) -> None:
    for row in rows:
        held = row.state == LicenseState.HELD
        (done.lost if held else done.left_queue).append(row.person_id)
    License.objects.filter(pk__in=[row.pk for row in rows]).delete()


def _note_ends(rows: Sequence[License], entitled: Mapping[uuid.UUID, Entitlement]) -> None:
    """When the last grant of each ends, where that has changed: few instants, many people."""
    changed: dict[datetime | None, list[uuid.UUID]] = defaultdict(list)
    for row in rows:
        until = entitled[row.person_id].until
        if row.ends_at != until:
            changed[until].append(row.pk)
    for until, licenses in changed.items():
        License.objects.filter(pk__in=licenses).update(ends_at=until)


def _enter(
    organization: Organization, new: Sequence[tuple[Entitlement, uuid.UUID]]
) -> Sequence[License]:
    return License.objects.bulk_create(
        License(
            organization=organization,
            person_id=person,
            state=LicenseState.QUEUED,
            granted_at=found.since,
            ends_at=found.until,
        )
        for found, person in new
    )


def _deal(
    organization: Organization, at: datetime, done: Settled, entering: Collection[uuid.UUID]
) -> None:
    """Give what is free in order of grant; take the last granted where the pool is too small."""
    every = License.objects.filter(organization=organization)
    held = every.held().count()
    free = organization.licenses - held
    if free < 0:
        last = list(every.held().order_by("-granted_at", "-id")[:-free])
        done.back_to_queue.extend(row.person_id for row in last)
        _mark(last, LicenseState.QUEUED, None)
    if free > 0:
        next_ones = list(every.queued()[:free])
        done.given.extend(row.person_id for row in next_ones)
        _mark(next_ones, LicenseState.HELD, at)
    given = set(done.given)
    done.queued.extend(person for person in entering if person not in given)
    _count(organization)


def _mark(rows: Sequence[License], state: LicenseState, since: datetime | None) -> None:
    License.objects.filter(pk__in=[row.pk for row in rows]).update(state=state, held_since=since)


def _count(organization: Organization) -> None:
    """The number held, beside the pool: the database refuses one more than there are."""
    held = License.objects.held().filter(organization=organization).count()
    known = Organization.objects.filter(
        pk=organization.pk, licenses_held=organization.licenses_held
    )
    if known.update(licenses_held=held, licenses=organization.licenses) != 1:
        raise RuntimeError("Licenses were counted without the organization's lock.")
    organization.licenses_held = held


def _write_losses(organization: Organization, at: datetime, done: Settled, cause: str) -> None:
    AccessLoss.objects.bulk_create(
        AccessLoss(organization=organization, person_id=person, at=at, cause=cause)
        for person in (*done.lost, *done.back_to_queue)
    )


def _audit(
    actor: Actor, at: datetime, organization: Organization, done: Settled, cause: str
) -> None:
    events: tuple[tuple[Event, list[uuid.UUID], dict[str, str], dict[str, str]], ...] = (
        (Event.LICENSE_LOST, done.lost, {"state": "held"}, {"state": "none", "cause": cause}),
        (
            Event.LICENSE_LOST,
            done.back_to_queue,
            {"state": "held"},
            {"state": "queued", "cause": cause},
        ),
        (
            Event.LICENSE_LOST,
            done.left_queue,
            {"state": "queued"},
            {"state": "none", "cause": cause},
        ),
        (Event.LICENSE_QUEUED, done.queued, {}, {"state": "queued"}),
        (Event.LICENSE_GIVEN, done.given, {}, {"state": "held"}),
    )
    for event, persons, before, after in events:
        audit.record_many(
            event=event,
            actor=actor,
            at=at,
            organization_id=organization.pk,
            subjects=[("person", person) for person in persons],
            before=before,
            after=after,
        )
