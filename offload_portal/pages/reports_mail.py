"""What a scheduled report says: the activity page of the last week or month, as a letter."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from offload_portal.common.chart_pictures import picture_of
from offload_portal.common.chart_theme import Chart
from offload_portal.common.periods import Period
from offload_portal.pages.activity import figures_of
from offload_portal.pages.activity_links import chips, with_parameters
from orgs.enums import PrivacyMode
from orgs.models import Membership
from orgs.privacy import is_enough, pseudonym_of
from orgs.selectors.teams import team_names
from orgs.zones import zone_or_utc
from sessions import charts
from sessions.charts import costs
from sessions.forms import ActivityForm
from sessions.models import ScheduledReport
from sessions.selectors import activity_summary, filter_in
from sessions.selectors.costs import cost_rows
from sessions.selectors.scope import Scope
from sessions.services.reports import report_period
from usage.selectors import GroupBy

MOST_ROWS = 8
# A mail has no room for all: name, sessions, compute time, change, cost.
COST_COLUMNS = (0, 1, 2, 5, 6)
IMAGE_COLUMNS = (0, 1, 2, 3)


def letter_for(report: ScheduledReport, reader: Membership) -> dict[str, Any]:
    """The facts of `templates/emails/activity_report`, in the reader's language.

    The reader was read with person and organization. Everything is as of the instant at which the
    report is due, so that a late one says the same.
    """
    zone = zone_or_utc(report.zone)
    language = reader.person.language or settings.LANGUAGE_CODE
    with translation.override(language), timezone.override(zone):
        return _letter(report, reader, zone)


def _letter(report: ScheduledReport, reader: Membership, zone: ZoneInfo) -> dict[str, Any]:
    at = report.next_at
    period = report_period(report.frequency, zone, at)
    asked = asked_of(report, reader, period, zone)
    form = _form(asked, reader, zone, at)
    here = reverse("pages:activity", args=[report.organization.slug])
    facts: dict[str, Any] = {
        "organization": report.organization.name,
        "frequency": report.frequency,
        "days": _days(period, zone),
        "zone": str(zone),
        "own": not reader.sees_everything,
        "filters": [[chip.label, chip.value] for chip in chips(asked, form)[1:]],
        "link": settings.PORTAL_URL.rstrip("/") + here + with_parameters(asked),
        "reports_link": settings.PORTAL_URL.rstrip("/")
        + reverse("pages:reports", args=[report.organization.slug]),
        "problem": "",
        "figures": [],
        "pictures": [],
        "tables": [],
    }
    if not form.is_valid():
        return {**facts, "problem": "filters"}
    chosen = form.choice.sessions.for_sums()
    scope = Scope(report.organization, chosen, form.choice.period, zone, at)
    if scope.is_aggregate and not is_enough(scope.people()):
        return {**facts, "problem": "too_few"}
    return facts | _numbers(scope, own=not reader.sees_everything)


def asked_of(
    report: ScheduledReport, reader: Membership, period: Period, zone: ZoneInfo
) -> QueryDict:
    """The address of the page that shows the same: filters, the days, and whose sessions."""
    asked = QueryDict(report.query, mutable=True)
    asked["since"] = period.start.astimezone(zone).date().isoformat()
    asked["until"] = (period.end - timedelta(seconds=1)).astimezone(zone).date().isoformat()
    if report.about is not None and reader.sees_everything:
        named = report.organization.privacy == PrivacyMode.NAMED
        code = pseudonym_of(report.organization.pk, report.about.pk).code
        asked["user"] = report.about.email if named else code
    return asked


def _form(asked: QueryDict, reader: Membership, zone: ZoneInfo, at: datetime) -> ActivityForm:
    organization = reader.organization
    return ActivityForm(
        asked,
        chosen=filter_in(reader),
        at=at,
        zone=zone,
        billing=lambda: None,
        organization=organization,
        teams=team_names(organization) if reader.sees_everything else None,
    )


def _days(period: Period, zone: ZoneInfo) -> list[str]:
    last = period.end - timedelta(seconds=1)
    form = pgettext("date format", "j M Y")
    return [date_format(at.astimezone(zone).date(), form) for at in (period.start, last)]


def _numbers(scope: Scope, *, own: bool) -> dict[str, Any]:
    summary = activity_summary(scope)
    trend = charts.usage_trend_chart(summary.days, summary.days_before)
    images = charts.popular_images_chart(summary.images, summary.figures.images)
    by = GroupBy.ENGINE_SIZE if own else GroupBy.MEMBER
    head = _("Engine size") if own else _("Member")
    used = costs.cost_chart(head, cost_rows(scope, by))
    return {
        "figures": [
            {"label": figure.label, "value": figure.value, "change": figure.change}
            for figure in figures_of(summary)
        ],
        "pictures": [
            *_picture(trend, 480),
            *_picture(used, 470),
            *_picture(images, 330),
        ],
        "tables": [
            _table(chart, columns)
            for chart, columns in ((used, COST_COLUMNS), (images, IMAGE_COLUMNS))
            if chart.rows
        ],
    }


def _picture(chart: Chart, height: int) -> Sequence[Mapping[str, Any]]:
    if not chart.figure:
        return ()
    png = b64encode(picture_of(chart, height=height)).decode()
    return (
        {
            "name": chart.id,
            "title": chart.title,
            "summary": chart.summary,
            "png": png,
            "height": height // 2,
        },
    )


def _table(chart: Chart, columns: Sequence[int]) -> Mapping[str, Any]:
    rows = [[str(row[place]) for place in columns] for row in chart.rows[:MOST_ROWS]]
    return {
        "title": chart.title,
        "headers": [str(chart.headers[place]) for place in columns],
        "rows": rows,
        "more": max(0, len(chart.rows) - MOST_ROWS),
    }
