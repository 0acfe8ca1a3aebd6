"""Samples in buckets of time: for charts of long sessions, and for thinning with age (rule 27).

A bucket is a half-open stretch of whole seconds, counted from the epoch, so that buckets of 60 s
lie whole in those of 300 s. What stands for a bucket are its maxima: a peak stays a peak.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, Func, Max, Min

from offload_portal.common.periods import to_seconds
from sessions.models import Sample, Session

MINUTE, FIVE_MINUTES = 60, 300
MOST_SAMPLES = 2_000
# From raw samples to one for four hours.
GRAINS = (1, 15, MINUTE, FIVE_MINUTES, 900, 3_600, 14_400, 86_400)


class Bucket(Func):
    """The number of the bucket that an instant lies in; `grain` is its length in seconds."""

    output_field = BigIntegerField()

    def __init__(self, at: Any, *, grain: int) -> None:
        super().__init__(at, grain=grain)

    template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / %(grain)d)"

    def as_sqlite(self, compiler, connection, **context):  # type: ignore[no-untyped-def]
        template = "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER) / %(grain)d"
        return self.as_sql(compiler, connection, template=template, **context)


@dataclass(frozen=True, slots=True)
class SampleView:
    """What the engine used: the highest of each within the grain that begins about `at`."""

    at: datetime
    cpu_milli_percent: int
    memory_bytes: int
    network_rx_bytes: int
    network_tx_bytes: int


@dataclass(frozen=True, slots=True)
class Samples:
    """At most MOST_SAMPLES and in order; each stands for `grain_seconds`, 1 for what was sent."""

    grain_seconds: int
    rows: tuple[SampleView, ...]


def minute_from(at: datetime) -> datetime:
    """Samples before it are thinned to a minute: the start of a bucket."""
    return _floor(at - timedelta(hours=settings.SAMPLES_FINE_HOURS), MINUTE)


def five_minutes_from(at: datetime) -> datetime:
    """Samples before it are thinned to five minutes."""
    return _floor(at - timedelta(days=settings.SAMPLES_MINUTE_DAYS), FIVE_MINUTES)


def gone_from(at: datetime) -> datetime:
    """Samples before it are deleted."""
    return at - timedelta(days=settings.SAMPLES_KEPT_DAYS)


def _floor(at: datetime, grain: int) -> datetime:
    return at - timedelta(seconds=to_seconds(at) % grain, microseconds=at.microsecond)


def samples_of(session: Session, until: datetime, at: datetime) -> Samples:
    """Those of the session up to `until`, as they stand at `at`, in one statement.

    The grain is the same for the whole session: the thinnest part of it decides.
    """
    grain = _grain(session, until, at)
    buckets = (
        Sample.objects.filter(organization=session.organization_id, session=session)
        .filter(at__gte=gone_from(at))
        .annotate(bucket=Bucket("at", grain=grain))
        .values("bucket")
        .annotate(
            first=Min("at"),
            cpu=Max("cpu_milli_percent"),
            memory=Max("memory_bytes"),
            received=Max("network_rx_bytes"),
            sent=Max("network_tx_bytes"),
        )
        .order_by("bucket")[:MOST_SAMPLES]
    )
    return Samples(
        grain,
        tuple(
            SampleView(row["first"], row["cpu"], row["memory"], row["received"], row["sent"])
            for row in buckets
        ),
    )


def _grain(session: Session, until: datetime, at: datetime) -> int:
    least = 1
    if session.created_at < minute_from(at):
        least = MINUTE
    if session.created_at < five_minutes_from(at):
        least = FIVE_MINUTES
    span = to_seconds(until) - to_seconds(session.created_at)
    fitting = (grain for grain in GRAINS if grain >= least and span < grain * MOST_SAMPLES)
    return next(fitting, GRAINS[-1])
