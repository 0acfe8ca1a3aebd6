"""What a period's sessions come to: five figures, the trend, images and people."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, Sum

from offload_portal.common.periods import Period, day_start
from orgs.privacy import LEAST_GROUP, is_enough, is_veiled, pseudonym_of
from sessions.models.session import SessionQuerySet
from sessions.selectors.image_use import MOST_LISTED, ImageUse, images_used
from sessions.selectors.scope import Running, Scope, length, running_among
from usage.selectors import Grain, usage_rows
from usage.selectors.days import DayOfUse, use_by_day

TOP = 4


@dataclass(frozen=True, slots=True)
class Figures:
    """Sessions that started in a period. Durations are from start to end (or now), in seconds."""

    total_seconds: int = 0
    sessions: int = 0
    images: int = 0
    users: int = 0

    @property
    def average_seconds(self) -> int | None:
        """Per session, rounded half up; None where there is none."""
        if not self.sessions:
            return None
        return (2 * self.total_seconds + self.sessions) // (2 * self.sessions)


@dataclass(frozen=True, slots=True)
class PersonUse:
    person_id: uuid.UUID
    name: str
    email: str
    sessions: int
    total_seconds: int


@dataclass(frozen=True, slots=True)
class ActivitySummary:
    """Everything above the list of the activity page, as of `as_of`.

    `images` and `people` hold the most used first, at most MOST_LISTED of them; `figures` counts
    them all. `days` is billed time by the local day on which it was used, `days_before` that of the
    period before.
    """

    period: Period
    before: Period
    zone: str
    figures: Figures
    earlier: Figures
    days: tuple[DayOfUse, ...]
    days_before: tuple[DayOfUse, ...]
    images: tuple[ImageUse, ...]
    people: tuple[PersonUse, ...]
    as_of: datetime

    @property
    def billed_seconds(self) -> int:
        return sum(day.seconds for day in self.days)

    @property
    def compute_seconds(self) -> int:
        return sum(day.compute_seconds for day in self.days)


def activity_summary(scope: Scope) -> ActivitySummary:
    """Sessions that started in the scope's period, beside the same length of time before it.

    A fixed number of statements, whatever the number of sessions, people and images.
    """
    period, before = scope.period, scope.before
    sessions = scope.started(before, period)
    used = images_used(sessions, period.start, LEAST_GROUP if scope.is_aggregate else 0)
    people = _people(sessions, running_among(sessions, scope.at), period)
    figures = _figures([person.now for person in people], used.images)
    earlier = _figures([person.before for person in people], used.images_before)
    if scope.is_aggregate and not is_enough(earlier.users):
        earlier = Figures()
    days, days_before = _days(scope)
    return ActivitySummary(
        period=period,
        before=before,
        zone=scope.zone.key,
        figures=figures,
        earlier=earlier,
        days=days,
        days_before=days_before,
        images=used.most,
        people=_ranked(people, scope),
        as_of=scope.at,
    )


@dataclass(slots=True)
class _Share:
    """Somebody's sessions that started in a period."""

    sessions: int = 0
    seconds: int = 0


@dataclass(slots=True)
class _Person:
    id: uuid.UUID
    name: str
    email: str
    now: _Share
    before: _Share


def _people(
    sessions: SessionQuerySet, running: Sequence[Running], period: Period
) -> Sequence[_Person]:
    """Everybody who started one of the sessions, with what they come to in each period.

    An organization has few enough people to add up here. One statement.
    """
    now, then = Q(created_at__gte=period.start), Q(created_at__lt=period.start)
    rows: Any = (
        sessions.values("person_id", "person__name", "person__email")
        .annotate(
            sessions_now=Count("pk", filter=now),
            sessions_then=Count("pk", filter=then),
            length_now=Sum(length(), filter=now),
            length_then=Sum(length(), filter=then),
        )
        .order_by("person_id")
    )
    found = {
        row["person_id"]: _Person(
            row["person_id"],
            row["person__name"] or row["person__email"],
            row["person__email"],
            _Share(row["sessions_now"], _whole_seconds(row["length_now"])),
            _Share(row["sessions_then"], _whole_seconds(row["length_then"])),
        )
        for row in rows
    }
    for session in running:
        person = found.get(session.person_id)
        if person is not None:  # nobody's first session began between the two statements
            share = person.now if period.contains(session.created_at) else person.before
            share.seconds += session.seconds
    return list(found.values())


def _whole_seconds(length: timedelta | None) -> int:
    return 0 if length is None else length // timedelta(seconds=1)


def _figures(shares: Sequence[_Share], images: int) -> Figures:
    return Figures(
        total_seconds=sum(share.seconds for share in shares),
        sessions=sum(share.sessions for share in shares),
        images=images,
        users=sum(share.sessions > 0 for share in shares),
    )


def _days(scope: Scope) -> tuple[tuple[DayOfUse, ...], tuple[DayOfUse, ...]]:
    """Those of the period and of the one before; one statement where a day lies between them."""
    period, before = scope.period, scope.before
    first = period.start.astimezone(scope.zone).date()
    if period.start != day_start(scope.zone, first):
        return _days_in(scope, period), _days_in(scope, before)
    both = _days_in(scope, Period(before.start, period.end))
    return (
        tuple(day for day in both if day.day >= first),
        tuple(day for day in both if day.day < first),
    )


def _days_in(scope: Scope, period: Period) -> tuple[DayOfUse, ...]:
    """Time used in the period by whatever session passes the filter, whenever it started."""
    people, sessions = scope.narrowed
    days = use_by_day(
        scope.organization.pk,
        period.start,
        period.end,
        scope.zone,
        people=people,
        sessions=sessions,
    )
    return _of_enough(days, scope, period)


def _of_enough(days: tuple[DayOfUse, ...], scope: Scope, period: Period) -> tuple[DayOfUse, ...]:
    """In aggregate, days of a filter that fewer than five people used stay empty.

    What all use together is what the organization pays, which it may always know.
    """
    if not scope.is_aggregate or scope.narrowed == (None, None):
        return days
    rows = usage_rows(scope.question(period), Grain.DAY)
    enough = {row.start.astimezone(scope.zone).date() for row in rows if is_enough(row.sums.people)}
    return tuple(day if day.day in enough else DayOfUse(day.day, {}) for day in days)


def _seen(use: PersonUse, scope: Scope) -> PersonUse:
    """As the asker may see them (`orgs.privacy`)."""
    organization = scope.organization
    if not is_veiled(organization.privacy, use.person_id, scope.chosen.person):
        return use
    one = pseudonym_of(organization.pk, use.person_id)
    return replace(use, person_id=one.id, name=one.name, email=one.code)


def _ranked(people: Sequence[_Person], scope: Scope) -> tuple[PersonUse, ...]:
    """Most time first, then most sessions.

    Nobody where insights are in aggregate, and codes where they are pseudonymous.
    """
    if scope.is_aggregate:
        return ()
    uses = [
        PersonUse(one.id, one.name, one.email, one.now.sessions, one.now.seconds)
        for one in people
        if one.now.sessions
    ]
    seen = [_seen(use, scope) for use in uses]
    seen.sort(key=lambda use: (-use.total_seconds, -use.sessions, use.name))
    return tuple(seen[:MOST_LISTED])
