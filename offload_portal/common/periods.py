"""Instants cut to the second, half-open periods, billing months and local days.

All of it is arithmetic on values that are passed in: nothing here reads a clock (product.md rules
14 and 22). Datetimes are aware and in UTC; a plain `int` is POSIX seconds, UTC.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

QUARTER = 900
HOUR = 3_600
DAY = 86_400

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_ONE_DAY = timedelta(days=1)


def cut_to_second(at: datetime) -> datetime:
    """The whole second that `at` is in, in UTC (product.md rule 14)."""
    if at.utcoffset() is None:
        raise ValueError("An instant needs a time zone.")
    return at.astimezone(UTC).replace(microsecond=0)


def to_seconds(at: datetime) -> int:
    """POSIX seconds of the whole second that `at` is in; also right before 1970."""
    if at.tzinfo is None:
        raise ValueError("An instant needs a time zone.")
    # In two different zones Python subtracts in UTC; in one it would by the wall clock.
    return ((at if at.tzinfo is UTC else at.astimezone(UTC)) - _EPOCH) // _SECOND


def from_seconds(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def hour_of(seconds: int) -> int:
    """The start of the UTC hour that the second is in."""
    return seconds - seconds % HOUR


def quarter_of(seconds: int) -> int:
    """The start of the quarter of an hour, UTC, that the second is in."""
    return seconds - seconds % QUARTER


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Half-open, [start, end), of aware UTC datetimes on whole seconds."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for bound in (self.start, self.end):
            if bound.utcoffset() != timedelta(0) or bound.microsecond:
                raise ValueError(f"A period is bounded by whole seconds in UTC, not by {bound}.")
        if self.end < self.start:
            raise ValueError(f"A period can't end at {self.end}, before its start {self.start}.")

    def contains(self, at: datetime) -> bool:
        return self.start <= at < self.end

    @property
    def seconds(self) -> int:
        return (self.end - self.start) // _SECOND

    @property
    def hours(self) -> range:
        """The starts of the UTC hours it touches, in POSIX seconds."""
        return range(hour_of(to_seconds(self.start)), to_seconds(self.end), HOUR)


def boundary(anchor: date, n: int) -> datetime:
    """The n-th monthly boundary, a UTC midnight (product.md rule 22); boundary 0 is the anchor.

    Counted from the anchor and never from the boundary before, so that an anchor of 31 comes back
    to the 31st after February.
    """
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + n, 12)
    last = monthrange(year, month + 1)[1]
    return datetime(year, month + 1, min(anchor.day, last), tzinfo=UTC)


def period_number(anchor: date, at: datetime) -> int:
    """Which period `at` is in: 0 begins with the anchor, those before it are negative."""
    at = cut_to_second(at)
    months = (at.year - anchor.year) * 12 + at.month - anchor.month
    return months if boundary(anchor, months) <= at else months - 1


def period_at(anchor: date, at: datetime) -> Period:
    """The billing period that `at` is in."""
    n = period_number(anchor, at)
    return Period(boundary(anchor, n), boundary(anchor, n + 1))


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A calendar day of a zone and the part of it that lies in the range asked for."""

    day: date
    period: Period


def _instant(day: date, zone: tzinfo, fold: int) -> int:
    midnight = datetime.combine(day, time(0, fold=fold), tzinfo=zone)
    return to_seconds(midnight)


def day_start(zone: ZoneInfo, day: date) -> datetime:
    """The first instant at which the zone's clocks show `day` or a later day.

    Usually midnight. Where clocks jump over midnight it is the instant of the jump, and a day that
    was left out altogether (Samoa's 30 December 2011) begins where the next one does.
    """
    before, after = _instant(day, zone, fold=1), _instant(day, zone, fold=0)
    # Midnight happens once (equal), twice (the first is taken), or, with `before < after`, not at
    # all: then the jump lies between the readings of it by the new and by the old offset.
    while before < after:
        middle = (before + after) // 2
        if from_seconds(middle).astimezone(zone).date() >= day:
            after = middle
        else:
            before = middle + 1
    return from_seconds(after)


def _days_around(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[date]:
    """The days of the range and one on either side, since clocks can step back over midnight."""
    day = start.astimezone(zone).date() - _ONE_DAY
    last = end.astimezone(zone).date() + _ONE_DAY
    while day <= last:
        yield day
        day += _ONE_DAY


def local_days(zone: ZoneInfo, start: datetime, end: datetime) -> tuple[LocalDay, ...]:
    """The days of `zone` over [start, end), cut to it: together they hold each second once.

    A day has 23, 24 or 25 hours, or whatever its zone gave it.
    """
    whole = Period(cut_to_second(start), cut_to_second(end))
    days = []
    for day in _days_around(zone, whole.start, whole.end):
        begins = max(day_start(zone, day), whole.start)
        ends = min(day_start(zone, day + _ONE_DAY), whole.end)
        if begins < ends:
            days.append(LocalDay(day, Period(begins, ends)))
    return tuple(days)
