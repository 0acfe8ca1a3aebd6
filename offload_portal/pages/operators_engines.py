"""Engines for operators: hosts, what runs, who waits, and what does not fit together."""

import uuid
from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from offload_portal.pages.live import asked_part, live_page
from offload_portal.pages.operating import OperatorFrame, operator_page
from orgs.frames import person_of
from orgs.selectors import organizations_of
from sessions.enums import EngineState
from sessions.selectors.operating import (
    ALL,
    FAILED,
    EngineFilter,
    EngineRow,
    EnginesNow,
    Trouble,
    engine_of,
    engines_now,
)

PART = "operators-engines"
# The colour of each state's mark.
KINDS = {
    EngineState.WANTED: "notice",
    EngineState.STARTING: "notice",
    EngineState.READY: "good",
    EngineState.LOST: "danger",
    EngineState.STOPPING: "neutral",
    EngineState.REMOVED: "plain",
}
TROUBLES = {
    "engine_without_session": gettext_lazy("The session has ended, and its engine is still there."),
    "session_without_engine": gettext_lazy("The session goes on, and its engine is gone."),
    "host_silent": gettext_lazy("Its host is silent, so nobody knows how the engine is."),
    "not_taken": gettext_lazy("No host has taken it: all are full, or none lives."),
}
CURES = {
    "engine_without_session": gettext_lazy("Its host ends it by itself; look at the host's log."),
    "session_without_engine": gettext_lazy(
        "Stop the session, or let it fall idle; nothing more is billed after that."
    ),
    "host_silent": gettext_lazy("Start manage.py engines there again; it finds its engines."),
    "not_taken": gettext_lazy("Start another host, or raise ENGINE_LOCAL_CAPACITY."),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """An engine with the colour of its state."""

    row: EngineRow
    kind: str


@dataclass(frozen=True, slots=True)
class ShownTrouble:
    trouble: Trouble
    what: str
    cure: str


@require_safe
@live_page
@operator_page("engines")
def engines(request: HttpRequest, frame: OperatorFrame) -> HttpResponse:
    """What was asked for and can't be is left out; the first page asks for itself again."""
    wanted = _wanted(request)
    older, newer = _key(request, "older"), _key(request, "newer")
    now = engines_now(wanted, at=frame.at, older_than=older, newer_than=newer)
    context = frame.context(
        now=now,
        rows=[Shown(row, KINDS[row.state]) for row in now.page.rows],
        troubles=[_shown(trouble) for trouble in now.troubles],
        wanted=wanted,
        states=_states(now),
        hosts=[host.name for host in now.hosts],
        filtered=bool(wanted.state or wanted.host),
        live=older is None and newer is None,
        url=request.get_full_path(),
    )
    part = "operators/engines_live.html" if asked_part(request) == PART else ""
    return render(request, part or "operators/engines.html", context)


def _wanted(request: HttpRequest) -> EngineFilter:
    state = request.GET.get("state", "")
    known = state in EngineState.values or state in (ALL, FAILED)
    return EngineFilter(
        state if known else "", request.GET.get("host", "").replace("\x00", "")[:255]
    )


def _key(request: HttpRequest, name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(request.GET.get(name, ""))
    except ValueError:
        return None


def _states(now: EnginesNow) -> list[tuple[str, str]]:
    """The states to choose from; those that are there with how many there are."""
    labels = {state.value: str(state.label) for state in EngineState}
    counted = [(state, f"{labels[state]} ({count:,})") for state, count in now.states.items()]
    removed = EngineState.REMOVED.value
    return [
        ("", _("There now (%(count)s)") % {"count": f"{now.there:,}"}),
        *counted,
        (FAILED, _("With a failure")),
        (removed, labels[removed]),
        (ALL, _("All that ever were")),
    ]


def _shown(trouble: Trouble) -> ShownTrouble:
    return ShownTrouble(trouble, str(TROUBLES[trouble.kind]), str(CURES[trouble.kind]))


@require_safe
@live_page
@operator_page("engines")
def engine(request: HttpRequest, frame: OperatorFrame, id: uuid.UUID) -> HttpResponse:  # noqa: A002  # the route's name
    """One engine: its start by parts, what was left out, why it failed, its session."""
    row = engine_of(id, frame.at)
    if row is None:
        raise Http404
    places = organizations_of(person_of(request))
    context = frame.context(
        row=row,
        kind=KINDS[row.state],
        # Operators see sessions of organizations that they belong to, and engines of all.
        belongs=any(place.id == row.session.organization_id for place in places),
    )
    panel = asked_part(request) == "panel"
    template = "operators/engine_panel.html" if panel else "operators/engine.html"
    return render(request, template, context)
