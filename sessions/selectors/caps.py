"""Which caps a session is under, and what its user is told of them (product.md rule 19).

A session counts for its person's cap and for those of the teams that its person was in when it
started: so joining or leaving a team moves nothing that was used.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import F, Q, Sum

from offload_portal.common.periods import from_seconds, to_seconds
from orgs.models import Organization, TeamMember
from sessions.models import Session, SessionTeam
from usage.enums import CapScope
from usage.models import Allowance, Cap, CapVersion, LedgerEntry
from usage.selectors.caps import (
    CapView,
    cap_names,
    cap_views,
    caps_that_hold,
)
from usage.selectors.room import CapRoom

# Teams of a person who is about to start a session.
Teams = frozenset[uuid.UUID]
UnderCaps = Mapping[uuid.UUID, tuple[uuid.UUID, ...]]


@dataclass(frozen=True, slots=True)
class CapAhead:
    """A cap that will be reached if everything goes on, as a session's row keeps it.

    `by_limit`: because a lower cap takes effect then. `name` is a team's; empty is one's own cap.
    """

    at: datetime
    by_limit: bool
    scope: str
    name: str

    @classmethod
    def of(cls, cap: Cap, name: str) -> "CapAhead":
        """Of a cap with an end in sight. A person's name is not kept beside the person."""
        if cap.ends_at is None:
            raise ValueError("Nothing is ahead of a cap without an end in sight.")
        shown = name if cap.scope == CapScope.TEAM else ""
        return cls(cap.ends_at, cap.ends_by_limit, cap.scope, shown)

    @classmethod
    def read(cls, value: Mapping[str, Any] | None) -> "CapAhead | None":
        if not value:
            return None
        at = from_seconds(int(value["at"]))
        return cls(at, bool(value["by_limit"]), str(value["scope"]), str(value["name"]))

    def as_json(self) -> dict[str, Any]:
        return {
            "at": to_seconds(self.at),
            "by_limit": self.by_limit,
            "scope": self.scope,
            "name": self.name,
        }


def caps_of_sessions(caps: Sequence[Cap], sessions: Sequence[Session]) -> UnderCaps:
    """The caps that each session is under. At most one statement, none without a team's cap."""
    if not caps or not sessions:
        return {}
    people = {cap.subject_id: cap.id for cap in caps if cap.scope == CapScope.PERSON}
    teams = {cap.subject_id: cap.id for cap in caps if cap.scope == CapScope.TEAM}
    found: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for session in sessions:
        if session.person_id in people:
            found[session.id].append(people[session.person_id])
    for session_id, team in _teams(teams, sessions):
        found[session_id].append(teams[team])
    return {session: tuple(sorted(under)) for session, under in found.items()}


def _teams(
    teams: Mapping[uuid.UUID, uuid.UUID], sessions: Sequence[Session]
) -> list[tuple[uuid.UUID, uuid.UUID]]:
    if not teams:
        return []
    rows = SessionTeam.objects.filter(
        organization_id=sessions[0].organization_id,
        team_id__in=list(teams),
        session__in=[session.pk for session in sessions],
    )
    return list(rows.order_by("id").values_list("session_id", "team_id"))


def under_cap(organization: Organization, scope: str, subject_id: uuid.UUID) -> Q:
    """The condition on sessions that they count for the cap of the team or person."""
    if scope == CapScope.PERSON:
        return Q(person_id=subject_id)
    rows = SessionTeam.objects.filter(organization=organization, team_id=subject_id)
    return Q(pk__in=rows.values("session_id"))


def used_under_cap(organization: Organization, scope: str, subject_id: uuid.UUID) -> int:
    """Compute-seconds that its sessions used since the present period began. One statement.

    The organization is metered: a cap counts the whole period, whenever it was made.
    """
    start = Allowance.objects.filter(pk=organization.pk).values("period_start")
    entries = LedgerEntry.objects.for_organization(organization).filter(period_start__in=start)
    # A correction of an earlier period's hour draws nothing from this one.
    entries = entries.filter(Q(corrected_hour=None) | Q(corrected_hour__gte=F("period_start")))
    if scope == CapScope.PERSON:
        entries = entries.filter(person_id=subject_id)
    else:
        rows = SessionTeam.objects.filter(organization=organization, team_id=subject_id)
        entries = entries.filter(session_id__in=rows.values("session_id"))
    return int(entries.aggregate(used=Sum("compute_seconds", default=0))["used"])


def reserved_under_caps(caps: Sequence[Cap], organization: Organization) -> dict[uuid.UUID, int]:
    """What running sessions hold back for themselves of each cap, in compute-seconds."""
    running = list(
        Session.objects.for_organization(organization)
        .running()
        .filter(reserved_compute_seconds__gt=0)
    )
    found: dict[uuid.UUID, int] = defaultdict(int)
    under = caps_of_sessions(caps, running)
    for session in running:
        for cap in under.get(session.id, ()):
            found[cap] += session.reserved_compute_seconds
    return found


def cap_rooms(
    organization: Organization,
    caps: Sequence[Cap],
    person_id: uuid.UUID,
    teams: Teams,
    resets_at: datetime | None,
) -> list[CapRoom]:
    """What each cap leaves a session that the person starts now; nothing is asked without one."""
    subjects = {(CapScope.PERSON, person_id), *((CapScope.TEAM, team) for team in teams)}
    own = [
        (cap, cap.limit_compute_seconds)
        for cap in caps
        if cap.limit_compute_seconds is not None
        and (CapScope(cap.scope), cap.subject_id) in subjects
    ]
    if not own:
        return []
    reserved = reserved_under_caps([cap for cap, _limit in own], organization)
    names = cap_names([cap for cap, _limit in own])
    return [
        CapRoom(
            scope=cap.scope,
            name=names[cap.id],
            limit=limit,
            used=cap.used_compute_seconds,
            reserved=reserved.get(cap.id, 0),
            resets_at=resets_at,
        )
        for cap, limit in own
    ]


def teams_of(organization: Organization, person_id: uuid.UUID) -> Teams:
    """The teams the person is in now. One statement."""
    rows = TeamMember.objects.filter(organization=organization, person_id=person_id)
    return frozenset(rows.order_by("team_id").values_list("team_id", flat=True))


@dataclass(frozen=True, slots=True)
class CapEffect:
    """What a cap would do: from when on, which running sessions end then, whether starts fail."""

    effective_at: datetime
    ends: tuple[uuid.UUID, ...]
    refuses_starts: bool


def cap_effect(version: CapVersion) -> CapEffect:
    """Of a change as it was made: its cap is metered to then. One statement."""
    cap, limit = version.cap, version.limit_compute_seconds
    spent = limit is not None and cap.used_compute_seconds >= limit
    running = Session.objects.for_organization(version.organization).running()
    under = running.filter(under_cap(version.organization, cap.scope, cap.subject_id))
    ends = under.order_by("created_at", "id").values_list("pk", flat=True)
    return CapEffect(
        effective_at=version.effective_at,
        ends=tuple(ends) if spent else (),
        refuses_starts=limit is not None
        and limit - cap.used_compute_seconds < settings.RESERVE_SECONDS,
    )


def shown_caps(organization: Organization, at: datetime) -> list[CapView]:
    """Every cap that holds, with what running sessions reserve of it. At most six statements."""
    caps = caps_that_hold(organization, at)
    return cap_views(caps, at, reserved_under_caps(caps, organization) if caps else {})
