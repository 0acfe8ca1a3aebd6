"""Samples are thinned with age, and what was kept long enough is deleted (product.md rule 27).

Each organization has marks of how far that has come, so that a run finds only what is new. It
goes in slices of time, each a transaction of its own: a run that is cut off loses one. Deleting
twice deletes nothing, and thinning what is thin changes nothing, so a run may come twice or late.
"""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Min, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from offload_portal.common.periods import from_seconds, to_seconds
from sessions.models import BuildRun, ContainerRun, Keeping, Sample, Session, Stretch
from sessions.selectors.keeping import runs_gone_from
from sessions.selectors.samples import (
    FIVE_MINUTES,
    MINUTE,
    Bucket,
    five_minutes_from,
    gone_from,
    minute_from,
)

logger = logging.getLogger(__name__)

# How much time one transaction looks at, and how many of them one run makes at most.
SLICE = timedelta(hours=1)
MOST_SLICES = 2_000
# A client's clock may stand so far beside ours, and so its samples beside the session.
SKEW = timedelta(hours=1)
LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Chore:
    """`mark` is the field of Keeping; `before` says from the instant how far it may come.

    `do` gets an organization's identifier and a half-open stretch of time.
    """

    mark: str
    before: Callable[[datetime], datetime]
    do: Callable[[uuid.UUID, datetime, datetime], None]


def tidy(*, at: datetime) -> int:
    """Thin and delete what its age asks for; says how many slices of time were done.

    What one run does not get to, the next one does: whoever is furthest behind comes first.
    """
    _begin()
    done = 0
    for organization in Keeping.objects.order_by("minutes_until", "pk").values_list(
        "pk", flat=True
    ):
        try:
            done += _organization(organization, at, MOST_SLICES - done)
        except Exception:  # one failure does not stop the others
            logger.exception("What is kept of organization %s could not be tidied", organization)
        if done >= MOST_SLICES:
            break
    return done


def _begin() -> None:
    """Marks for organizations that have sessions and none yet, at their first session."""
    known = Keeping.objects.values("pk")
    rows = Session.objects.exclude(organization__in=known).values("organization_id")
    firsts = rows.annotate(first=Min("created_at")).order_by("organization_id")
    new = []
    for row in firsts:
        marks = {chore.mark: _bucket_of(row["first"]) for chore in CHORES}
        new.append(Keeping(organization_id=row["organization_id"], **marks))
    Keeping.objects.bulk_create(new, ignore_conflicts=True)


def _organization(organization: uuid.UUID, at: datetime, most: int) -> int:
    done = 0
    for chore in CHORES:
        while done < most and _slice(organization, chore, chore.before(at)):
            done += 1
    return done


@transaction.atomic
def _slice(organization: uuid.UUID, chore: Chore, until: datetime) -> bool:
    """The next slice of one chore; False where nothing is left to do. One at a time."""
    keeping = Keeping.objects.select_for_update().get(pk=organization)
    since: datetime = getattr(keeping, chore.mark)
    if since >= until:
        return False
    end = min(_end_of_slice(organization, since), until)
    chore.do(organization, since, end)
    Keeping.objects.filter(pk=organization).update(**{chore.mark: end})
    return True


def _end_of_slice(organization: uuid.UUID, since: datetime) -> datetime:
    """Where no session was, the slice reaches to the next one's start: always a bucket's start."""
    end = since + SLICE
    if _sessions(organization, since, end).exists():
        return end
    later = Session.objects.filter(organization=organization, created_at__gte=end + SKEW)
    start = later.aggregate(first=Min("created_at"))["first"]
    return LAST if start is None else max(end, _bucket_of(start))


def _bucket_of(start: datetime) -> datetime:
    """A full five minutes before which a session of that start has no sample."""
    seconds = to_seconds(start - SKEW)
    return from_seconds(seconds - seconds % FIVE_MINUTES)


def _sessions(organization: uuid.UUID, since: datetime, until: datetime) -> QuerySet[Session]:
    """Those of which some part lies in the stretch."""
    going_on = Q(ended_at=None) | Q(ended_at__gte=since - SKEW)
    return Session.objects.filter(going_on, organization=organization, created_at__lt=until + SKEW)


def _samples(organization: uuid.UUID, since: datetime, until: datetime) -> QuerySet[Sample]:
    """By the sessions, as the key begins with them."""
    sessions = _sessions(organization, since, until).values("pk")
    return Sample.objects.filter(
        organization=organization, session__in=sessions, at__gte=since, at__lt=until
    )


def _thin(grain: int) -> Callable[[uuid.UUID, datetime, datetime], None]:
    """Of each bucket keep the sample with the most processor and that with the most memory."""

    def do(organization: uuid.UUID, since: datetime, until: datetime) -> None:
        ranked = _samples(organization, since, until).annotate(
            by_cpu=_rank("cpu_milli_percent", grain), by_memory=_rank("memory_bytes", grain)
        )
        _delete_rows(ranked.filter(by_cpu__gt=1, by_memory__gt=1))

    return do


def _delete_rows(chosen: QuerySet[Sample]) -> None:
    """In one statement. Django's own would rank each row among itself alone: it correlates."""
    keys = chosen.values("organization_id", "session_id", "at")
    which, values = keys.query.get_compiler(connection=connection).as_sql()
    table = connection.ops.quote_name(Sample._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {table} WHERE (organization_id, session_id, at) IN ({which})",  # noqa: S608 - its own names, values apart
            values,
        )


def _rank(name: str, grain: int) -> Window:
    """The highest of a bucket is number 1; of equals the earliest."""
    return Window(
        RowNumber(),
        partition_by=[F("session_id"), Bucket("at", grain=grain)],
        order_by=[F(name).desc(), F("at").asc()],
    )


def _delete_samples(organization: uuid.UUID, since: datetime, until: datetime) -> None:
    _samples(organization, since, until).delete()


def _delete_runs(organization: uuid.UUID, since: datetime, until: datetime) -> None:
    """By the end of the session: what still runs needs its stretches. Its sums stay."""
    ended = Session.objects.filter(
        organization=organization, ended_at__gte=since, ended_at__lt=until
    ).values("pk")
    for model in (Stretch, ContainerRun, BuildRun):
        model.objects.filter(organization=organization, session__in=ended).delete()


CHORES = (
    Chore("minutes_until", minute_from, _thin(MINUTE)),
    Chore("five_minutes_until", five_minutes_from, _thin(FIVE_MINUTES)),
    Chore("samples_gone_until", gone_from, _delete_samples),
    Chore("runs_gone_until", runs_gone_from, _delete_runs),
)
