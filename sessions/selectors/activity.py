"""What a period's sessions come to: five figures, the trend, images and people."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from offload_portal.common.periods import Period, day_start
from orgs.privacy import LEAST_GROUP, is_enough, is_veiled, pseudonym_of
from sessions.models import ContainerRun, Session
from sessions.models.session import SessionQuerySet
from sessions.selectors.scope import Running, Scope, length, running_among
from usage.selectors import Grain, usage_rows
from usage.selectors.days import DayOfUse, use_by_day

TOP = 4
MOST_LISTED = 24


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
class ImageUse:
    """An image reference and how often it was used."""

    image: str
    sessions: int
    runs: int
    users: int


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
    both = scope.started(before, period)
    sessions = Session.objects.filter(pk__in=both.values("pk"))
    runs = ContainerRun.objects.filter(session__in=both.values("pk"))
    running = running_among(both, scope.at)
    figures, earlier = _figures(sessions, runs, running, period, before)
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
        images=_images(runs, scope),
        people=_people(sessions, running, scope),
        as_of=scope.at,
    )


def _whole_seconds(length: timedelta | None) -> int:
    return 0 if length is None else length // timedelta(seconds=1)


def _figures(
    sessions: SessionQuerySet,
    runs: QuerySet[ContainerRun],
    running: Sequence[Running],
    period: Period,
    before: Period,
) -> tuple[Figures, Figures]:
    """Both periods in two statements."""
    now, then = Q(created_at__gte=period.start), Q(created_at__lt=period.start)
    counted = sessions.aggregate(
        sessions_now=Count("pk", filter=now),
        sessions_then=Count("pk", filter=then),
        users_now=Count("person_id", filter=now, distinct=True),
        users_then=Count("person_id", filter=then, distinct=True),
        length_now=Sum(length(), filter=now),
        length_then=Sum(length(), filter=then),
    )
    images = runs.aggregate(
        now=_images_in(session__created_at__gte=period.start),
        then=_images_in(session__created_at__lt=period.start),
    )
    return (
        _figures_of(counted, images, "now", _sum_in(running, period)),
        _figures_of(counted, images, "then", _sum_in(running, before)),
    )


def _images_in(**when: datetime) -> Count:
    return Count("image", filter=Q(**when), distinct=True)


def _figures_of(
    counted: Mapping[str, Any], images: Mapping[str, int], which: str, running_seconds: int
) -> Figures:
    return Figures(
        total_seconds=_whole_seconds(counted[f"length_{which}"]) + running_seconds,
        sessions=counted[f"sessions_{which}"],
        images=images[which],
        users=counted[f"users_{which}"],
    )


def _sum_in(running: Iterable[Running], period: Period) -> int:
    return sum(session.seconds for session in running if period.contains(session.created_at))


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


def _images(runs: QuerySet[ContainerRun], scope: Scope) -> tuple[ImageUse, ...]:
    rows = (
        runs.filter(session__created_at__gte=scope.period.start)
        .values("image")
        .annotate(
            in_sessions=Count("session_id", distinct=True),
            runs=Count("pk"),
            users=Count("session__person_id", distinct=True),
        )
        .filter(users__gte=LEAST_GROUP if scope.is_aggregate else 0)
        .order_by("-in_sessions", "-runs", "image")[:MOST_LISTED]
    )
    return tuple(
        ImageUse(row["image"], row["in_sessions"], row["runs"], row["users"]) for row in rows
    )


def _seen(use: PersonUse, scope: Scope) -> PersonUse:
    """As the asker may see them (`orgs.privacy`)."""
    organization = scope.organization
    if not is_veiled(organization.privacy, use.person_id, scope.chosen.person):
        return use
    one = pseudonym_of(organization.pk, use.person_id)
    return replace(use, person_id=one.id, name=one.name, email=one.code)


def _people(
    sessions: SessionQuerySet, running: Sequence[Running], scope: Scope
) -> tuple[PersonUse, ...]:
    """Most time first, then most sessions; an organization has few enough people to sort here.

    Nobody where insights are in aggregate, and codes where they are pseudonymous.
    """
    if scope.is_aggregate:
        return ()
    start = scope.period.start
    extra: dict[uuid.UUID, int] = {}
    for session in running:
        if session.created_at >= start:
            extra[session.person_id] = extra.get(session.person_id, 0) + session.seconds
    rows = (
        sessions.filter(created_at__gte=start)
        .values("person_id", "person__name", "person__email")
        .annotate(count=Count("pk"), total=Sum(length()))
        .order_by("person_id")
    )
    people = [
        PersonUse(
            person_id=row["person_id"],
            name=row["person__name"] or row["person__email"],
            email=row["person__email"],
            sessions=row["count"],
            total_seconds=_whole_seconds(row["total"]) + extra.get(row["person_id"], 0),
        )
        for row in rows
    ]
    people = [_seen(use, scope) for use in people]
    people.sort(key=lambda use: (-use.total_seconds, -use.sessions, use.name))
    return tuple(people[:MOST_LISTED])
