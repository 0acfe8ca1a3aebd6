"""Usage by time and group, straight from the ledger: one selector for page, API and CSV.

An entry belongs to the hour, day or month in which its UTC hour begins, in the zone asked for.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, DateField, F, QuerySet, Sum, Value
from django.db.models.functions import TruncDate, TruncMonth
from django.utils.translation import gettext as _

from offload_portal.common.periods import Period, cut_to_second, day_start
from orgs.models import Organization, Person
from usage.enums import EntrySource
from usage.models import Allowance, LedgerEntry


class Grain(StrEnum):
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    WHOLE = "whole"  # the range as one


class GroupBy(StrEnum):
    NONE = "none"
    MEMBER = "member"
    ENGINE_SIZE = "engine_size"
    SOURCE = "source"


COLUMNS = {
    GroupBy.MEMBER: "person_id",
    GroupBy.ENGINE_SIZE: "engine_size",
    GroupBy.SOURCE: "source",
}


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """Of which use: the one filter of page, API and CSV. `person_ids` None is everybody."""

    organization: Organization
    start: datetime
    end: datetime
    zone: ZoneInfo
    person_ids: frozenset[uuid.UUID] | None = None

    def entries(self) -> QuerySet[LedgerEntry]:
        entries = LedgerEntry.objects.for_organization(self.organization)
        entries = entries.in_period(self.start, self.end)
        if self.person_ids is not None:
            entries = entries.filter(person_id__in=self.person_ids)
        return entries


@dataclass(frozen=True, slots=True)
class UsageSums:
    """Wall seconds, compute-seconds, micro-dollars, and how many sessions they are of."""

    seconds: int = 0
    compute_seconds: int = 0
    cost_microusd: int = 0
    sessions: int = 0


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One bucket of one group; [start, end) is cut to the range asked for."""

    start: datetime
    end: datetime
    group: str  # an identifier, a size, a source; empty without grouping
    label: str  # what a person reads
    sums: UsageSums


@dataclass(frozen=True, slots=True)
class UsageReport:
    grain: Grain
    group_by: GroupBy
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
    group_by: GroupBy = GroupBy.NONE,
    zone: ZoneInfo | None = None,
    person_ids: Iterable[uuid.UUID] | None = None,
) -> UsageReport:
    """What [start, end) used, with its totals and the second up to which it is known.

    At most four statements. A member's own use is asked for with `person_ids`.
    """
    people = None if person_ids is None else frozenset(person_ids)
    question = UsageQuestion(organization, start, end, zone or ZoneInfo("UTC"), people)
    rows = usage_rows(question, grain, group_by)
    marks = Allowance.objects.filter(pk=organization.pk).values_list("metered_until", flat=True)
    return UsageReport(
        grain=grain,
        group_by=group_by,
        start=start,
        end=end,
        rows=rows,
        totals=usage_sums(question),
        as_of=marks.first(),
    )


def usage_sums(question: UsageQuestion) -> UsageSums:
    """Of the whole range; a session counts once in it."""
    return _sums(question.entries().aggregate(**_aggregates()))


def usage_rows(
    question: UsageQuestion, grain: Grain, group_by: GroupBy = GroupBy.NONE
) -> tuple[UsageRow, ...]:
    """In order of time, then of compute time within one bucket of a whole range, else of group.

    One statement, and one more for members' names.
    """
    if question.start >= question.end:
        return ()
    found: list[Any] = list(
        question.entries()
        .annotate(bucket=_bucket(grain, question.zone), group=_group(group_by))
        .values("bucket", "group")
        .annotate(**_aggregates())
        .order_by("bucket", "group")
    )
    if grain is Grain.WHOLE:
        found.sort(key=lambda row: (-row["compute"], str(row["group"])))
    labels = _labels(group_by, {row["group"] for row in found})
    return tuple(_row(question, grain, row, labels) for row in found)


def _aggregates() -> dict[str, Any]:
    return {
        "wall": Sum("seconds", default=0),
        "compute": Sum("compute_seconds", default=0),
        "cost": Sum("cost_microusd", default=0),
        "sessions": Count("session_id", distinct=True),
    }


def _sums(row: dict[str, Any]) -> UsageSums:
    return UsageSums(row["wall"], row["compute"], row["cost"], row["sessions"])


def _bucket(grain: Grain, zone: ZoneInfo) -> Any:
    if grain is Grain.HOUR:
        return F("hour")
    if grain is Grain.DAY:
        return TruncDate("hour", tzinfo=zone)
    if grain is Grain.MONTH:
        return TruncMonth("hour", tzinfo=zone, output_field=DateField())
    return Value("")


def _group(group_by: GroupBy) -> Any:
    return F(COLUMNS[group_by]) if group_by in COLUMNS else Value("")


def _labels(group_by: GroupBy, groups: set[Any]) -> dict[Any, str]:
    if group_by is GroupBy.SOURCE:
        return {source.value: str(source.label) for source in EntrySource}
    if group_by is GroupBy.MEMBER:
        people = Person.objects.filter(pk__in=groups).values_list("pk", "name", "email")
        names = {key: name or email for key, name, email in people.order_by("pk")}
        return {key: names.get(key, _("Somebody who is gone")) for key in groups}
    return {group: str(group) for group in groups}


def _row(
    question: UsageQuestion, grain: Grain, row: dict[str, Any], labels: dict[Any, str]
) -> UsageRow:
    bounds = bucket_bounds(question, grain, row["bucket"])
    return UsageRow(
        start=bounds.start,
        end=bounds.end,
        group=str(row["group"]),
        label=labels.get(row["group"], str(row["group"])),
        sums=_sums(row),
    )


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
