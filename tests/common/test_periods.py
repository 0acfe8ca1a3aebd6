"""Every second is in exactly one billing period and in exactly one local day (rules 14 and 22)."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offload_portal.common.periods import (
    DAY,
    HOUR,
    Period,
    boundary,
    cut_to_second,
    day_start,
    from_seconds,
    hour_of,
    local_days,
    period_at,
    period_number,
    to_seconds,
)

# Forty zones: whole, half and quarter hours, both hemispheres, changes at midnight, over midnight,
# by thirty minutes, of a whole day, dropped, taken up again, and negative summer time.
_NAMES = """
    UTC Africa/Cairo Africa/Casablanca Africa/Johannesburg America/Asuncion America/Caracas
    America/Chicago America/Halifax America/Havana America/Los_Angeles America/Mexico_City
    America/New_York America/Nuuk America/Sao_Paulo America/Santiago America/Scoresbysund
    America/St_Johns America/Toronto Antarctica/Troll Asia/Amman Asia/Beirut Asia/Dhaka
    Asia/Gaza Asia/Jerusalem Asia/Kathmandu Asia/Kolkata Asia/Pyongyang Asia/Shanghai
    Asia/Tehran Asia/Tokyo Atlantic/Azores Australia/Adelaide Australia/Lord_Howe Europe/Berlin
    Europe/Dublin Europe/Istanbul Europe/London Pacific/Apia Pacific/Chatham Pacific/Kiritimati
"""
ZONES = _NAMES.split()

INSTANTS = st.integers(-2_000_000_000, 4_000_000_000)
LONG_AGO, FAR_AHEAD = datetime(2009, 12, 31, 13, tzinfo=UTC), datetime(2027, 1, 2, 5, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours_of_day(zone: str, day: str) -> float:
    start = date.fromisoformat(day)
    whole = day_start(ZoneInfo(zone), start + timedelta(days=1)) - day_start(ZoneInfo(zone), start)
    return whole / timedelta(hours=1)


def test_an_instant_is_cut_down_to_its_second_in_utc() -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    at = datetime(2026, 3, 1, 0, 0, 0, 999_999, tzinfo=kathmandu)
    assert cut_to_second(at) == utc("2026-02-28T18:15:00")
    assert cut_to_second(at).tzinfo is UTC


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        cut_to_second(datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_second_before_the_epoch_is_cut_down_too() -> None:
    assert to_seconds(utc("1969-12-31T23:59:59.500000")) == -1


@given(INSTANTS)
def test_seconds_survive_the_way_there_and_back(seconds: int) -> None:
    assert to_seconds(from_seconds(seconds)) == seconds
    assert hour_of(seconds) <= seconds < hour_of(seconds) + HOUR
    assert to_seconds(from_seconds(hour_of(seconds)).replace(minute=0, second=0)) == hour_of(
        seconds
    )


def test_a_period_holds_its_start_and_not_its_end() -> None:
    period = Period(utc("2026-01-01T00:30"), utc("2026-01-01T02:00"))
    assert period.contains(period.start)
    assert not period.contains(period.end)
    assert period.contains(period.end - timedelta(seconds=1))
    assert period.seconds == 5_400
    assert [from_seconds(hour).hour for hour in period.hours] == [0, 1]


def test_a_period_is_of_whole_utc_seconds_and_in_order() -> None:
    start = utc("2026-01-01T00:00")
    with pytest.raises(ValueError, match="before its start"):
        Period(start, start - timedelta(seconds=1))
    for bad in (
        start.replace(tzinfo=None),
        start.replace(microsecond=1),
        start.astimezone(ZoneInfo("Asia/Tokyo")),
    ):
        with pytest.raises(ValueError, match="whole seconds in UTC"):
            Period(start, bad)


@pytest.mark.parametrize(
    ("anchor", "n", "expected"),
    [
        ("2026-01-31", 0, "2026-01-31"),
        ("2026-01-31", 1, "2026-02-28"),
        ("2026-01-31", 2, "2026-03-31"),
        ("2026-01-31", 3, "2026-04-30"),
        ("2026-01-31", 25, "2028-02-29"),
        ("2026-01-31", -2, "2025-11-30"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2026-12-15", 1, "2027-01-15"),
    ],
)
def test_a_boundary_is_counted_from_the_anchor(anchor: str, n: int, expected: str) -> None:
    assert boundary(date.fromisoformat(anchor), n) == utc(expected)


@pytest.mark.parametrize("day", range(1, 32))
def test_periods_follow_each_other_without_gap_or_overlap(day: int) -> None:
    anchor = date(2023, 12, day)
    second = timedelta(seconds=1)
    for n in range(-15, 60):
        start, end = boundary(anchor, n), boundary(anchor, n + 1)
        assert 28 * DAY <= (end - start).total_seconds() <= 31 * DAY
        assert period_number(anchor, start - second) == n - 1
        assert period_number(anchor, start) == period_number(anchor, end - second) == n
        assert period_at(anchor, start) == Period(start, end) == period_at(anchor, end - second)


@given(INSTANTS, st.dates(date(1950, 1, 1), date(2090, 1, 1)))
def test_an_instant_lies_in_its_period(seconds: int, anchor: date) -> None:
    assert period_at(anchor, from_seconds(seconds)).contains(from_seconds(seconds))


def test_there_are_forty_zones() -> None:
    assert len(set(ZONES)) == 40


@pytest.mark.parametrize("name", ZONES)
def test_local_days_cover_a_range_once_over_every_clock_change(name: str) -> None:
    zone = ZoneInfo(name)
    days = local_days(zone, LONG_AGO, FAR_AHEAD)
    assert days[0].period.start == LONG_AGO
    assert days[-1].period.end == FAR_AHEAD
    for one, following in pairwise(days):
        assert one.period.end == following.period.start
        assert one.day < following.day
    for one in days:
        assert one.period.start < one.period.end
        assert one.period.start.astimezone(zone).date() == one.day
    for one in days[1:]:
        assert (one.period.start - timedelta(seconds=1)).astimezone(zone).date() < one.day


@pytest.mark.parametrize("name", ZONES)
def test_every_second_of_a_billing_period_is_in_one_local_day(name: str) -> None:
    """For every anchor: each period cut into local days is the period again."""
    zone = ZoneInfo(name)
    for day in range(1, 32):
        anchor = date(2024, 1, day)
        for n in (0, 1, 2, 8, 9, 10):  # the months in which clocks change
            period = Period(boundary(anchor, n), boundary(anchor, n + 1))
            days = local_days(zone, period.start, period.end)
            assert sum(one.period.seconds for one in days) == period.seconds
            bounds = [one.period.start for one in days] + [period.end]
            assert bounds[0] == period.start
            assert [one.period.end for one in days] == bounds[1:]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Europe/Berlin", "2026-06-01", 24),
        ("Asia/Kathmandu", "2026-03-29", 24),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("America/Havana", "2024-11-03", 25),
        ("Antarctica/Troll", "2026-03-29", 22),
        ("Pacific/Apia", "2011-12-30", 0),
        ("Pacific/Apia", "2011-12-31", 24),
    ],
)
def test_a_day_is_as_long_as_its_zone_makes_it(zone: str, day: str, hours: float) -> None:
    assert hours_of_day(zone, day) == hours


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("Asia/Kathmandu", "2026-03-29", "2026-03-28T18:15:00"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00"),  # 00:00 became 01:00
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00:00"),  # 00:00 became 01:00
        ("America/Havana", "2024-11-03", "2024-11-03T04:00:00"),  # the first of two midnights
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00"),  # 23:30 became 00:30
        ("America/St_Johns", "2010-11-07", "2010-11-07T02:30:00"),  # 00:01 became 23:01
    ],
)
def test_a_day_begins_when_its_date_is_first_shown(zone: str, day: str, start: str) -> None:
    assert day_start(ZoneInfo(zone), date.fromisoformat(day)) == utc(start)


def test_a_day_that_a_zone_left_out_is_not_listed() -> None:
    days = local_days(ZoneInfo("Pacific/Apia"), utc("2011-12-29T00:00"), utc("2012-01-02T00:00"))
    assert [one.day.isoformat() for one in days] == [
        "2011-12-28",
        "2011-12-29",
        "2011-12-31",
        "2012-01-01",
        "2012-01-02",
    ]


def test_an_empty_range_has_no_days() -> None:
    assert local_days(ZoneInfo("UTC"), utc("2026-01-01"), utc("2026-01-01")) == ()
