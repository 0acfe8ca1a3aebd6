"""How sessions ended, and which images fail."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Q, QuerySet
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
    """Five statements, whatever the number of sessions and containers."""
    started = scope.started()
    rows: Any = (
        started.values("end_reason")
        .annotate(count=Count("pk"), people=Count("person_id", distinct=True))
        .order_by("-count", "end_reason")
    )
    least = LEAST_GROUP if scope.is_aggregate else 0
    counts = [EndCount(row["end_reason"], row["count"], row["people"]) for row in rows]
    counts = [count for count in counts if count.people >= least]
    runs = _runs(scope)
    failed = runs.filter(FAILED_RUN)
    days = _days(runs, scope)
    return Outcomes(
        ends=tuple(count for count in counts if count.reason),
        running=sum(count.sessions for count in counts if not count.reason),
        images=_images(runs, failed, least),
        failing_images=failed.aggregate(count=Count("image", distinct=True))["count"],
        days=days,
        runs=sum(day.well + day.failed for day in days),
        failed_runs=sum(day.failed for day in days),
    )


def _runs(scope: Scope) -> QuerySet[ContainerRun]:
    """Those that exited, of the sessions that started in the period."""
    started = scope.started().values("pk")
    return ContainerRun.objects.filter(session__in=started, exited_at__isnull=False)


def failing_images(scope: Scope) -> tuple[FailingImage, ...]:
    """Images with failed runs, most failures first. Two statements."""
    runs = _runs(scope)
    least = LEAST_GROUP if scope.is_aggregate else 0
    return _images(runs, runs.filter(FAILED_RUN), least)


def _images(
    runs: QuerySet[ContainerRun], failed: QuerySet[ContainerRun], least_people: int
) -> tuple[FailingImage, ...]:
    rows: Any = (
        runs.values("image")
        .annotate(
            count=Count("pk"),
            failures=Count("pk", filter=FAILED_RUN),
            sessions=Count("session_id", distinct=True, filter=FAILED_RUN),
            users=Count("session__person_id", distinct=True, filter=FAILED_RUN),
        )
        .filter(failures__gt=0, users__gte=least_people)
        .order_by("-failures", "image")[:MOST_IMAGES]
    )
    found = list(rows)
    codes: dict[str, list[tuple[int, int]]] = {}
    counted = (
        failed.filter(image__in=[row["image"] for row in found])
        .values_list("image", "exit_code")
        .annotate(count=Count("pk"))
        .order_by("image", "-count", "exit_code")
    )
    for image, code, count in counted:
        codes.setdefault(image, []).append((code, count))
    return tuple(
        FailingImage(
            image=row["image"],
            runs=row["count"],
            failed=row["failures"],
            sessions=row["sessions"],
            users=row["users"],
            codes=tuple(codes.get(row["image"], ())),
        )
        for row in found
    )


def _days(runs: QuerySet[ContainerRun], scope: Scope) -> tuple[DayOfRuns, ...]:
    """By the day on which the session started, so that runs are of the period, too."""
    rows: Any = (
        runs.annotate(day=TruncDate("session__created_at", tzinfo=scope.zone))
        .values("day")
        .annotate(
            count=Count("pk"),
            failures=Count("pk", filter=FAILED_RUN),
            people=Count("session__person_id", distinct=True),
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
