"""One session: its page, the side panel, and stopping it."""

import uuid
from dataclasses import dataclass, replace
from typing import Literal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from offload_portal.common.refusals import Refusal, not_found
from offload_portal.pages import session_words as words
from offload_portal.pages.live import asked_part, live_page
from offload_portal.pages.told import told
from orgs.frames import Frame, organization_page
from orgs.services.looks import note_look
from sessions import charts, services
from sessions.charts.timeline import build_text, exit_text, legend_of
from sessions.charts.words import event_text
from sessions.models import Session
from sessions.selectors import Insights, SessionView, find_session_in, insights
from usage.enums import EntrySource

MOST_RUNS_SHOWN = 200
MOST_EVENTS_SHOWN = 100
ANSWERS: dict[str, Literal["stay", "idle"]] = {"stay": "stay", "idle": "idle"}
BACK = {"overview": "pages:overview", "activity": "pages:activity"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one source paid for the session."""

    label: str
    seconds: int
    compute_seconds: int
    microusd: int


def _read(request: HttpRequest, frame: Frame, session_id: uuid.UUID) -> tuple[Session, Insights]:
    """404 for a session of another organization too, whoever asks (rule 2)."""
    session = find_session_in(frame.membership, session_id)
    seen = insights(session, frame.at)
    me = frame.membership.person_id
    if session.person_id != me:
        note_look(
            actor=frame.actor,
            at=frame.at,
            organization=frame.organization,
            what="session",
            person_id=session.person_id,
            session_id=session.pk,
        )
    return session, replace(seen, session=seen.session.seen_by(me))


def _may_stop(frame: Frame, view: SessionView) -> bool:
    own = view.user_id == frame.membership.person_id
    return view.is_running and (own or frame.is_owner)


@require_safe
@live_page
@organization_page("activity")
def session(request: HttpRequest, frame: Frame, id: uuid.UUID) -> HttpResponse:  # noqa: A002  # the route's name
    """The whole page, its head or its pictures while it runs, or the side panel."""
    found, seen = _read(request, frame, id)
    context = frame.context(**_head(frame, found, seen))
    part = asked_part(request)
    if part == "session-head":
        response = render(request, "pages/session_head.html", context)
        if not seen.session.is_running:
            response.headers["HX-Refresh"] = "true"  # the rest of the page changes with it
        return response
    if part == "panel":
        return render(request, "pages/session_panel.html", context | _pictures(frame, seen))
    context |= _pictures(frame, seen)
    template = "pages/session_body.html" if part == "session-body" else "pages/session.html"
    return render(request, template, context)


def _head(frame: Frame, found: Session, seen: Insights) -> dict[str, object]:
    view = seen.session
    return {
        "session": view,
        "url": reverse("pages:session", args=[frame.organization.slug, view.id]),
        "told": told(frame, view.notices),
        "why": words.why(found, view, seen.kept_alive_by, seen.ended_by),
        "prompt_text": words.prompt_text(view, own=view.user_id == frame.membership.person_id),
        "costs": _costs(seen),
        "unpaid_seconds": seen.unpaid_seconds,
        "may_stop": _may_stop(frame, view),
        "own": view.user_id == frame.membership.person_id,
        "labels": sorted(view.labels.items()),
        "client": _client(view),
    }


def _client(view: SessionView) -> str:
    parts = [view.client.get(name) for name in ("kind", "version", "os", "arch")]
    return " ".join(str(part) for part in parts if part)


def _costs(seen: Insights) -> list[Cost]:
    """In the order of draw-down, so that what was paid ahead comes first."""
    return [
        Cost(str(source.label), use.seconds, use.compute_seconds, use.cost_microusd)
        for source in EntrySource
        if (use := seen.cost_by_source.get(source.value)) is not None
    ]


def _pictures(frame: Frame, seen: Insights) -> dict[str, object]:
    runs = seen.runs
    return {
        "timeline": charts.timeline_chart(seen, frame.zone),
        "legend": legend_of(seen),
        "resources": charts.resources_chart(seen, frame.zone),
        "runs": [(run, exit_text(run)) for run in runs[:MOST_RUNS_SHOWN]],
        "builds": [(build, build_text(build)) for build in seen.builds[:MOST_RUNS_SHOWN]],
        "builds_more": max(0, len(seen.builds) - MOST_RUNS_SHOWN),
        "runs_more": max(0, len(runs) - MOST_RUNS_SHOWN),
        "runs_shown": MOST_RUNS_SHOWN,
        "events": [
            (event, event_text(event.kind), _detail(event.kind, event.detail))
            for event in seen.events[:MOST_EVENTS_SHOWN]
        ],
        "events_more": max(0, len(seen.events) - MOST_EVENTS_SHOWN),
    }


def _detail(kind: str, detail: str) -> str:
    """An end's reason stands in the head as a sentence."""
    return "" if kind == "ended" else detail


@require_http_methods(["GET", "HEAD", "POST"])
@live_page
@organization_page("activity")
def session_stop(request: HttpRequest, frame: Frame, id: uuid.UUID) -> HttpResponse:  # noqa: A002  # the route's name
    """Asks first and says what will be lost; then stops it and goes back to where one was."""
    found, seen = _read(request, frame, id)
    if seen.session.is_running and not _may_stop(frame, seen.session):
        raise _not_theirs(frame)
    if not seen.session.is_running:
        messages.info(request, _("The session has ended already; nothing was changed."))
        return _back(request, frame, seen.session)
    if request.method != "POST":
        context = frame.context(
            **_head(frame, found, seen), losses=words.losses(seen), back=request.GET.get("back", "")
        )
        panel = asked_part(request) == "panel"
        template = "pages/session_stop_panel.html" if panel else "pages/session_stop.html"
        return render(request, template, context)
    services.stop(actor=frame.actor, at=frame.at, session=found, membership=frame.membership)
    messages.success(request, _("The session was stopped; it is billed up to this instant."))
    return _back(request, frame, seen.session)


@require_POST
@organization_page("activity")
def session_answer(request: HttpRequest, frame: Frame, id: uuid.UUID) -> HttpResponse:  # noqa: A002  # the route's name
    """The developer's answer to the prompt that is due, as their client would give it."""
    found, seen = _read(request, frame, id)
    if seen.session.user_id != frame.membership.person_id:
        raise not_found()
    answer = ANSWERS.get(request.POST.get("answer", ""))
    if answer is None:
        sentence = _("Answer “stay” or “idle”.")
        raise Refusal("invalid", sentence, 400)
    try:
        services.answer_prompt(actor=frame.actor, at=frame.at, session=found, answer=answer)
    except Refusal as refusal:
        if refusal.code not in ("no_prompt_due", "session_ended"):
            raise
        messages.info(request, refusal.sentence)
    return redirect("pages:session", slug=frame.organization.slug, id=seen.session.id)


def _not_theirs(frame: Frame) -> Refusal:
    sentence = _("Only its user or an owner of the organization can stop a session.")
    return Refusal("not_an_owner", sentence, 403)


def _back(request: HttpRequest, frame: Frame, view: SessionView) -> HttpResponse:
    """To the page that the button stood on; an unknown name leads to the session itself."""
    name = BACK.get(request.POST.get("back", ""))
    if name is not None:
        return redirect(name, slug=frame.organization.slug)
    return redirect("pages:session", slug=frame.organization.slug, id=view.id)
