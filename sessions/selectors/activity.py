"""What a period's sessions come to: five figures, the trend, images and people."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, QuerySet, Sum
from django.db.models.expressions import CombinedExpression

from offload_portal.common.periods import Period, to_seconds
from sessions import clock
from sessions.filters import SessionFilter
from sessions.models import ContainerRun, Session
from sessions.models.session import SessionQuerySet
from sessions.selectors.facts import ends_from_below, facts_of
from sessions.selectors.lists import filtered
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
    them all. `days` is billed time by the local day on which it was used.
    """

    period: Period
    before: Period
    zone: str
    figures: Figures
    earlier: Figures
    days: tuple[DayOfUse, ...]
    images: tuple[ImageUse, ...]
    people: tuple[PersonUse, ...]
    as_of: datetime

    @property
    def billed_seconds(self) -> int:
        return sum(day.seconds for day in self.days)

    @property
    def compute_seconds(self) -> int:
        return sum(day.compute_seconds for day in self.days)


@dataclass(frozen=True, slots=True)
class _Running:
    """A session whose end isn't written down; the clock says how long it is."""

    person_id: uuid.UUID
    created_at: datetime
    seconds: int


def activity_summary(
    chosen: SessionFilter, start: datetime, end: datetime, zone: ZoneInfo, at: datetime
) -> ActivitySummary:
    """Sessions that started in [start, end), beside the same length of time before it.

    `chosen` may narrow by anything but the start, in one organization. A fixed number of
    statements, whatever the number of sessions, people and images.
    """
    period = Period(start, end)
    before = Period(start - (end - start), start)
    whenever = replace(chosen, started_after=None, started_before=None)
    passing = filtered(whenever, at)
    both = passing.filter(created_at__gte=before.start, created_at__lt=end).values("pk")
    sessions = Session.objects.filter(pk__in=both)
    runs = ContainerRun.objects.filter(session__in=both)
    running = _running(sessions, at)
    figures, earlier = _figures(sessions, runs, running, period, before)
    return ActivitySummary(
        period=period,
        before=before,
        zone=zone.key,
        figures=figures,
        earlier=earlier,
        days=_days(whenever, passing, period, zone),
        images=_images(runs, start),
        people=_people(sessions, running, start),
        as_of=at,
    )


def _running(sessions: SessionQuerySet, at: datetime) -> list[_Running]:
    unwritten = list(sessions.with_facts().filter(ended_at=None).order_by("created_at", "id"))
    ends = ends_from_below(unwritten)
    now = to_seconds(at)
    found = []
    for session in unwritten:
        moment = clock.state_at(facts_of(session, ends.get(session.id, ())), now)
        found.append(_Running(session.person_id, session.created_at, moment.elapsed_seconds))
    return found


def _length() -> ExpressionWrapper[CombinedExpression]:
    """From start to written end; empty while it isn't written."""
    return ExpressionWrapper(F("ended_at") - F("created_at"), output_field=DurationField())


def _whole_seconds(length: timedelta | None) -> int:
    return 0 if length is None else length // timedelta(seconds=1)


def _figures(
    sessions: SessionQuerySet,
    runs: QuerySet[ContainerRun],
    running: Sequence[_Running],
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
        length_now=Sum(_length(), filter=now),
        length_then=Sum(_length(), filter=then),
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


def _sum_in(running: Iterable[_Running], period: Period) -> int:
    return sum(session.seconds for session in running if period.contains(session.created_at))


def _days(
    whenever: SessionFilter, passing: QuerySet[Session], period: Period, zone: ZoneInfo
) -> tuple[DayOfUse, ...]:
    """Time used in the period by whatever session passes the filter, whenever it started."""
    (organization,) = whenever.organizations
    people = whenever.people
    if organization not in whenever.everyone_in:
        own = frozenset({whenever.person})
        people = own if people is None else own & people
    wall = SessionFilter(whenever.person, whenever.organizations, whenever.everyone_in)
    by_people_alone = replace(whenever, people=None) == wall
    return use_by_day(
        organization,
        period.start,
        period.end,
        zone,
        people=people,
        sessions=None if by_people_alone else passing.values("pk"),
    )


def _images(runs: QuerySet[ContainerRun], start: datetime) -> tuple[ImageUse, ...]:
    rows = (
        runs.filter(session__created_at__gte=start)
        .values("image")
        .annotate(
            in_sessions=Count("session_id", distinct=True),
            runs=Count("pk"),
            users=Count("session__person_id", distinct=True),
        )
        .order_by("-in_sessions", "-runs", "image")[:MOST_LISTED]
    )
    return tuple(
        ImageUse(row["image"], row["in_sessions"], row["runs"], row["users"]) for row in rows
    )


def _people(
    sessions: SessionQuerySet, running: Sequence[_Running], start: datetime
) -> tuple[PersonUse, ...]:
    """Most time first, then most sessions; an organization has few enough people to sort here."""
    extra: dict[uuid.UUID, int] = {}
    for session in running:
        if session.created_at >= start:
            extra[session.person_id] = extra.get(session.person_id, 0) + session.seconds
    rows = (
        sessions.filter(created_at__gte=start)
        .values("person_id", "person__name", "person__email")
        .annotate(count=Count("pk"), total=Sum(_length()))
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
    people.sort(key=lambda use: (-use.total_seconds, -use.sessions, use.name))
    return tuple(people[:MOST_LISTED])
