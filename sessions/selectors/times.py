"""When sessions run, how many at once, how long they last and how long they take to start."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Count, DurationField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Coalesce

from offload_portal.common.periods import QUARTER, Period, from_seconds, quarter_of, to_seconds
from sessions.models import Session
from sessions.selectors.samples import Bucket
from sessions.selectors.scope import Scope, instant
from usage.selectors.week import HourOfWeek, use_by_hour_of_week

MINUTE, HOUR = 60, 3_600
LENGTHS = (0, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR)
STARTS = (0, 1, 2, 5, 10, 20, 30, 60)


@dataclass(frozen=True, slots=True)
class Bin:
    """How many lengths lie in [least, below) seconds; `below` None has no end."""

    least: int
    below: int | None
    count: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How lengths in seconds are spread. `middle` and `ninth` are the least lengths that at least
    half, and nine in ten, don't exceed; None where there is none."""

    bins: tuple[Bin, ...]
    count: int
    middle: int | None
    ninth: int | None
    longest: int | None


@dataclass(frozen=True, slots=True)
class Level:
    """The most sessions that ran at one instant of a quarter of an hour that begins at `at`."""

    at: datetime
    most: int


@dataclass(frozen=True, slots=True)
class Times:
    """`never_ready` are sessions whose engine did not answer, not those still waiting for it."""

    week: tuple[HourOfWeek, ...]
    levels: tuple[Level, ...]
    lengths: Spread
    starts: Spread
    never_ready: int


def times_of(scope: Scope) -> Times:
    """Six statements, whatever the number of sessions."""
    started = scope.started()
    ended = started.filter(ended_at__isnull=False)
    ready = started.filter(ready_at__isnull=False)
    return Times(
        week=use_by_hour_of_week(scope.question()),
        levels=levels_of(scope.passing, scope.period, scope.at),
        lengths=spread(_lengths(ended, "ended_at"), LENGTHS),
        starts=spread(_lengths(ready, "ready_at"), STARTS),
        never_ready=ended.filter(ready_at=None).count(),
    )


def _lengths(sessions: QuerySet[Session], until: str) -> list[tuple[int, int]]:
    """(seconds from the start, how many sessions)."""
    took = ExpressionWrapper(F(until) - F("created_at"), output_field=DurationField())
    rows: Any = sessions.values(took=took).annotate(count=Count("pk")).order_by("took")
    return [(int(row["took"].total_seconds()), row["count"]) for row in rows]


def spread(lengths: Iterable[tuple[int, int]], edges: Sequence[int]) -> Spread:
    """Of (seconds, count) in order of seconds; `edges` are the least lengths of the bins."""
    known = list(lengths)
    count = sum(number for _seconds, number in known)
    ends = [*edges[1:], None]
    bins = tuple(
        Bin(
            least,
            below,
            sum(
                number
                for seconds, number in known
                if seconds >= least and (below is None or seconds < below)
            ),
        )
        for least, below in zip(edges, ends, strict=True)
    )
    return Spread(
        bins, count, _at(known, count, 5), _at(known, count, 9), known[-1][0] if known else None
    )


def _at(lengths: Sequence[tuple[int, int]], count: int, tenths: int) -> int | None:
    """The least length that at least so many tenths of all don't exceed."""
    passed = 0
    for seconds, number in lengths:
        passed += number
        if 10 * passed >= tenths * count:
            return seconds
    return None


def levels_of(sessions: QuerySet[Session], period: Period, at: datetime) -> tuple[Level, ...]:
    """The most sessions at once in each quarter of an hour of the period. One statement.

    A session runs from its start to the second of its end, which is no longer its own; one that
    goes on runs up to and including `at`. Quarters without a session are included, up to `at`.
    """
    start, end = to_seconds(period.start), min(to_seconds(period.end), to_seconds(at) + 1)
    if start >= end:
        return ()
    changes = _changes(sessions, start, end)
    found, level = [], 0
    for quarter in range(quarter_of(start), end, QUARTER):
        begins = max(quarter, start)
        change, most, first = changes.get(quarter // QUARTER, (0, 0, None))
        # What ran before still does in the first second, unless that very second changes it.
        found.append(Level(from_seconds(begins), most if first == begins else max(level, most)))
        level += change
    return tuple(found)


Change = tuple[int, int, int | None]


def _changes(sessions: QuerySet[Session], start: int, end: int) -> dict[int, Change]:
    """By the quarter's number: how the level changed in it, the highest that it came to, and when
    it changed first."""
    reaching = sessions.filter(created_at__lt=from_seconds(end)).exclude(
        ended_at__lte=from_seconds(start)
    )
    lives = reaching.order_by().values_list(
        Bucket("created_at", grain=1),
        Bucket(Coalesce("ended_at", instant(from_seconds(end))), grain=1),
    )
    try:
        text, values = lives.query.sql_with_params()
    except EmptyResultSet:  # no row can be of nobody
        return {}
    clamped = "CASE WHEN a < %s THEN %s ELSE a END"
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH found(a, b) AS ({text}),"  # noqa: S608 - composed of the ORM's own text
            # Whole numbers, or PostgreSQL would divide to the decimal and round.
            " life(a, b) AS (SELECT CAST(a AS BIGINT), CAST(b AS BIGINT) FROM found),"
            f" step(at, d) AS (SELECT {clamped}, 1 FROM life UNION ALL"
            " SELECT b, -1 FROM life WHERE b < %s),"
            " net(at, d) AS (SELECT at, SUM(d) FROM step GROUP BY at),"
            " level(at, d, n) AS (SELECT at, d, SUM(d) OVER (ORDER BY at) FROM net)"
            f" SELECT at / {QUARTER} AS quarter, SUM(d), MAX(n), MIN(at)"
            " FROM level GROUP BY quarter ORDER BY quarter",
            [*values, start, start, end],
        )
        rows = cursor.fetchall()
    return {int(row[0]): (int(row[1]), int(row[2]), int(row[3])) for row in rows}
