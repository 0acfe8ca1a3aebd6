"""The audit log."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orgs.enums import Event
from orgs.frames import SEERS, Frame, organization_page
from orgs.selectors import AuditFilter, audit_actors, audit_page
from orgs.views.parsing import identifier_or_none

PORTAL_ACTOR = "portal"


@organization_page("audit", roles=SEERS)
def audit(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Who did what, newest first; what was asked for and can't be is left out."""
    event, actor = request.GET.get("event", ""), request.GET.get("actor", "")
    wanted = AuditFilter(
        event=event if event in Event.values else "",
        actor_id=identifier_or_none(actor),
        by_portal=actor == PORTAL_ACTOR,
    )
    page = audit_page(
        frame.organization,
        wanted,
        older_than=identifier_or_none(request.GET.get("older", "")),
        newer_than=identifier_or_none(request.GET.get("newer", "")),
    )
    context = frame.context(
        page=page,
        wanted=wanted,
        filtered=bool(wanted.event or wanted.actor_id or wanted.by_portal),
        events=sorted(Event.choices, key=lambda choice: str(choice[1])),
        actors=audit_actors(frame.organization),
    )
    return render(request, "orgs/audit.html", context)
