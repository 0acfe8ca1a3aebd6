"""The one filter of sessions that page, API and CSV share."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from orgs.models import TeamMember
from sessions.enums import EndReason, SessionState
from sessions.models import ContainerRun
from sessions.models.session import SessionQuerySet

RUNNING_STATES = frozenset({SessionState.STARTING, SessionState.IDLE, SessionState.ACTIVE})


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions. `organizations` and `person` are the wall: they are never left out.

    `organizations`: those that the asker belongs to; `everyone_in`: those of them in which the
    asker sees everyone's sessions; elsewhere only `person`'s own. `summed_in`: those in which they
    see sums of everyone's sessions, though not the sessions (`for_sums`). `team` is of those who
    are in it now. Instants bound `created_at`, half-open; durations are whole seconds, both bounds
    inclusive.
    """

    person: uuid.UUID
    organizations: frozenset[uuid.UUID]
    everyone_in: frozenset[uuid.UUID] = frozenset()
    summed_in: frozenset[uuid.UUID] = frozenset()
    people: frozenset[uuid.UUID] | None = None
    team: uuid.UUID | None = None
    states: frozenset[str] = frozenset()
    engine_size: str = ""
    image: str = ""
    label: tuple[str, str] | None = None
    started_after: datetime | None = None
    started_before: datetime | None = None
    min_duration_seconds: int | None = None
    max_duration_seconds: int | None = None

    def for_sums(self) -> "SessionFilter":
        """What may be added up, though not listed."""
        return replace(self, everyone_in=self.everyone_in | self.summed_in)

    def apply(self, sessions: SessionQuerySet, at: datetime) -> SessionQuerySet:
        """All but the state of running sessions, which only the clock knows."""
        sessions = sessions.filter(self._wall())
        if self.people is not None:
            sessions = sessions.filter(person_id__in=self.people)
        if self.team is not None:
            members = TeamMember.objects.filter(organization__in=self.organizations, team=self.team)
            sessions = sessions.filter(person_id__in=members.values("person_id"))
        if self.engine_size:
            sessions = sessions.filter(engine_size=self.engine_size)
        if self.image:
            sessions = sessions.filter(pk__in=self._with_image())
        if self.label is not None:
            sessions = _labelled(sessions, *self.label)
        return self._by_duration(self._by_start(sessions), at)

    def _wall(self) -> Q:
        """Without an alternative where there is none, so that the database can walk an index."""
        whole = self.organizations & self.everyone_in
        others = self.organizations - whole
        everyone = Q(organization_id__in=whole)
        if not others:
            return everyone
        mine = Q(organization_id__in=others, person_id=self.person)
        return mine | everyone if whole else mine

    def _with_image(self) -> QuerySet[Any, Any]:
        named = Q(image=self.image) | Q(image__startswith=f"{self.image}:")
        runs = ContainerRun.objects.filter(named, organization_id__in=self.organizations)
        return runs.values("session_id")

    def _by_start(self, sessions: SessionQuerySet) -> SessionQuerySet:
        if self.started_after is not None:
            sessions = sessions.filter(created_at__gte=self.started_after)
        if self.started_before is not None:
            sessions = sessions.filter(created_at__lt=self.started_before)
        return sessions

    def _by_duration(self, sessions: SessionQuerySet, at: datetime) -> SessionQuerySet:
        if self.min_duration_seconds is None and self.max_duration_seconds is None:
            return sessions
        end = Coalesce(F("ended_at"), Value(at, output_field=DateTimeField()))
        length = ExpressionWrapper(end - F("created_at"), output_field=DurationField())
        if self.min_duration_seconds is not None:
            least = timedelta(seconds=self.min_duration_seconds)
            sessions = sessions.filter(GreaterThanOrEqual(length, least))
        if self.max_duration_seconds is not None:
            most = timedelta(seconds=self.max_duration_seconds)
            sessions = sessions.filter(LessThanOrEqual(length, most))
        return sessions

    @property
    def running_states(self) -> frozenset[str]:
        return self.states & RUNNING_STATES

    def written_states(self) -> Q:
        """The states that a written end tells."""
        wanted = Q(pk__in=[])
        if SessionState.ENDED in self.states:
            wanted |= Q(ended_at__isnull=False) & ~Q(end_reason=EndReason.FAILED)
        if SessionState.FAILED in self.states:
            wanted |= Q(end_reason=EndReason.FAILED)
        return wanted


def _labelled(sessions: SessionQuerySet, name: str, value: str) -> SessionQuerySet:
    """Sessions with the label, whatever its name: `12` is no index and `contains` no look-up."""
    if connection.vendor == "postgresql":
        return sessions.filter(labels__contains={name: value})
    # Each member by its own name: a path in SQLite's JSON functions reads `12` as an index.
    named = RawSQL(
        "SELECT s.id FROM offload_sessions_session s, json_each(s.labels) e"
        " WHERE e.key = %s AND e.value = %s",
        [name, value],
    )
    return sessions.filter(pk__in=named)
