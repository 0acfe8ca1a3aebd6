"""Use in ranges that cut hours, in zones whose days don't begin on the UTC hour."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from offload_portal.common.periods import QUARTER, hour_of, to_seconds
from orgs.models import Organization, Person
from tests.usage import worlds
from usage.models import LedgerEntry
from usage.selectors.days import use_by_day
from usage.selectors.parts import PARTS, pieces
from usage.selectors.reports import Grain, UsageQuestion, usage_rows, usage_sums
from usage.selectors.week import use_by_hour_of_week

NEW_YORK, KATHMANDU = ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def quarters(organization: Organization) -> list[tuple[datetime, int, int]]:
    """(its beginning, wall seconds, compute-seconds) of each quarter of each entry."""
    found = []
    for entry in LedgerEntry.objects.for_organization(organization):
        later = [getattr(entry, f"seconds_{n}") for n in (1, 2, 3)]
        compute = [getattr(entry, f"compute_{n}") for n in (1, 2, 3)]
        walls = [entry.seconds - sum(later), *later]
        computes = [entry.compute_seconds - sum(compute), *compute]
        for number in PARTS:
            at = entry.hour + number * timedelta(seconds=QUARTER)
            found.append((at, walls[number], computes[number]))
    return found


@pytest.mark.parametrize(
    ("start", "end", "zone", "read"),
    [
        # Whole entries between two hours that the range cuts, and none where it cuts nothing.
        (10 * HOUR + MINUTE, 40 * HOUR + 31 * MINUTE, NEW_YORK, 1),
        (10 * HOUR, 40 * HOUR, NEW_YORK, 1),
        (10 * HOUR, 40 * HOUR + timedelta(seconds=1), NEW_YORK, 1),
        # Less than an hour, in one or on the bound of two.
        (10 * HOUR + MINUTE, 10 * HOUR + 59 * MINUTE, NEW_YORK, 0),
        (10 * HOUR + 59 * MINUTE, 11 * HOUR + MINUTE, NEW_YORK, 0),
        # Days that begin in the middle of an hour need its quarters everywhere.
        (10 * HOUR, 40 * HOUR, KATHMANDU, 0),
        (10 * HOUR, 40 * HOUR, LORD_HOWE, 1),  # UTC+11 in March
        (1_000 * HOUR, 1_040 * HOUR, LORD_HOWE, 0),  # UTC+10:30 in April
    ],
)
@pytest.mark.django_db
def test_what_is_read_in_pieces_is_what_the_quarters_come_to(
    organization: Organization,
    owner: Person,
    at: datetime,
    start: timedelta,
    end: timedelta,
    zone: ZoneInfo,
    read: int,
) -> None:
    midnight = at.replace(hour=0) + timedelta(days=1)
    for number in range(8):
        begins = midnight + start + number * timedelta(hours=4, minutes=50) - 40 * MINUTE
        worlds.use(organization, owner, begins, 3_000 + number * 701, multiplier=1 + number % 2)
    first, last = midnight + start, midnight + end
    assert sum(piece.quarter is None for piece in pieces(first, last, zone)) == read
    due = [row for row in quarters(organization) if first <= row[0] < last]
    question = UsageQuestion(organization, first, last, zone, person_ids=frozenset({owner.pk}))
    sums = usage_sums(question)
    assert (sums.seconds, sums.compute_seconds) == (sum(r[1] for r in due), sum(r[2] for r in due))
    by_day: dict[object, int] = {}
    by_hour: dict[tuple[int, int], int] = {}
    for begins, _wall, compute in due:
        if compute:
            local = begins.astimezone(zone)
            by_day[local.date()] = by_day.get(local.date(), 0) + compute
            of_week = (local.isoweekday(), local.hour)
            by_hour[of_week] = by_hour.get(of_week, 0) + compute
    days = use_by_day(organization.pk, first, last, zone, people=[owner.pk])
    assert {day.day: day.compute_seconds for day in days if day.compute_seconds} == by_day
    rows = usage_rows(question, Grain.DAY)
    told = {row.start.astimezone(zone).date(): row.sums.compute_seconds for row in rows}
    assert {day: seconds for day, seconds in told.items() if seconds} == by_day
    week = use_by_hour_of_week(question)
    assert {(row.weekday, row.hour): row.compute_seconds for row in week} == by_hour


def test_pieces_follow_each_other_without_a_gap() -> None:
    start, end = datetime(2026, 3, 1, 5, 20, tzinfo=UTC), datetime(2026, 3, 9, 7, 0, 1, tzinfo=UTC)
    seen: list[int] = []
    for piece in pieces(start, end, NEW_YORK):
        hour = hour_of(to_seconds(piece.start))
        hours = range(hour, to_seconds(piece.end), 3_600)
        numbers = PARTS if piece.quarter is None else [piece.quarter]
        for begins in hours:
            if begins >= to_seconds(piece.start):
                seen += [begins + number * QUARTER for number in numbers]
    whole = range(to_seconds(start) // QUARTER * QUARTER, to_seconds(end), QUARTER)
    assert sorted(seen) == [at for at in whole if at >= to_seconds(start)]
