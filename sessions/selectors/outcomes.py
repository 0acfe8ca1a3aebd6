"""How sessions ended, and which images fail."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Count, Q, Value
from django.db.models.functions import TruncDate

from offload_portal.common.periods import local_days
from orgs.privacy import LEAST_GROUP
from sessions.models import ContainerRun
from sessions.selectors.scope import Scope

MOST_IMAGES = 24
FAILED_RUN = Q(exit_code__isnull=False) & ~Q(exit_code=0)


@dataclass(frozen=True, slots=True)
class EndCount:
    """Sessions that ended with a reason, and how many people they are of."""

    reason: str
    sessions: int
    people: int


@dataclass(frozen=True, slots=True)
class FailingImage:
    """Runs of an image that exited, and of them those that failed; `codes` are the exit codes with
    their counts, the most frequent first."""

    image: str
    runs: int
    failed: int
    sessions: int
    users: int
    codes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class FailingImages:
    """Those with most failures, at most MOST_IMAGES of them; `count` is how many there are."""

    images: tuple[FailingImage, ...]
    count: int


@dataclass(frozen=True, slots=True)
class DayOfRuns:
    """Containers of the sessions that started on a local day: exited well, and with a failure."""

    day: date
    well: int
    failed: int
    people: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Of sessions that started in the period. `images` are those with a failed run, most first."""

    ends: tuple[EndCount, ...]
    running: int
    images: tuple[FailingImage, ...]
    failing_images: int
    days: tuple[DayOfRuns, ...]
    runs: int
    failed_runs: int


def outcomes_of(scope: Scope) -> Outcomes:
    """Four statements, whatever the number of sessions and containers."""
    started = scope.started()
    rows: Any = (
        started.values("end_reason")
        .annotate(count=Count("pk"), people=Count("person_id", distinct=True))
        .order_by("-count", "end_reason")
    )
    least = LEAST_GROUP if scope.is_aggregate else 0
    counts = [EndCount(row["end_reason"], row["count"], row["people"]) for row in rows]
    counts = [count for count in counts if count.people >= least]
    days = _days(scope)
    failing = failing_images(scope)
    return Outcomes(
        ends=tuple(count for count in counts if count.reason),
        running=sum(count.sessions for count in counts if not count.reason),
        images=failing.images,
        failing_images=failing.count,
        days=days,
        runs=sum(day.well + day.failed for day in days),
        failed_runs=sum(day.failed for day in days),
    )


def failing_images(scope: Scope) -> FailingImages:
    """Images with failed runs, most failures first, of the runs that exited. Two statements.

    Those that fewer than five people use stay out of the list where insights are in aggregate.
    """
    rows = _failing(scope)
    codes: dict[str, list[tuple[int, int]]] = {}
    counted = (
        ContainerRun.objects.filter(
            FAILED_RUN,
            exited_at__isnull=False,
            session__in=scope.started().values("pk"),
            image__in=[row[0] for row in rows],
        )
        .values_list("image", "exit_code")
        .annotate(count=Count("pk"))
        .order_by("image", "-count", "exit_code")
    )
    for image, code, count in counted:
        codes.setdefault(image, []).append((code, count))
    images = tuple(
        FailingImage(
            image=image,
            runs=int(runs),
            failed=int(failed),
            sessions=int(sessions),
            users=int(users),
            codes=tuple(codes.get(image, ())),
        )
        for image, runs, failed, sessions, users, _count in rows
    )
    least = LEAST_GROUP if scope.is_aggregate else 0
    listed = tuple(image for image in images if image.users >= least)
    return FailingImages(listed, int(rows[0][5]) if rows else 0)


def _failing(scope: Scope) -> list[tuple[Any, ...]]:
    """(image, runs, failed runs, sessions and people with one, how many such images there are)."""
    asked = scope.started().order_by().values_list("id", "person_id")
    try:
        text, given = asked.query.sql_with_params()
    except EmptyResultSet:  # no session can be of nobody
        return []
    runs = connection.ops.quote_name(ContainerRun._meta.db_table)
    least = LEAST_GROUP if scope.is_aggregate else 0
    with connection.cursor() as cursor:
        cursor.execute(
            # By session, then by person: counting distinct ones of all runs would sort them all.
            f"WITH asked(session, person) AS ({text}),"  # noqa: S608 - composed of the ORM's own text
            " one AS (SELECT r.image, a.person, COUNT(*) AS runs,"
            " SUM(CASE WHEN r.exit_code <> 0 THEN 1 ELSE 0 END) AS failed"
            f" FROM asked a JOIN {runs} r ON r.session_id = a.session"
            " WHERE r.exited_at IS NOT NULL GROUP BY r.image, a.session, a.person),"
            " own AS (SELECT image, SUM(runs) AS runs, SUM(failed) AS failed,"
            " SUM(CASE WHEN failed > 0 THEN 1 ELSE 0 END) AS sessions"
            " FROM one GROUP BY image, person),"
            " used AS (SELECT image, SUM(runs) AS runs, SUM(failed) AS failed,"
            " SUM(sessions) AS sessions, SUM(CASE WHEN failed > 0 THEN 1 ELSE 0 END) AS people"
            " FROM own GROUP BY image HAVING SUM(failed) > 0)"
            " SELECT image, runs, failed, sessions, people, COUNT(*) OVER () FROM used"
            " ORDER BY CASE WHEN people >= %s THEN 0 ELSE 1 END, failed DESC, image LIMIT %s",
            [*given, least, MOST_IMAGES],
        )
        return list(cursor.fetchall())


def _days(scope: Scope) -> tuple[DayOfRuns, ...]:
    """By the day on which the session started, so that runs are of the period, too."""
    exited = Q(container_runs__exited_at__isnull=False)
    failed = exited & Q(container_runs__exit_code__isnull=False) & ~Q(container_runs__exit_code=0)
    # Distinct people are counted only where few of them must not be told of.
    ran = Count("person_id", distinct=True, filter=exited)
    people: Any = ran if scope.is_aggregate else Value(0)
    rows: Any = (
        scope.started()
        .annotate(day=TruncDate("created_at", tzinfo=scope.zone))
        .values("day")
        .annotate(
            count=Count("container_runs", filter=exited),
            failures=Count("container_runs", filter=failed),
            people=people,
        )
        .order_by("day")
    )
    least = LEAST_GROUP if scope.is_aggregate else 0
    by_day = {row["day"]: row for row in rows if row["people"] >= least}
    nothing = {"count": 0, "failures": 0, "people": 0}
    return tuple(
        DayOfRuns(
            local.day,
            (row := by_day.get(local.day, nothing))["count"] - row["failures"],
            row["failures"],
            row["people"],
        )
        for local in local_days(scope.zone, scope.period.start, scope.period.end)
    )
