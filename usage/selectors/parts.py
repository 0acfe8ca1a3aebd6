"""Entries cut into the quarters of their hour, so that days of every zone can be added up."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper, F, QuerySet

from offload_portal.common.periods import HOUR, QUARTER, from_seconds, hour_of, to_seconds
from usage.models import LedgerEntry

PARTS = range(4)
ONE_DAY = timedelta(days=1)


def part_at(number: int) -> Any:
    """The instant at which the `number`-th quarter of an entry's hour begins, counted from 0."""
    if not number:
        return F("hour")
    step = timedelta(seconds=number * QUARTER)
    return ExpressionWrapper(F("hour") + step, output_field=DateTimeField())


def part_of(number: int) -> tuple[Any, Any, Any]:
    """Wall seconds, compute-seconds and micro-dollars of the quarter.

    The first is what the others leave, so that parts always add up to their entry.
    """
    if number:
        compute = F(f"compute_{number}")
        return F(f"seconds_{number}"), compute, compute * F("rate_microusd")
    later_seconds = F("seconds_1") + F("seconds_2") + F("seconds_3")
    later = F("compute_1") + F("compute_2") + F("compute_3")
    cost = F("cost_microusd") - later * F("rate_microusd")
    return F("seconds") - later_seconds, F("compute_seconds") - later, cost


@dataclass(frozen=True, slots=True)
class Piece:
    """Entries whose hour begins in [start, end): whole, or one quarter of each, counted from 0."""

    quarter: int | None
    start: datetime
    end: datetime

    @property
    def at(self) -> Any:
        """The instant at which its part of an entry begins."""
        return part_at(self.quarter or 0)

    @property
    def sums(self) -> tuple[Any, Any, Any]:
        """Wall seconds, compute-seconds and micro-dollars of its part of an entry."""
        if self.quarter is None:
            return F("seconds"), F("compute_seconds"), F("cost_microusd")
        return part_of(self.quarter)


def pieces(start: datetime, end: datetime, zone: ZoneInfo) -> list[Piece]:
    """[start, end) in pieces each of whose parts lies on one day of the zone.

    Whole entries wherever days begin on the UTC hour, so that what is long is read once; quarters
    of them in the hours that the range cuts, and everywhere else.
    """
    if not _days_begin_on_the_hour(start, end, zone):
        return _quarters(start, end)
    first = from_seconds(-(-to_seconds(start) // HOUR) * HOUR)
    last = from_seconds(hour_of(to_seconds(end)))
    if first >= last:
        return _quarters(start, end)
    found = [Piece(None, first, last)]
    if start < first:
        found += _quarters(start, first)
    if last < end:
        found += _quarters(last, end)
    return found


def _quarters(start: datetime, end: datetime) -> list[Piece]:
    steps = [(number, timedelta(seconds=number * QUARTER)) for number in PARTS]
    return [Piece(number, start - step, end - step) for number, step in steps]


def _days_begin_on_the_hour(start: datetime, end: datetime, zone: ZoneInfo) -> bool:
    at = start
    while at < end + ONE_DAY:
        offset = at.astimezone(zone).utcoffset() or timedelta(0)
        if offset % timedelta(hours=1):
            return False
        at += ONE_DAY
    return True


def sums_of_parts(
    entries: Iterable[tuple[Piece, QuerySet[LedgerEntry]]], *, people: bool = False
) -> list[tuple[Any, Any, int, int, int, int, int]]:
    """(bucket, group, wall, compute, cost, sessions, people) over pieces. One statement.

    `entries` are pairs of a piece and its entries, which have a `bucket` and a `group`. People are
    counted only where asked for, and are 0 elsewhere.
    """
    queries: list[str] = []
    given: list[Any] = []
    for number, (piece, rows) in enumerate(entries):
        wall, compute, cost = piece.sums
        named = rows.annotate(wall=wall, compute=compute, cost=cost).order_by()
        columns = ("bucket", "group", "session_id", "person_id", "wall", "compute", "cost")
        try:
            text, values = named.values_list(*columns).query.sql_with_params()
        except EmptyResultSet:  # no row can be of nobody, so there is nothing to ask
            continue
        queries.append(f"SELECT * FROM ({text}) AS part_{number}")  # noqa: S608 - the ORM's own text
        given.extend(values)
    return _summed(queries, given, people=people) if queries else []


def _summed(
    queries: list[str], given: list[Any], *, people: bool
) -> list[tuple[Any, Any, int, int, int, int, int]]:
    columns = 'b(bucket, "group", session, person, wall, compute, cost)'
    whole = f"WITH {columns} AS ({' UNION ALL '.join(queries)})"
    counted = "COUNT(DISTINCT person)" if people else "0"
    # By session first: counting distinct ones of so many rows would sort them all.
    each = (
        'e AS (SELECT bucket, "group", person, SUM(wall) AS wall, SUM(compute) AS compute,'
        " SUM(cost) AS cost FROM b WHERE wall <> 0 OR compute <> 0 OR cost <> 0"
        ' GROUP BY bucket, "group", session, person)'
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f'{whole}, {each} SELECT bucket, "group", SUM(wall), SUM(compute), SUM(cost),'  # noqa: S608 - composed of the ORM's own text
            f' COUNT(*), {counted} FROM e GROUP BY bucket, "group" ORDER BY bucket, "group"',
            given,
        )
        return [
            (row[0], row[1], int(row[2]), int(row[3]), int(row[4]), row[5], row[6])
            for row in cursor.fetchall()
        ]


def as_instant(value: Any) -> datetime:
    """SQLite gives an instant of a composed query as text."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def as_day(value: Any) -> date:
    """The same of a day."""
    if isinstance(value, str):
        return date.fromisoformat(value[:10])
    return value.date() if isinstance(value, datetime) else value
