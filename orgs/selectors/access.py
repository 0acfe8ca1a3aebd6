"""Who may use Offload, by which grants, and who waits (product.md rules 4 and 5)."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Q

from orgs.enums import GrantKind, LicenseState
from orgs.models import (
    AccessLoss,
    License,
    LicenseGrant,
    Membership,
    Organization,
    Person,
    TeamMember,
)
from orgs.selectors.second_factor import lacks_second_factor


@dataclass(frozen=True, slots=True)
class Grant:
    """One reason to have a license: the kind, the team's name or "", since when it counts.

    It has ended at `until`; None: it has no end.
    """

    kind: str
    name: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's role, license and grants in an organization at an instant.

    `role` is None for someone outside; `license_state` is `held`, `queued` or `none`; `grants`
    are `all`, `team:NAME` and `person`; `queue_place` counts from 1. `ends_at` is when the last
    of the grants ends, None where one has no end. `lacks_second_factor` where the
    organization asks for one that the person has not set up.
    """

    role: str | None
    license_state: str
    grants: tuple[str, ...]
    queue_place: int | None
    ends_at: datetime | None = None
    lacks_second_factor: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """Licenses of the subscription. `held` + `free` = `licenses`."""

    licenses: int
    held: int
    queued: int

    @property
    def free(self) -> int:
        return self.licenses - self.held


@dataclass(frozen=True, slots=True)
class PersonRef:
    id: uuid.UUID
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class QueuePlace:
    person: PersonRef
    place: int
    granted_at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """Someone who keeps access, and by which other grants."""

    person: PersonRef
    grants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LossPreview:
    """What taking grants away does: who loses a license, who leaves the queue, who keeps it.

    `promoted` are those who wait and would move up.
    """

    loses: tuple[PersonRef, ...]
    leaves_queue: tuple[PersonRef, ...]
    keeps: tuple[Kept, ...]
    promoted: tuple[PersonRef, ...]


@dataclass(frozen=True, slots=True)
class AccessOverview:
    """The access page: to whom access is granted, the pool and the queue."""

    all_members: bool
    all_since: datetime | None
    pool: Pool
    queue: tuple[QueuePlace, ...]


def reference(person: Person) -> PersonRef:
    return PersonRef(person.pk, person.shown_name, person.email)


# Grants and what they entitle to


@dataclass(frozen=True, slots=True)
class Without:
    """Grants that are thought away: of all members, of teams, of persons, of who leaves."""

    all_members: bool = False
    team_ids: frozenset[uuid.UUID] = frozenset()
    person_ids: frozenset[uuid.UUID] = frozenset()
    left_ids: frozenset[uuid.UUID] = frozenset()
    # Who is thought out of which team.
    team_members: frozenset[tuple[uuid.UUID, uuid.UUID]] = frozenset()

    def hides(self, grant: LicenseGrant) -> bool:
        if grant.kind == GrantKind.ALL:
            return self.all_members
        if grant.kind == GrantKind.TEAM:
            return grant.team_id in self.team_ids
        return grant.person_id in self.person_ids


NOTHING = Without()
Grants = Mapping[uuid.UUID, tuple[Grant, ...]]


def grants_by_person(
    organization: Organization,
    at: datetime,
    persons: Collection[uuid.UUID] | None = None,
    without: Without = NOTHING,
) -> Grants:
    """The grants that hold at the instant, by member; members without any are left out.

    A grant to all or to a team counts for a person from the later of the grant and the joining.
    """
    live = [grant for grant in _live_grants(organization, at, persons) if not without.hides(grant)]
    members = _joined(organization, persons)
    found: dict[uuid.UUID, list[Grant]] = defaultdict(list)
    for grant in live:
        if grant.kind == GrantKind.ALL:
            for person, joined in members.items():
                since = max(grant.granted_at, joined)
                found[person].append(Grant(grant.kind, "", since, grant.until))
        elif grant.kind == GrantKind.PERSON and grant.person_id in members:
            found[grant.person_id].append(Grant(grant.kind, "", grant.granted_at, grant.until))
    teams = [grant for grant in live if grant.kind == GrantKind.TEAM]
    _add_teams(found, teams, members, without)
    return {
        person: tuple(grants) for person, grants in found.items() if person not in without.left_ids
    }


def _live_grants(
    organization: Organization, at: datetime, persons: Collection[uuid.UUID] | None
) -> list[LicenseGrant]:
    """Those that may concern the persons: others' own grants are left in the database."""
    rows = LicenseGrant.objects.filter(organization=organization)
    rows = rows.filter(Q(until=None) | Q(until__gt=at))
    if persons is not None:
        rows = rows.filter(~Q(kind=GrantKind.PERSON) | Q(person_id__in=persons))
    return list(rows.select_related("team").order_by("granted_at", "id"))


def _joined(
    organization: Organization, persons: Collection[uuid.UUID] | None
) -> dict[uuid.UUID, datetime]:
    rows = Membership.objects.filter(organization=organization)
    if persons is not None:
        rows = rows.filter(person_id__in=persons)
    return dict(rows.order_by("joined_at", "id").values_list("person_id", "joined_at"))


def _add_teams(
    found: dict[uuid.UUID, list[Grant]],
    grants: list[LicenseGrant],
    members: Mapping[uuid.UUID, datetime],
    without: Without,
) -> None:
    if not grants or not members:
        return
    by_team = {grant.team_id: grant for grant in grants if grant.team_id}
    rows = TeamMember.objects.filter(team_id__in=by_team, person_id__in=members)
    for row in rows.order_by("joined_at", "id"):
        grant = by_team[row.team_id]
        if grant.team is None or (row.team_id, row.person_id) in without.team_members:
            continue
        since = max(grant.granted_at, row.joined_at, members[row.person_id])
        found[row.person_id].append(Grant(grant.kind, grant.team.name, since, grant.until))


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What a person's grants come to: `since` is their place in the queue, `until` their end."""

    since: datetime
    until: datetime | None


def entitlements(grants: Grants) -> dict[uuid.UUID, Entitlement]:
    """From the earliest of each person's grants to the last end; no end where one has none."""
    return {person: _entitlement(all_) for person, all_ in grants.items()}


def _entitlement(grants: Sequence[Grant]) -> Entitlement:
    ends = [grant.until for grant in grants if grant.until is not None]
    until = max(ends) if len(ends) == len(grants) else None
    return Entitlement(min(grant.since for grant in grants), until)


def grant_words(grants: Iterable[Grant]) -> tuple[str, ...]:
    """`all`, `team:NAME`, `person`, as the API says them."""
    return tuple(f"{grant.kind}:{grant.name}" if grant.name else grant.kind for grant in grants)


# Standing, queue, pool


def standing(organization: Organization, person: Person, at: datetime) -> Standing:
    """What the person is and may here at the instant."""
    found = standing_to_start(organization, person, at)
    if found.role is None:
        return found
    grants = grants_by_person(organization, at, [person.pk]).get(person.pk, ())
    return replace(found, grants=grant_words(grants))


def standing_to_start(organization: Organization, person: Person, at: datetime) -> Standing:
    """The same without the grants: only the license decides whether somebody may start."""
    role = (
        Membership.objects.filter(organization=organization, person_id=person.pk)
        .values_list("role", flat=True)
        .first()
    )
    if role is None:
        return Standing(None, "none", (), None)
    own = License.objects.filter(organization=organization, person_id=person.pk).first()
    lacks = lacks_second_factor(organization, person)
    if own is None or not own.holds(at):
        return Standing(role, "none", (), None, None, lacks)
    return Standing(role, own.state, (), _place(own), own.ends_at, lacks)


def _place(own: License) -> int | None:
    if own.state != LicenseState.QUEUED:
        return None
    earlier = License.objects.queued().filter(organization_id=own.organization_id)
    ahead = earlier.filter(
        Q(granted_at__lt=own.granted_at) | Q(granted_at=own.granted_at, id__lt=own.id)
    )
    return ahead.count() + 1


def pool_of(organization: Organization) -> Pool:
    """The pool as the organization's row has it now."""
    row = Organization.objects.only("licenses", "licenses_held").get(pk=organization.pk)
    queued = License.objects.queued().filter(organization=organization).count()
    return Pool(row.licenses, row.licenses_held, queued)


def queue(organization: Organization, most: int = 100) -> tuple[QueuePlace, ...]:
    """Those who wait, in order of grant, at most `most` of them."""
    rows = License.objects.queued().filter(organization=organization).select_related("person")
    return tuple(
        QueuePlace(reference(row.person), place, row.granted_at)
        for place, row in enumerate(rows[:most], start=1)
    )


def access_overview(organization: Organization) -> AccessOverview:
    """Mode, pool and queue."""
    since = (
        LicenseGrant.objects.filter(organization=organization, kind=GrantKind.ALL)
        .values_list("granted_at", flat=True)
        .first()
    )
    return AccessOverview(since is not None, since, pool_of(organization), queue(organization))


# Losing access


def who_loses(
    organization: Organization,
    *,
    at: datetime,
    all_members: bool = False,
    person_ids: Collection[uuid.UUID] = (),
    team_ids: Collection[uuid.UUID] = (),
    leaving: Collection[uuid.UUID] = (),
    leaving_team: tuple[uuid.UUID, Collection[uuid.UUID]] | None = None,
) -> LossPreview:
    """What taking these grants away (or these members leaving) would do; changes nothing.

    `leaving_team` is a team and those who would leave it.
    """
    team, out = leaving_team or (None, ())
    without = Without(
        all_members,
        frozenset(team_ids),
        frozenset(person_ids),
        frozenset(leaving),
        frozenset((team, person) for person in out if team),
    )
    concerned = None if all_members or team_ids else {*person_ids, *leaving, *out}
    after = grants_by_person(organization, at, concerned, without)
    rows = License.objects.filter(organization=organization).select_related("person")
    if concerned is not None:
        rows = rows.filter(person_id__in=concerned)
    licenses = list(rows.order_by("person__name", "person__email", "id"))
    gone = [row for row in licenses if row.person_id not in after]
    held = [row for row in gone if row.state == LicenseState.HELD]
    return LossPreview(
        loses=tuple(reference(row.person) for row in held),
        leaves_queue=tuple(
            reference(row.person) for row in gone if row.state == LicenseState.QUEUED
        ),
        keeps=tuple(
            Kept(reference(row.person), grant_words(after[row.person_id]))
            for row in licenses
            if row.person_id in after
        ),
        promoted=_moving_up(organization, len(held), [row.person_id for row in gone]),
    )


def _moving_up(
    organization: Organization, freed: int, gone: Collection[uuid.UUID]
) -> tuple[PersonRef, ...]:
    if not freed:
        return ()
    waiting = License.objects.queued().filter(organization=organization)
    rows = waiting.exclude(person_id__in=gone).select_related("person")[:freed]
    return tuple(reference(row.person) for row in rows)


@dataclass(frozen=True, slots=True)
class Loss:
    person_id: uuid.UUID
    at: datetime
    cause: str


def losses(organization_id: uuid.UUID, since: datetime) -> tuple[Loss, ...]:
    """Access lost at or after the instant, in the order of the losses."""
    rows = AccessLoss.objects.filter(organization_id=organization_id, at__gte=since)
    return tuple(Loss(row.person_id, row.at, row.cause) for row in rows.order_by("at", "id"))


def first_loss(
    organization_id: uuid.UUID, person_id: uuid.UUID, since: datetime
) -> datetime | None:
    """When the person first lost access at or after the instant."""
    rows = AccessLoss.objects.filter(
        organization_id=organization_id, person_id=person_id, at__gte=since
    )
    return rows.order_by("at", "id").values_list("at", flat=True).first()
