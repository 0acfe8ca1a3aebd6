"""What an allowance's row says of the time to come: the instants that notices go by (rule 19)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings

from offload_portal.common.periods import DAY, from_seconds, to_seconds
from usage.changes import Change, PeriodBoundary, PoolAdded
from usage.drawdown import Book, Drawn
from usage.enums import PoolKind
from usage.forecast import Onward, forecast
from usage.models import Allowance
from usage.pools import Pool, Source
from usage.rates import RateTable
from usage.services.periods import going_on, next_terms

FIELDS = ("on_demand_since", "spent_at", "sessions_end_at", "ends_by_limit")
# What the meter may be late by before a notice is.
SLACK_SECONDS = 600


def horizon(at: datetime) -> datetime:
    """How far ahead is looked: the earliest notice, and a while for a meter that is late."""
    earliest = max(*settings.NOTICE_SECONDS, settings.LIMIT_NOTICE_SECONDS)
    return at + timedelta(seconds=earliest + SLACK_SECONDS)


def foresee(
    allowance: Allowance,
    book: Book,
    limits: Sequence[Change],
    sessions: Sequence[Onward],
    at: datetime,
) -> None:
    """Set on the row, which the caller saves, when nothing is left and when sessions end for it.

    `book` is what is true at `at`, `limits` those that are known to come into force after it.
    """
    until = horizon(at)
    rates, period = _next_period(allowance, book.rates, at, until)
    ahead = forecast(
        replace(book, rates=rates),
        [*period, *limits],
        sessions,
        to_seconds(at),
        to_seconds(until),
    )
    allowance.spent_at = kept(allowance.spent_at, ahead.spent_at, at)
    allowance.sessions_end_at = kept(allowance.sessions_end_at, ahead.ends_at, at)
    allowance.ends_by_limit = ahead.by_limit


def kept(before: datetime | None, seconds: int | None, at: datetime) -> datetime | None:
    """Where nothing has been left for a while, since when; not the instant of this look."""
    if seconds is None:
        return None
    if before is not None and before <= at and seconds == to_seconds(at):
        return before
    return from_seconds(seconds)


def _next_period(
    allowance: Allowance, rates: RateTable, at: datetime, until: datetime
) -> tuple[RateTable, list[Change]]:
    """What the period that begins within the window brings, before the meter opens it."""
    boundary = allowance.period_end
    if boundary is None or not at < boundary < until:
        return rates, []
    subscription = going_on(allowance, boundary)
    if subscription is None:
        return rates, []
    begins = to_seconds(boundary)
    found: list[Change] = [PeriodBoundary(begins)]
    plan, committed = next_terms(subscription)
    if plan.pk != subscription.plan_id:
        kept = tuple(rate for rate in rates.rates if rate[0] < begins)
        rates = RateTable((*kept, (begins, plan.on_demand_rate_microusd)))
    if not subscription.is_trial:
        pool = Pool(
            id="next period",
            source=Source(PoolKind.COMMITTED),
            left=committed,
            starts_at=begins,
            expires_at=begins + DAY,  # beyond the window, whatever the period's length
            order=0,
        )
        found.append(PoolAdded(begins, 0, pool))
    return rates, found


def note_payer(allowance: Allowance, drawn: Drawn) -> datetime | None:
    """Note since when on-demand pays; give the instant if that began in the window.

    Where nothing was paid it stays: who pays next is then not known.
    """
    if drawn.paying is None:
        return None
    source, since = drawn.paying
    if source is not Source.ON_DEMAND:
        allowance.on_demand_since = None
        return None
    if allowance.on_demand_since is not None and not _any(drawn.pool_draws):
        return None
    allowance.on_demand_since = from_seconds(since)
    return allowance.on_demand_since


def _any(draws: Mapping[str, int]) -> bool:
    return any(draws.values())
