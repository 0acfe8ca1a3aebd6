"""What an activity page was asked for: the filters in its address, and what they let through."""

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from offload_portal.pages import activity_links as links
from orgs.enums import PrivacyMode
from orgs.frames import Frame
from orgs.models import Organization
from orgs.privacy import LEAST_GROUP, is_enough
from orgs.selectors import members_matching
from orgs.selectors.teams import team_names
from orgs.services.looks import note_look
from sessions.forms import ActivityChoice, ActivityForm
from sessions.selectors import filter_in
from sessions.selectors.scope import Scope
from usage.selectors import billing_period

MOST_SUGGESTED = 200
Numbers = Callable[[HttpRequest, Frame, ActivityChoice, Scope], Mapping[str, Any]]


def answer(request: HttpRequest, frame: Frame, name: str, numbers: Numbers) -> HttpResponse:
    """The page `name` (a route of `pages` and its template) with what `numbers` finds."""
    if "" in request.GET.values():  # a form sends its empty fields too
        return redirect(request.path + links.with_parameters(request.GET))
    form = form_of(request, frame)
    template = f"pages/{name}.html"
    context = _context(request, frame, form, name)
    if not form.is_valid():
        return render(request, template, context)
    scope = scope_of(frame, form.choice)
    if scope.is_aggregate and not is_enough(scope.people()):
        return render(request, template, {**context, "too_few": LEAST_GROUP})
    note_look_at(frame, scope, name)
    found = numbers(request, frame, form.choice, scope)
    return render(request, template, {**context, "choice": form.choice, **found})


def form_of(request: HttpRequest, frame: Frame) -> ActivityForm:
    chosen = filter_in(frame.membership)
    teams = team_names(frame.organization) if frame.membership.sees_everything else None
    return ActivityForm(
        request.GET,
        chosen=chosen,
        at=frame.at,
        zone=frame.zone,
        billing=lambda: billing_period(frame.organization),
        organization=frame.organization,
        teams=teams,
    )


def scope_of(frame: Frame, choice: ActivityChoice) -> Scope:
    """What is added up: also what isn't listed, where insights are in aggregate."""
    chosen = choice.sessions.for_sums()
    return Scope(frame.organization, chosen, choice.period, frame.zone, frame.at)


def note_look_at(frame: Frame, scope: Scope, what: str) -> None:
    """Keep in the audit log that somebody looked at what named people did."""
    if not scope.sees_everyone:
        return
    people = scope.chosen.people
    note_look(
        actor=frame.actor,
        at=frame.at,
        organization=frame.organization,
        what=what,
        person_id=next(iter(people)) if people and len(people) == 1 else None,
    )


def _context(request: HttpRequest, frame: Frame, form: ActivityForm, name: str) -> dict[str, Any]:
    sees = frame.membership.sees_everything
    mode = frame.organization.privacy
    return frame.context(
        form=form,
        kept=[("period", value) for value in request.GET.getlist("period")[-1:]],
        own=not sees,
        lists_own=not sees or mode == PrivacyMode.AGGREGATE,
        privacy=mode if sees else PrivacyMode.NAMED,
        presets=links.presets(request.GET, form.period_key(form.data)),
        chips=links.chips(request.GET, form),
        people=_suggested(frame.organization)
        if "user" in form.fields and mode == PrivacyMode.NAMED
        else (),
        has_user="user" in form.fields,
        has_team="team" in form.fields,
        clear_url=request.path,
        views=_views(request, frame, name),
        choice=None,
        summary=None,
    )


def _views(request: HttpRequest, frame: Frame, name: str) -> list[Mapping[str, Any]]:
    """The pages beside each other; the filters come along."""
    pages = [
        ("activity", _("Summary")),
        ("activity_times", _("Times")),
        ("activity_cost", _("Cost")),
        ("activity_outcomes", _("Outcomes")),
    ]
    if frame.membership.sees_everything:
        pages.append(("activity_advice", _("Advice")))
    query = links.with_parameters(request.GET)
    return [
        {
            "label": label,
            "url": reverse(f"pages:{page}", args=[frame.organization.slug]) + query.rstrip("?"),
            "current": page == name,
            "count": None,
        }
        for page, label in pages
    ]


def _suggested(organization: Organization) -> list[tuple[str, str]]:
    """Addresses and names that the field for a user offers; others may be typed."""
    rows = members_matching(organization).values_list("person__email", "person__name")
    return list(rows[:MOST_SUGGESTED])
