"""What the overview says in sentences and sums: until when, what it cost, where it is heading."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from usage.enums import OnDemand
from usage.selectors import AllowanceView


@dataclass(frozen=True, slots=True)
class Costs:
    """Micro-dollars of the period: on-demand so far, and by its end at the last week's pace."""

    so_far: int
    expected: int | None
    limit: int | None


def day_text(at: datetime) -> str:
    return date_format(timezone.localtime(at), pgettext("date format", "j M Y"))


def lasts_text(view: AllowanceView) -> str:
    """Until when there is compute time at the present rate."""
    if view.usable_until is None:
        return ""
    end = day_text(view.usable_until)
    if view.left_compute_seconds == 0:
        return _("Nothing is left until %(end)s.") % {"end": end}
    if not view.burn_week.used:
        return _("Nothing was used in the last week. This is there until %(end)s.") % {"end": end}
    if view.left_compute_seconds is None:
        return _("On-demand usage has no limit. The period ends on %(end)s.") % {"end": end}
    if view.forecast_at is not None:
        return _("At the pace of the last week it is used up about %(day)s, before %(end)s.") % {
            "day": day_text(view.forecast_at),
            "end": end,
        }
    return _("At the pace of the last week it lasts until %(end)s.") % {"end": end}


def costs_of(view: AllowanceView) -> Costs:
    """What lies beyond what was paid ahead, and not beyond what the limit lets happen."""
    so_far = view.on_demand.used_microusd + view.over_limit_microusd
    limit = view.on_demand_limit_microusd
    forecast = view.forecast_compute_seconds
    if forecast is None or view.rate_microusd is None:
        return Costs(so_far, None, limit)
    ahead = (view.committed.left_compute_seconds or 0) + (view.top_up.left_compute_seconds or 0)
    beyond = max(0, forecast - view.figures_used - ahead)
    if view.on_demand_mode == OnDemand.OFF:
        beyond = 0
    elif view.on_demand.left_compute_seconds is not None and not view.let_finish:
        beyond = min(beyond, view.on_demand.left_compute_seconds)
    return Costs(so_far, so_far + beyond * view.rate_microusd, limit)


def is_paid_ahead(view: AllowanceView) -> bool:
    """Whether the next second comes from the commitment or a top-up."""
    return bool(view.committed.left_compute_seconds or view.top_up.left_compute_seconds)
