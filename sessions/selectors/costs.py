"""Cost by month, by source, and by whom or what, beside the period before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from offload_portal.common.periods import Period, day_start
from sessions.selectors.scope import Scope
from usage.selectors import Grain, GroupBy, Grouping, UsageRow, UsageSums, usage_rows
from usage.selectors.days import use_by_day, use_by_source
from usage.selectors.groups import BY_SOURCE
from usage.selectors.ledger import SourceUse
from usage.selectors.reports import usage_rows_of

MONTHS = 12


@dataclass(frozen=True, slots=True)
class CostRow:
    """A member, a team, a size, an image or a label's value: its use now and before."""

    group: str
    label: str
    now: UsageSums
    before: UsageSums

    @property
    def grown_by(self) -> int:
        """Compute-seconds more than before."""
        return self.now.compute_seconds - self.before.compute_seconds


@dataclass(frozen=True, slots=True)
class MonthOfUse:
    """A calendar month of the zone, from `first` to `last`, both included."""

    first: date
    last: date
    by_source: Mapping[str, SourceUse]

    @property
    def compute_seconds(self) -> int:
        return sum(sums.compute_seconds for sums in self.by_source.values())

    @property
    def cost_microusd(self) -> int:
        return sum(sums.cost_microusd for sums in self.by_source.values())

    def compute_seconds_of(self, source: str) -> int:
        return self.by_source.get(source, SourceUse()).compute_seconds


def cost_rows(scope: Scope, group_by: GroupBy | Grouping) -> tuple[CostRow, ...]:
    """Most compute time first, then those that only the period before has. Three statements."""
    now, before = (
        {(row.group, row.label): row.sums for row in rows} for rows in _both(scope, group_by)
    )
    keys = [*now, *(key for key in before if key not in now)]
    return tuple(
        CostRow(*key, now.get(key, UsageSums()), before.get(key, UsageSums())) for key in keys
    )


def sources_of(scope: Scope) -> tuple[dict[str, SourceUse], dict[str, SourceUse]]:
    """What each source paid in the period and in the one before. One statement."""
    if scope.is_everything:
        now, before = use_by_source(scope.organization.pk, [scope.period, scope.before])
        return now, before
    rows_now, rows_before = _both(scope, BY_SOURCE)
    return (
        {row.group: _use(row.sums) for row in rows_now},
        {row.group: _use(row.sums) for row in rows_before},
    )


def _both(
    scope: Scope, group_by: GroupBy | Grouping
) -> tuple[tuple[UsageRow, ...], tuple[UsageRow, ...]]:
    questions = [scope.question(), scope.question(scope.before)]
    now, before = usage_rows_of(questions, Grain.WHOLE, group_by)
    return now, before


def months_of(scope: Scope) -> tuple[MonthOfUse, ...]:
    """The twelve months up to now from the first with use on. One statement."""
    today = scope.at.astimezone(scope.zone).date()
    number = today.year * 12 + today.month - 1
    firsts = [_first(number - back) for back in reversed(range(MONTHS))]
    whole = Period(day_start(scope.zone, firsts[0]), scope.at + timedelta(seconds=1))
    found = _by_month(scope, whole)
    used = [first for first in firsts if first >= min(found, default=today)]
    return tuple(
        MonthOfUse(first, _first(_number(first) + 1) - timedelta(days=1), found.get(first, {}))
        for first in used
    )


def _by_month(scope: Scope, whole: Period) -> dict[date, dict[str, SourceUse]]:
    """By the month's first day. One statement."""
    found: dict[date, dict[str, SourceUse]] = {}
    if scope.is_everything:
        for day in use_by_day(scope.organization.pk, whole.start, whole.end, scope.zone):
            month = found.setdefault(day.day.replace(day=1), {}) if day.by_source else {}
            for source, use in day.by_source.items():
                month[source] = month.get(source, SourceUse()).plus(use)
        return found
    for row in usage_rows(scope.question(whole), Grain.MONTH, BY_SOURCE):
        first = row.start.astimezone(scope.zone).date().replace(day=1)
        found.setdefault(first, {})[row.group] = _use(row.sums)
    return found


def _use(sums: UsageSums) -> SourceUse:
    return SourceUse(sums.seconds, sums.compute_seconds, sums.cost_microusd)


def _number(first: date) -> int:
    return first.year * 12 + first.month - 1


def _first(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)
