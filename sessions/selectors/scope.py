"""What a page of insights looks at: a filter, a period, and the use that belongs to both."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import (
    Count,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    QuerySet,
    Value,
)
from django.db.models.expressions import CombinedExpression

from offload_portal.common.periods import Period, to_seconds
from orgs.enums import PrivacyMode
from orgs.models import Organization
from sessions import clock
from sessions.filters import SessionFilter
from sessions.models import Session
from sessions.models.session import SessionQuerySet
from sessions.selectors.facts import ends_from_below, facts_of
from sessions.selectors.lists import filtered
from usage.selectors import UsageQuestion


@dataclass(frozen=True, slots=True)
class Running:
    """A session whose end isn't written down; the clock says what it comes to until now."""

    id: uuid.UUID
    person_id: uuid.UUID
    created_at: datetime
    moment: clock.Moment

    @property
    def seconds(self) -> int:
        return self.moment.elapsed_seconds


@dataclass(frozen=True)
class Scope:
    """Sessions of one organization that pass `chosen`, whose own bounds of the start are ignored.

    `before` is as long a time before the period.
    """

    organization: Organization
    chosen: SessionFilter
    period: Period
    zone: ZoneInfo
    at: datetime

    @property
    def sees_everyone(self) -> bool:
        return self.organization.pk in self.chosen.everyone_in

    @property
    def is_aggregate(self) -> bool:
        """Whether sums of fewer than five people are left out."""
        return self.sees_everyone and self.organization.privacy == PrivacyMode.AGGREGATE

    @property
    def before(self) -> Period:
        start, end = self.period.start, self.period.end
        return Period(start - (end - start), start)

    @cached_property
    def whenever(self) -> SessionFilter:
        return replace(self.chosen, started_after=None, started_before=None)

    @cached_property
    def passing(self) -> SessionQuerySet:
        """Those that pass, whenever they started."""
        return filtered(self.whenever, self.at)

    def started(self, *periods: Period) -> SessionQuerySet:
        """Those that started in the periods, which lie beside each other.

        Without periods it is the one that is looked at.
        """
        asked = periods or (self.period,)
        first, last = min(one.start for one in asked), max(one.end for one in asked)
        return self.passing.filter(created_at__gte=first, created_at__lt=last)

    def people(self) -> int:
        """How many people started the period's sessions. One statement."""
        found = self.started().aggregate(people=Count("person_id", distinct=True))
        return int(found["people"])

    def running(self, *periods: Period) -> list[Running]:
        """Those of them whose end isn't written, by the clock. At most four statements."""
        return running_among(self.started(*periods), self.at)

    @cached_property
    def narrowed(self) -> tuple[frozenset[uuid.UUID] | None, QuerySet[Any, Any] | None]:
        """(people, sessions) whose use counts; None is everybody's, and every session's."""
        people = self.whenever.people
        if not self.sees_everyone:
            own = frozenset({self.whenever.person})
            people = own if people is None else own & people
        wall = SessionFilter(
            self.whenever.person,
            self.whenever.organizations,
            self.whenever.everyone_in,
            self.whenever.summed_in,
        )
        by_people_alone = replace(self.whenever, people=None) == wall
        return people, None if by_people_alone else self.passing.values("pk")

    @property
    def is_everything(self) -> bool:
        """Whether all use counts and may be told, so that the rollups have it."""
        return self.narrowed == (None, None) and not self.question().counts_people

    def question(self, period: Period | None = None) -> UsageQuestion:
        """The use in the period of whatever session passes, whenever it started."""
        people, sessions = self.narrowed
        asked = period or self.period
        return UsageQuestion(
            organization=self.organization,
            start=asked.start,
            end=asked.end,
            zone=self.zone,
            person_ids=people,
            session_ids=sessions,
            viewer_id=self.chosen.person,
        )


def running_among(sessions: SessionQuerySet, at: datetime) -> list[Running]:
    unwritten: Sequence[Session] = list(
        sessions.with_facts()
        .select_related("organization__allowance")
        .filter(ended_at=None)
        .order_by("created_at", "id")
    )
    ends = ends_from_below(unwritten)
    now = to_seconds(at)
    return [
        Running(
            session.id,
            session.person_id,
            session.created_at,
            clock.state_at(facts_of(session, ends.get(session.id, ())), now),
        )
        for session in unwritten
    ]


def length() -> ExpressionWrapper[CombinedExpression]:
    """From start to written end; empty while it isn't written."""
    return ExpressionWrapper(F("ended_at") - F("created_at"), output_field=DurationField())


def instant(at: datetime) -> Value:
    return Value(at, output_field=DateTimeField())
