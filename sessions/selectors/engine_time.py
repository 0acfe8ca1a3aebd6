"""What engines did with their time: in use, waiting, idle, starting; and who pays for it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import (
    Case,
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    IntegerField,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, TruncDate

from offload_portal.common.periods import local_days
from orgs.privacy import is_enough
from sessions.enums import EndReason
from sessions.models.session import SessionQuerySet
from sessions.selectors.scope import Running, Scope, length

PARTS = ("in_use", "waiting", "resumed_idle", "free_idle", "starting")
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class EngineTime:
    """Seconds of engines, in parts that add up. The first three are billed (rule 15).

    `waiting` is what sessions that ended idle waited for their idle timeout after the last
    activity; that of others is part of `in_use`. `resumed_idle` are idle gaps that were resumed;
    `free_idle` is the rest of idle time, `starting` what came before an engine was ready.
    """

    in_use: int = 0
    waiting: int = 0
    resumed_idle: int = 0
    free_idle: int = 0
    starting: int = 0
    people: int = field(default=0, compare=False)  # told only where insights are in aggregate

    @property
    def billed(self) -> int:
        return self.in_use + self.waiting + self.resumed_idle

    @property
    def free(self) -> int:
        return self.free_idle + self.starting

    @property
    def total(self) -> int:
        return self.billed + self.free

    def plus(self, other: "EngineTime") -> "EngineTime":
        names = (*PARTS, "people")
        return EngineTime(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, slots=True)
class DayOfEngines:
    """Of the sessions that started on a local day."""

    day: date
    time: EngineTime


def engine_days(scope: Scope) -> tuple[DayOfEngines, ...]:
    """Each local day of the period, days without sessions included. At most five statements."""
    found = _written(scope.started(), scope)
    for session in scope.running():
        day = session.created_at.astimezone(scope.zone).date()
        found[day] = found.get(day, EngineTime()).plus(_by_clock(session))
    if scope.is_aggregate:
        found = {day: time for day, time in found.items() if is_enough(time.people)}
    return tuple(
        DayOfEngines(local.day, found.get(local.day, EngineTime()))
        for local in local_days(scope.zone, scope.period.start, scope.period.end)
    )


def engine_time(days: Iterable[DayOfEngines]) -> EngineTime:
    whole = EngineTime()
    for each in days:
        whole = whole.plus(each.time)
    return whole


def waited() -> Case:
    """Seconds of a session that waited for its idle timeout: where it ended idle after activity.

    An answered prompt makes a session idle at once, so it waits for nothing.
    """
    return Case(
        When(
            end_reason=EndReason.IDLE,
            billed_seconds__gte=F("idle_timeout_seconds"),
            pulse__idled_at=None,
            then=F("idle_timeout_seconds"),
        ),
        default=Value(0),
        output_field=IntegerField(),
    )


def _written(sessions: SessionQuerySet, scope: Scope) -> dict[date, EngineTime]:
    until_ready = ExpressionWrapper(
        Coalesce(F("ready_at"), F("ended_at")) - F("created_at"), output_field=DurationField()
    )
    rows: Any = (
        sessions.filter(ended_at__isnull=False)
        .annotate(day=TruncDate("created_at", tzinfo=scope.zone))
        .values("day")
        .annotate(
            whole=Sum(length()),
            active=Sum("active_seconds"),
            billed=Sum("billed_seconds"),
            waiting=Sum(waited()),
            starting=Sum(until_ready),
            people=Count("person_id", distinct=True) if scope.is_aggregate else Value(0),
        )
        .order_by("day")
    )
    return {
        row["day"]: _parts(
            row["whole"] // SECOND,
            row["active"],
            row["billed"],
            row["waiting"],
            row["starting"] // SECOND,
            row["people"],
        )
        for row in rows
    }


def _by_clock(session: Running) -> EngineTime:
    moment = session.moment
    starting = moment.elapsed_seconds - moment.active_seconds - moment.idle_seconds
    return _parts(
        moment.elapsed_seconds, moment.active_seconds, moment.billed_seconds, 0, starting, 1
    )


def _parts(
    whole: int, active: int, billed: int, waiting: int, starting: int, people: int
) -> EngineTime:
    resumed = max(0, billed - active)
    return EngineTime(
        in_use=active - waiting,
        waiting=waiting,
        resumed_idle=resumed,
        free_idle=whole - starting - active - resumed,
        starting=starting,
        people=people,
    )
