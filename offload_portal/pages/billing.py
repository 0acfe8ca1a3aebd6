"""Usage & billing: what may be used, what was used and by whom, at which rates."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from offload_portal.pages.alerts import shown_alerts
from offload_portal.pages.billing_use import breakdown_context, period_start
from orgs.frames import Frame, organization_page
from orgs.selectors import contacts
from sessions.selectors.caps import shown_caps
from usage import charts
from usage.selectors import (
    AllowanceView,
    allowance_of,
    limit_history,
    rates_in_force,
    use_by_day,
)
from usage.selectors.caps import own_caps

MOST_LIMITS = 5


@require_safe
@organization_page("billing")
def billing(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Members see what is left and who can change it; owners and editors see everything."""
    view = allowance_of(frame.organization, frame.at)
    context = {"view": view, "lasts": lasts_text(view), "subscription": view.subscription}
    context["reconciled"] = view.reconciled
    context["open_alerts"] = shown_alerts(frame)
    start = period_start(frame, view.period_start)
    context.update(breakdown_context(request, frame, start))
    if not frame.membership.sees_usage:
        people = [contact.name for contact in contacts(frame.organization)]
        context["own_caps"] = (
            own_caps(frame.organization, frame.membership.person_id, frame.at)
            if view.has_caps
            else []
        )
        return render(request, "billing/member.html", frame.context(people=people, **context))
    return render(
        request, "billing/billing.html", frame.context(**context, **_report(frame, view, start))
    )


def _report(frame: Frame, view: AllowanceView, start: datetime) -> dict[str, Any]:
    """The present period, or where there is none the last 30 days."""
    # The second that runs belongs to it; what comes after it isn't there yet.
    end = frame.at + timedelta(seconds=1)
    days = use_by_day(frame.organization.pk, start, end, frame.zone)
    history = limit_history(frame.organization, frame.at, most=50)
    return {
        "days_chart": charts.usage_by_day(days),
        "left_chart": charts.burn_down(view, days, frame.zone, frame.at),
        "used": sum(day.compute_seconds for day in days),
        "cost": sum(day.cost_microusd for day in days),
        "rates": rates_in_force(view, frame.at),
        "limit_to_come": next((one for one in history if one.state == "to_come"), None),
        "history": history[:MOST_LIMITS],
        "caps": shown_caps(frame.organization, frame.at) if view.has_caps else [],
        "has_period": view.period_start is not None,
    }


def lasts_text(view: AllowanceView) -> str:
    """One sentence under the bar: until when, at the present rate."""
    if view.usable_until is None:
        return ""
    if view.left_compute_seconds == 0:
        return _("Nothing is left: starts are refused until more is bought or a period begins.")
    if view.forecast_at is not None:
        day = date_format(view.forecast_at, pgettext("date format", "j M Y"))
        return _("At the pace of the last week it runs out on %(day)s.") % {"day": day}
    day = date_format(view.usable_until, pgettext("date format", "j M Y"))
    if not view.burn_week.used:
        return _("It can be used until %(day)s.") % {"day": day}
    return _("It lasts until %(day)s at the pace of the last week.") % {"day": day}
