"""The audit log."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from offload_portal.common.csv_cells import csv_response
from offload_portal.common.periods import day_start
from orgs.enums import Event
from orgs.exports import audit_csv_rows
from orgs.frames import SEERS, Frame, organization_page
from orgs.selectors import AuditFilter, audit_actors, audit_export, audit_page
from orgs.views.parsing import MOST_SEARCHED, identifier_or_none

PORTAL_ACTOR = "portal"
DAY = timedelta(days=1)


@require_safe
@organization_page("audit", roles=SEERS)
def audit(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Who did what, newest first; what was asked for and can't be is left out."""
    wanted = _wanted(request, frame.zone)
    page = audit_page(
        frame.organization,
        wanted,
        older_than=identifier_or_none(request.GET.get("older", "")),
        newer_than=identifier_or_none(request.GET.get("newer", "")),
    )
    asked = request.GET.copy()
    for name in ("older", "newer"):
        asked.pop(name, None)
    context = frame.context(
        page=page,
        wanted=wanted,
        since=_day(request, "from"),
        until=_day(request, "to"),
        filtered=wanted.is_narrowed,
        query=asked.urlencode(),
        events=sorted(Event.choices, key=lambda choice: str(choice[1])),
        actors=audit_actors(frame.organization),
    )
    return render(request, "orgs/audit.html", context)


@require_safe
@organization_page("audit", roles=SEERS)
def audit_csv(request: HttpRequest, frame: Frame) -> HttpResponseBase:
    """The same entries as the page with these filters shows, all of them."""
    rows = audit_export(frame.organization, _wanted(request, frame.zone))
    return csv_response(audit_csv_rows(rows), f"{frame.organization.slug}-audit.csv")


def _wanted(request: HttpRequest, zone: ZoneInfo) -> AuditFilter:
    event, actor = request.GET.get("event", ""), request.GET.get("actor", "")
    first, last = _day(request, "from"), _day(request, "to")
    return AuditFilter(
        event=event if event in Event.values else "",
        actor_id=identifier_or_none(actor),
        by_portal=actor == PORTAL_ACTOR,
        subject_id=identifier_or_none(request.GET.get("subject", "")),
        text=request.GET.get("q", "").strip()[:MOST_SEARCHED],
        since=_start(zone, first),
        until=_start(zone, last + DAY if last else None),
    )


def _day(request: HttpRequest, name: str) -> date | None:
    """A day of the years that the log can hold, or None."""
    try:
        day = date.fromisoformat(request.GET.get(name, ""))
    except ValueError:
        return None
    return day if 2000 <= day.year < 2100 else None


def _start(zone: ZoneInfo, day: date | None) -> datetime | None:
    return day_start(zone, day) if day else None
