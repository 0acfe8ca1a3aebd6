"""The overview: may we work, who works now, what does it cost, what needs me."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from offload_portal.pages import overview_needs as needs
from offload_portal.pages import overview_numbers as numbers
from offload_portal.pages.alerts import shown_alerts
from offload_portal.pages.get_started import brings_own_engine, start_of
from offload_portal.pages.home import remember
from offload_portal.pages.live import asked_part, live_page
from offload_portal.pages.start_commands import Step, machine_steps, metering_steps, session_steps
from offload_portal.pages.told import told
from orgs.enums import PrivacyMode
from orgs.frames import Frame, organization_page
from orgs.selectors import first_steps
from orgs.services.looks import note_look
from sessions.charts import course_chart
from sessions.models import Session
from sessions.selectors import SessionPage, SessionView, filter_in, session_page
from sessions.selectors.accounts import account_view
from usage.selectors import AllowanceView, allowance_of, use_by_day

SHOWN = 12
RECENT = 5
ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class RunningRow:
    """A running session and whether the reader may stop it."""

    session: SessionView
    may_stop: bool


@require_safe
@live_page
@organization_page("overview")
def overview(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Owners and editors see the organization, members their own work."""
    chosen = filter_in(frame.membership)
    page = session_page(chosen, at=frame.at, as_of=frame.at, size=SHOWN)
    context = frame.context(**_running(frame, page))
    if chosen.everyone_in and page.rows:
        note_look(actor=frame.actor, at=frame.at, organization=frame.organization, what="overview")
    if asked_part(request) == "running":
        return render(request, "pages/running.html", context)
    remember(request, frame.organization.slug)
    if not frame.membership.sees_everything:
        context |= _own(request, frame, page)
        return render(request, "pages/overview_member.html", context)
    context |= _whole(frame, empty=not page.rows)
    return render(request, "pages/overview.html", context)


def _allowance(view: AllowanceView) -> dict[str, Any]:
    """The first question: may we work, and until when."""
    lasts = numbers.lasts_text(view)
    return {"allowance": view, "subscription": view.subscription, "lasts": lasts}


def _running(frame: Frame, page: SessionPage) -> dict[str, Any]:
    """The first rows of the list are those that run; a full page may leave some out."""
    me = frame.membership.person_id
    rows = [
        RunningRow(row.seen_by(me), frame.is_owner or row.user_id == me)
        for row in page.rows
        if row.is_running
    ]
    more = page.has_next and page.last is not None and page.last.running
    own = not frame.membership.sees_everything
    # Owners see what ends sessions among what needs them.
    notices = [notice for row in rows for notice in row.session.notices] if own else []
    return {
        "running": rows,
        "running_more": more,
        "shown": SHOWN,
        "own": own,
        "unlisted": _unlisted(frame),
        "told": told(frame, notices),
    }


def _unlisted(frame: Frame) -> int | None:
    """How many run in all, where they are not listed one by one; None where they are."""
    in_aggregate = frame.organization.privacy == PrivacyMode.AGGREGATE
    if not in_aggregate or not frame.membership.sees_everything:
        return None
    running = Session.objects.for_organization(frame.organization).running()
    return int(running.count())


def _whole(frame: Frame, *, empty: bool) -> dict[str, Any]:
    view = allowance_of(frame.organization, frame.at)
    steps = first_steps(frame.organization)
    shown = shown_alerts(frame)
    context = {
        **_allowance(view),
        "needs": needs.needs_of(frame, view, steps, shown),
        "costs": numbers.costs_of(view),
        "course": _course(frame, view),
        "checklist": [],
        "start_steps": [],
    }
    if empty and frame.is_owner:
        items = needs.checklist_of(frame, view, steps)
        # The list says what to do, so that nothing is asked for twice.
        context |= {"checklist": items, "start_steps": _steps(frame), "needs": []}
    return context


def _steps(frame: Frame) -> list[Step]:
    """What a first session takes; the whole of it is on the page of its own."""
    start = start_of(frame.organization.slug, several=len(frame.organizations) > 1)
    each_time = metering_steps if brings_own_engine(frame.at) else session_steps
    return [*machine_steps(start), *each_time(start)[:2]]


def _course(frame: Frame, view: AllowanceView) -> Any:
    if view.period_start is None or view.period_end is None:
        return course_chart((), view.figures, timezone.localdate(frame.at))
    until = min(view.period_end, frame.at + ONE_SECOND)
    days = use_by_day(frame.organization.pk, view.period_start, until, frame.zone)
    return course_chart(days, view.figures, timezone.localtime(view.period_end).date())


def _own(request: HttpRequest, frame: Frame, page: SessionPage) -> dict[str, Any]:
    """May I start, and if not, why and whom to ask: what `/accounts` says to clients."""
    running = [row for row in page.rows if row.is_running]
    mine = account_view(frame.membership, running, frame.at)
    refusal = mine.refusal
    return {
        **_allowance(mine.allowance),
        "refusal": refusal,
        "whom": refusal.extra.get("contacts", ()) if refusal else (),
        "policy": mine.account.policy,
        "ahead": numbers.is_paid_ahead(mine.allowance),
        "recent": [row for row in page.rows if not row.is_running][:RECENT],
        "start_steps": _steps(frame),
    }
