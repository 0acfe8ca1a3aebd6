"""Use by the hour of the week: when an organization works."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum
from django.db.models.functions import ExtractHour, ExtractIsoWeekDay

from usage.models import UsageQuarter
from usage.selectors.parts import pieces, sums_of_parts
from usage.selectors.reports import UsageQuestion


@dataclass(frozen=True, slots=True)
class HourOfWeek:
    """What was used on a weekday (1 Monday to 7 Sunday) in an hour (0 to 23) of the zone's clock.

    Use belongs to the hour in which its quarter of a UTC hour begins there. `people` is 0 where
    the question did not ask for them.
    """

    weekday: int
    hour: int
    seconds: int
    compute_seconds: int
    people: int = 0


def use_by_hour_of_week(question: UsageQuestion) -> tuple[HourOfWeek, ...]:
    """The hours of the week that have use, in order. One statement."""
    narrowed = question.person_ids is not None or question.session_ids is not None
    read = _of_ledger if narrowed or question.counts_people else _of_rollups
    rows = read(question)
    return tuple(sorted(rows, key=lambda row: (row.weekday, row.hour)))


def _of_rollups(question: UsageQuestion) -> Iterable[HourOfWeek]:
    rows: Any = (
        UsageQuarter.objects.filter(
            organization=question.organization, at__gte=question.start, at__lt=question.end
        )
        .annotate(
            weekday=ExtractIsoWeekDay("at", tzinfo=question.zone),
            hour=ExtractHour("at", tzinfo=question.zone),
        )
        .values("weekday", "hour")
        .annotate(wall=Sum("seconds"), compute=Sum("compute_seconds"))
        .order_by("weekday", "hour")
    )
    return [HourOfWeek(row["weekday"], row["hour"], row["wall"], row["compute"]) for row in rows]


def _of_ledger(question: UsageQuestion) -> Iterable[HourOfWeek]:
    parts = [
        (
            piece,
            question.entries(piece).annotate(
                bucket=ExtractIsoWeekDay(piece.at, tzinfo=question.zone),
                group=ExtractHour(piece.at, tzinfo=question.zone),
            ),
        )
        for piece in pieces(question.start, question.end, question.zone)
    ]
    return [
        HourOfWeek(int(weekday), int(hour), wall, compute, people)
        for weekday, hour, wall, compute, _cost, _sessions, people in sums_of_parts(
            parts, people=question.counts_people
        )
    ]
