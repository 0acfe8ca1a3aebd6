"""Stopping every session of an organization at once: what will be lost, then the act."""

from dataclasses import replace

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from offload_portal.pages.live import asked_part, live_page
from orgs.frames import OWNERS, Frame, organization_page, person_of
from sessions import services
from sessions.filters import RUNNING_STATES
from sessions.selectors import filter_for, session_page

SHOWN = 50


@require_http_methods(["GET", "HEAD", "POST"])
@live_page
@organization_page("overview", roles=OWNERS)
def stop_all(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Only owners. Whoever starts while the question stands is stopped by the answer as well."""
    if request.method == "POST":
        return _stop(request, frame)
    running = filter_for(person_of(request), frame.organization.pk)
    running = replace(running, states=frozenset(map(str, RUNNING_STATES)))
    page = session_page(running, at=frame.at, as_of=frame.at, size=SHOWN)
    rows = [row.seen_by(frame.membership.person_id) for row in page.rows]
    context = frame.context(rows=rows, more=page.has_next, shown=SHOWN)
    panel = asked_part(request) == "panel"
    template = "pages/stop_all_panel.html" if panel else "pages/stop_all.html"
    return render(request, template, context)


def _stop(request: HttpRequest, frame: Frame) -> HttpResponse:
    stopped = services.stop_all(
        actor=frame.actor,
        at=frame.at,
        organization=frame.organization,
        person=person_of(request),
    )
    if stopped:
        sentence = ngettext(
            "%(count)s session was stopped; it is billed up to this instant.",
            "%(count)s sessions were stopped; they are billed up to this instant.",
            stopped,
        )
        messages.success(request, sentence % {"count": stopped})
    else:
        messages.info(request, _("No session was running; nothing was changed."))
    return redirect("pages:overview", slug=frame.organization.slug)
