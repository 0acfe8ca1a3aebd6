"""What an on-demand setting means, before it is made and when it is (product.md rule 19)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from usage.enums import OnDemand
from usage.models import Allowance
from usage.pools import OnDemand as OnDemandValue
from usage.pools import OnDemandMode
from usage.selectors.allowances import AllowanceView


@dataclass(frozen=True, slots=True)
class Setting:
    """An on-demand setting. `limit_microusd` is per period, and only with a limit."""

    mode: OnDemand
    limit_microusd: int | None
    let_finish: bool = False

    @property
    def bound(self) -> int | None:
        """What may be used in a period, in micro-dollars; off is 0, None is without a bound."""
        if self.mode == OnDemand.UNLIMITED:
            return None
        return 0 if self.mode == OnDemand.OFF else self.limit_microusd

    def is_below(self, used_microusd: int) -> bool:
        return self.bound is not None and self.bound < used_microusd

    def lowers(self, before: "Setting") -> bool:
        """Does it allow less than before, to sessions that start or to those that run?"""
        if before.let_finish and not self.let_finish:
            return True
        if self.bound is None:
            return False
        return before.bound is None or self.bound < before.bound


def setting_of(allowance: Allowance | AllowanceView) -> Setting:
    """What is in force."""
    return Setting(
        OnDemand(allowance.on_demand_mode),
        allowance.on_demand_limit_microusd,
        allowance.let_finish,
    )


def effective_instant(
    before: Setting, after: Setting, used_microusd: int, at: datetime, *, at_once: bool
) -> datetime:
    """When a change takes effect: lowered under what is used after the notice, else at once."""
    if at_once or not after.lowers(before) or not after.is_below(used_microusd):
        return at
    return at + timedelta(seconds=settings.LIMIT_NOTICE_SECONDS)


@dataclass(frozen=True, slots=True)
class LimitEffect:
    """What a setting would do to an allowance, in compute-seconds; None is without a bound."""

    effective_at: datetime
    left_compute_seconds: int | None
    ends_sessions: bool  # running ones, at `effective_at`
    refuses_starts: bool


def limit_effect(
    view: AllowanceView, after: Setting, at: datetime, *, at_once: bool = False
) -> LimitEffect:
    """From an allowance that was read, without changing anything."""
    used = view.on_demand.used_microusd
    ahead = (view.committed.left_compute_seconds or 0) + (view.top_up.left_compute_seconds or 0)
    value = OnDemandValue(OnDemandMode(after.mode), after.limit_microusd, used, after.let_finish)
    more = value.payable(view.rate_microusd or 0) if value.is_on else 0
    left = None if more is None else ahead + more
    return LimitEffect(
        effective_at=effective_instant(setting_of(view), after, used, at, at_once=at_once),
        left_compute_seconds=left,
        ends_sessions=left == 0 and not after.let_finish,
        refuses_starts=left is not None and left < settings.RESERVE_SECONDS,
    )
