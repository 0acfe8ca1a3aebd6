"""Usage by time and group, straight from the ledger: one selector for page, API and CSV.

Use belongs to the hour, day or month, in the zone asked for, in which its quarter of a UTC hour
begins (`usage.selectors.parts`).
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import DateField, F, QuerySet, Value
from django.db.models.functions import TruncDate, TruncMonth
from django.utils.translation import gettext as _

from offload_portal.common.periods import Period, cut_to_second, day_start
from orgs.enums import PrivacyMode
from orgs.models import Organization
from orgs.privacy import LEAST_GROUP, is_enough
from usage.models import Allowance, LedgerEntry
from usage.selectors.groups import (
    BY_ENGINE_SIZE,
    BY_MEMBER,
    BY_SOURCE,
    BY_TEAM,
    NOT_GROUPED,
    Grouping,
    Meanings,
)
from usage.selectors.parts import Piece, as_day, as_instant, pieces, sums_of_parts


class Grain(StrEnum):
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    WHOLE = "whole"  # the range as one


class GroupBy(StrEnum):
    NONE = "none"
    MEMBER = "member"
    TEAM = "team"
    ENGINE_SIZE = "engine_size"
    SOURCE = "source"


GROUPINGS = {
    GroupBy.NONE: NOT_GROUPED,
    GroupBy.MEMBER: BY_MEMBER,
    GroupBy.TEAM: BY_TEAM,
    GroupBy.ENGINE_SIZE: BY_ENGINE_SIZE,
    GroupBy.SOURCE: BY_SOURCE,
}


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """Of which use: the one filter of page, API and CSV. `person_ids` None is everybody.

    `session_ids` is a query of the sessions that count, None for all. `viewer_id` is who asks: what
    they see of others follows the organization's `privacy`.
    """

    organization: Organization
    start: datetime
    end: datetime
    zone: ZoneInfo
    person_ids: frozenset[uuid.UUID] | None = None
    session_ids: QuerySet[Any, Any] | None = None
    viewer_id: uuid.UUID | None = None

    @property
    def counts_people(self) -> bool:
        """Whether groups are folded, which takes knowing how many people they are of."""
        if self.organization.privacy != PrivacyMode.AGGREGATE:
            return False
        return self.viewer_id is None or self.person_ids != frozenset({self.viewer_id})

    def entries(self, piece: Piece) -> QuerySet[LedgerEntry]:
        """Those of a piece of the range."""
        entries = LedgerEntry.objects.for_organization(self.organization)
        entries = entries.in_period(piece.start, piece.end)
        if self.person_ids is not None:
            entries = entries.filter(person_id__in=self.person_ids)
        if self.session_ids is not None:
            entries = entries.filter(session_id__in=self.session_ids)
        return entries


@dataclass(frozen=True, slots=True)
class UsageSums:
    """Wall seconds, compute-seconds, micro-dollars, how many sessions and people they are of."""

    seconds: int = 0
    compute_seconds: int = 0
    cost_microusd: int = 0
    sessions: int = 0
    people: int = 0


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One bucket of one group; [start, end) is cut to the range asked for."""

    start: datetime
    end: datetime
    group: str  # an identifier, a size, a source; empty without grouping
    label: str  # what a person reads
    sums: UsageSums


# Groups too small to be shown, where insights are in aggregate.
FOLDED = "folded"


def folded(rows: Iterable[UsageRow], *, apart: bool) -> list[UsageRow]:
    """Groups of fewer than five people become one in each bucket, with as many more as it takes.

    So that nobody finds a small group by taking the others from the whole. A bucket of fewer than
    five people is left out. `apart` says that nobody is in two groups; where somebody may be, the
    largest group is all that is known of the people of several.
    """
    buckets: dict[datetime, list[UsageRow]] = {}
    for row in rows:
        buckets.setdefault(row.start, []).append(row)
    found: list[UsageRow] = []
    for bucket in buckets.values():
        bucket.sort(key=lambda row: -row.sums.people)
        small: list[UsageRow] = []
        while bucket and (
            not is_enough(bucket[-1].sums.people)
            or (small and not is_enough(_people(small, apart=apart)))
        ):
            small.append(bucket.pop())
        found += bucket
        if small and is_enough(_people(small, apart=apart)):
            found.append(_one(small, apart=apart))
    return found


def _people(rows: Sequence[UsageRow], *, apart: bool) -> int:
    counts = [row.sums.people for row in rows]
    return sum(counts) if apart else max(counts)


def _one(rows: Sequence[UsageRow], *, apart: bool) -> UsageRow:
    whole = rows[0].sums
    for row in rows[1:]:
        whole = _both(whole, row.sums)
    sums = replace(whole, people=_people(rows, apart=apart))
    label = _("Groups of fewer than %(count)s people, together") % {"count": LEAST_GROUP}
    return UsageRow(rows[0].start, rows[0].end, FOLDED, label, sums)


@dataclass(frozen=True, slots=True)
class UsageReport:
    grain: Grain
    group_by: str  # the name of the grouping
    start: datetime
    end: datetime
    rows: tuple[UsageRow, ...]
    totals: UsageSums
    as_of: datetime | None


def usage_by(
    organization: Organization,
    start: datetime,
    end: datetime,
    *,
    grain: Grain = Grain.DAY,
    group_by: GroupBy | Grouping = GroupBy.NONE,
    zone: ZoneInfo | None = None,
    person_ids: Iterable[uuid.UUID] | None = None,
    viewer_id: uuid.UUID | None = None,
) -> UsageReport:
    """What [start, end) used, with its totals and the second up to which it is known.

    At most four statements. A member's own use is asked for with `person_ids`.
    """
    people = None if person_ids is None else frozenset(person_ids)
    question = UsageQuestion(
        organization, start, end, zone or ZoneInfo("UTC"), people, viewer_id=viewer_id
    )
    rows = usage_rows(question, grain, group_by)
    marks = Allowance.objects.filter(pk=organization.pk).values_list("metered_until", flat=True)
    return UsageReport(
        grain=grain,
        group_by=grouping_of(group_by).name,
        start=start,
        end=end,
        rows=rows,
        totals=usage_sums(question),
        as_of=marks.first(),
    )


def grouping_of(group_by: GroupBy | Grouping) -> Grouping:
    return GROUPINGS[group_by] if isinstance(group_by, GroupBy) else group_by


def usage_sums(question: UsageQuestion) -> UsageSums:
    """Of the whole range; a session counts once in it."""
    found = _found([question], Grain.WHOLE, NOT_GROUPED)[0]
    return found[0][2] if found else UsageSums()


def usage_rows(
    question: UsageQuestion, grain: Grain, group_by: GroupBy | Grouping = GroupBy.NONE
) -> tuple[UsageRow, ...]:
    """In order of time, then of compute time within one bucket of a whole range, else of group.

    One statement, and one more for members' names or their teams.
    """
    return usage_rows_of([question], grain, group_by)[0]


def usage_rows_of(
    questions: Sequence[UsageQuestion], grain: Grain, group_by: GroupBy | Grouping
) -> list[tuple[UsageRow, ...]]:
    """The rows of each question of one organization and asker.

    One statement, and one more for all their members' names or teams.
    """
    grouping = grouping_of(group_by)
    found = _found(questions, grain, grouping)
    values = {value for each in found for _at, value, _sums in each}
    first = questions[0]
    meanings = grouping.meanings(first.organization, values, first.viewer_id)
    return [
        _rows(question, grain, grouping, each, meanings)
        for question, each in zip(questions, found, strict=True)
    ]


def _rows(
    question: UsageQuestion,
    grain: Grain,
    grouping: Grouping,
    found: Sequence["Found"],
    meanings: Meanings,
) -> tuple[UsageRow, ...]:
    sums: dict[tuple[Any, str, str], UsageSums] = {}
    for bucket, value, more in found:
        group, label = meanings[value]
        sums[bucket, group, label] = _both(sums.get((bucket, group, label), UsageSums()), more)
    rows = [_row(question, grain, *key, one) for key, one in sums.items()]
    if question.counts_people and grouping is not NOT_GROUPED:
        rows = folded(rows, apart=grouping.is_key)
    if grain is Grain.WHOLE:
        rows.sort(key=lambda row: (-row.sums.compute_seconds, row.label, row.group))
    else:
        rows.sort(key=lambda row: (row.start, row.group))
    return tuple(rows)


def _both(one: UsageSums, other: UsageSums) -> UsageSums:
    return replace(
        one,
        seconds=one.seconds + other.seconds,
        compute_seconds=one.compute_seconds + other.compute_seconds,
        cost_microusd=one.cost_microusd + other.cost_microusd,
        sessions=one.sessions + other.sessions,
        people=one.people + other.people,
    )


Found = tuple[Any, Any, UsageSums]  # the bucket, the grouping's value, their sums


def _found(
    questions: Sequence[UsageQuestion], grain: Grain, grouping: Grouping
) -> list[list[Found]]:
    """What each question finds; several are asked of whole ranges only."""
    if grain is not Grain.WHOLE and len(questions) > 1:
        raise ValueError("Ask several questions of whole ranges.")
    parts = [
        (
            piece,
            question.entries(piece).annotate(
                bucket=_bucket(grain, question.zone, piece.at, number), group=grouping.column
            ),
        )
        for number, question in enumerate(questions)
        if question.start < question.end
        for piece in pieces(question.start, question.end, question.zone)
    ]
    found: list[list[Found]] = [[] for _question in questions]
    for bucket, value, *sums in sums_of_parts(parts, people=questions[0].counts_people):
        number = int(bucket) if grain is Grain.WHOLE else 0
        found[number].append((_plain(grain, bucket), _key(grouping, value), UsageSums(*sums)))
    return found


def _bucket(grain: Grain, zone: ZoneInfo, at: Any, number: int) -> Any:
    """Of a whole range it is the number of the question."""
    if grain is Grain.HOUR:
        return F("hour")
    if grain is Grain.DAY:
        return TruncDate(at, tzinfo=zone)
    if grain is Grain.MONTH:
        return TruncMonth(at, tzinfo=zone, output_field=DateField())
    return Value(str(number))


def _plain(grain: Grain, bucket: Any) -> Any:
    """A composed query's bucket, which SQLite gives as text."""
    if grain is Grain.WHOLE:
        return ""
    if grain is Grain.HOUR:
        return as_instant(bucket)
    return as_day(bucket)


def _key(grouping: Grouping, value: Any) -> Any:
    return uuid.UUID(str(value)) if grouping.is_key else value


def _row(
    question: UsageQuestion, grain: Grain, bucket: Any, group: str, label: str, sums: UsageSums
) -> UsageRow:
    bounds = bucket_bounds(question, grain, bucket)
    return UsageRow(bounds.start, bounds.end, group, label, sums)


def bucket_bounds(question: UsageQuestion, grain: Grain, bucket: Any) -> Period:
    """The bucket's half-open bounds in UTC, cut to the range asked for."""
    start, end = cut_to_second(question.start), cut_to_second(question.end)
    if grain is Grain.WHOLE:
        return Period(start, end)
    if grain is Grain.HOUR:
        begins = bucket.astimezone(UTC)
        ends = begins + timedelta(hours=1)
    else:
        begins = day_start(question.zone, bucket)
        ends = day_start(question.zone, _next(grain, bucket))
    return Period(max(begins, start), max(begins, start, min(ends, end)))


def _next(grain: Grain, bucket: date) -> date:
    if grain is Grain.DAY:
        return bucket + timedelta(days=1)
    months = bucket.year * 12 + bucket.month
    return date(months // 12, months % 12 + 1, 1)
