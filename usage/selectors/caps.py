"""Caps as pages, the API and alerts show them (product.md rule 19)."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _

from offload_portal.common.refusals import not_found
from orgs.models import Organization, Person, Team, TeamMember
from usage.enums import CapScope
from usage.models import Cap, CapVersion
from usage.selectors.contracts import LimitState


@dataclass(frozen=True, slots=True)
class CapSubject:
    """Whom a cap holds for: a team, or a person."""

    scope: CapScope
    subject_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class CapToCome:
    """A change that is still to take effect; None lifts the cap."""

    limit_compute_seconds: int | None
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class CapView:
    """A cap in this period, in compute-seconds, as of the organization's watermark.

    Without a limit one is still to come. Its sessions end at `ends_at` if everything goes on.
    """

    id: uuid.UUID
    scope: str
    subject_id: uuid.UUID
    name: str
    limit_compute_seconds: int | None
    used_compute_seconds: int
    reserved_compute_seconds: int = 0
    ends_at: datetime | None = None
    ends_by_limit: bool = False
    coming: tuple[CapToCome, ...] = ()

    @property
    def left_compute_seconds(self) -> int | None:
        if self.limit_compute_seconds is None:
            return None
        return max(0, self.limit_compute_seconds - self.used_compute_seconds)

    @property
    def percent(self) -> int:
        """Rounded down; at most 100."""
        if not self.limit_compute_seconds:
            return 100 if self.limit_compute_seconds == 0 else 0
        return min(100, self.used_compute_seconds * 100 // self.limit_compute_seconds)


def cap_names(caps: Iterable[Cap]) -> dict[uuid.UUID, str]:
    """Whose each cap is. At most two statements."""
    each = list(caps)
    teams = [cap.subject_id for cap in each if cap.scope == CapScope.TEAM]
    people = [cap.subject_id for cap in each if cap.scope == CapScope.PERSON]
    names: dict[uuid.UUID, str] = {}
    if teams:
        names.update(Team.objects.filter(pk__in=teams).order_by("pk").values_list("pk", "name"))
    if people:
        rows = Person.objects.filter(pk__in=people).order_by("pk")
        names.update({person.pk: person.shown_name for person in rows})
    return {cap.id: names.get(cap.subject_id) or _gone(cap) for cap in each}


def _gone(cap: Cap) -> str:
    return _("A team that is gone") if cap.scope == CapScope.TEAM else _("Somebody who is gone")


def caps_that_hold(organization: Organization, at: datetime) -> list[Cap]:
    """Those that have a limit, or are to have one; what was lifted only the meter knows."""
    coming = CapVersion.objects.standing().filter(
        organization=organization, effective_at__gt=at, limit_compute_seconds__isnull=False
    )
    rows = Cap.objects.for_organization(organization).filter(
        Q(limit_compute_seconds__isnull=False) | Q(pk__in=coming.values("cap_id"))
    )
    return list(rows.order_by("id"))


def find_cap(organization: Organization, cap_id: uuid.UUID, at: datetime) -> Cap:
    """One of those that hold; 404 for what is foreign or was lifted."""
    for cap in caps_that_hold(organization, at):
        if cap.pk == cap_id:
            return cap
    raise not_found()


def cap_views(
    caps: Sequence[Cap], at: datetime, reserved: Mapping[uuid.UUID, int] | None = None
) -> list[CapView]:
    """Teams first, then people, by name. At most three statements."""
    names, coming = cap_names(caps), _coming(caps, at)
    views = [
        CapView(
            id=cap.id,
            scope=cap.scope,
            subject_id=cap.subject_id,
            name=names[cap.id],
            limit_compute_seconds=cap.limit_compute_seconds,
            used_compute_seconds=cap.used_compute_seconds,
            reserved_compute_seconds=(reserved or {}).get(cap.id, 0),
            ends_at=cap.ends_at,
            ends_by_limit=cap.ends_by_limit,
            coming=tuple(coming.get(cap.id, ())),
        )
        for cap in caps
    ]
    return sorted(views, key=lambda view: (view.scope != CapScope.TEAM, view.name.casefold()))


def _coming(caps: Sequence[Cap], at: datetime) -> Mapping[uuid.UUID, list[CapToCome]]:
    found: dict[uuid.UUID, list[CapToCome]] = defaultdict(list)
    if not caps:
        return found
    rows = CapVersion.objects.standing().filter(
        cap__in=[cap.pk for cap in caps], effective_at__gt=at
    )
    for row in rows.order_by("effective_at", "id"):
        found[row.cap_id].append(CapToCome(row.limit_compute_seconds, row.effective_at))
    return found


def own_caps(organization: Organization, person_id: uuid.UUID, at: datetime) -> list[CapView]:
    """The caps that the person's next session would be under. At most four statements."""
    teams = TeamMember.objects.filter(organization=organization, person_id=person_id)
    rows = Cap.objects.for_organization(organization).binding()
    own = rows.filter(
        Q(scope=CapScope.PERSON, subject_id=person_id)
        | Q(scope=CapScope.TEAM, subject_id__in=teams.values("team_id"))
    )
    return cap_views(list(own.order_by("id")), at)


@dataclass(frozen=True, slots=True)
class CapChange:
    """A change of a cap: whose, who changed it, when, from when on, from what to what, why."""

    cap_id: uuid.UUID
    scope: str
    name: str
    recorded_at: datetime
    effective_at: datetime
    actor_name: str  # empty: somebody who is gone
    before_compute_seconds: int | None
    limit_compute_seconds: int | None
    reason: str
    state: LimitState


def cap_history(
    organization: Organization, at: datetime, *, cap_id: uuid.UUID | None = None, most: int = 50
) -> tuple[CapChange, ...]:
    """The newest changes first. At most four statements."""
    rows = CapVersion.objects.filter(organization=organization)
    if cap_id is not None:
        rows = rows.filter(cap_id=cap_id)
    newest = list(rows.select_related("cap", "actor").order_by("-recorded_at", "-id")[: most + 1])
    names = cap_names({row.cap_id: row.cap for row in newest}.values())
    by_cap: dict[uuid.UUID, list[CapVersion]] = defaultdict(list)
    for row in newest:
        by_cap[row.cap_id].append(row)
    return tuple(_change(row, by_cap[row.cap_id], names[row.cap_id], at) for row in newest[:most])


def _change(row: CapVersion, own: Sequence[CapVersion], name: str, at: datetime) -> CapChange:
    """`own` are all changes of its cap, the newest first."""
    place = own.index(row)
    before = own[place + 1].limit_compute_seconds if place + 1 < len(own) else None
    actor = row.actor
    return CapChange(
        cap_id=row.cap_id,
        scope=row.cap.scope,
        name=name,
        recorded_at=row.recorded_at,
        effective_at=row.effective_at,
        actor_name=actor.shown_name if actor else "",
        before_compute_seconds=before,
        limit_compute_seconds=row.limit_compute_seconds,
        reason=row.reason,
        state=_state(row, own[:place], at),
    )


def _state(row: CapVersion, later: Sequence[CapVersion], at: datetime) -> LimitState:
    if row.effective_at > row.recorded_at and any(
        one.effective_at <= row.effective_at for one in later
    ):
        return LimitState.REPLACED
    if row.effective_at > at:
        return LimitState.TO_COME
    held_since = any(one.effective_at <= at for one in later)
    return LimitState.PAST if held_since else LimitState.IN_FORCE


def _lowers(before: int | None, after: int | None) -> bool:
    return after is not None and (before is None or after < before)


def cap_effective_instant(
    before: int | None, after: int | None, used: int, at: datetime, *, at_once: bool
) -> datetime:
    """A cap lowered under what is used, or made under it, waits for the notice (rule 19)."""
    if at_once or after is None or not _lowers(before, after) or after >= used:
        return at
    return at + timedelta(seconds=settings.LIMIT_NOTICE_SECONDS)
