"""Caps of teams and people: made, changed and lifted, with what that does before it does.

Every change goes through `sessions.services.set_cap`, which meters the organization first.
"""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from offload_portal.common.refusals import Refusal
from orgs.frames import PAYERS, Frame, organization_page
from orgs.models import Membership
from orgs.selectors import team_names
from orgs.views.parsing import identifier_or_none
from sessions.selectors.caps import CapEffect, shown_caps
from sessions.selectors.hindsight import Hindsight, hindsight_of_cap
from sessions.services import preview_cap, set_cap
from usage.enums import CapScope
from usage.forms import CapForm
from usage.selectors.caps import CapSubject, CapView, cap_history, find_cap
from usage.services.caps import cap_subject

HOUR = 3_600


@organization_page("billing", roles=PAYERS)
def new_cap(request: HttpRequest, frame: Frame) -> HttpResponse:
    """A cap for a team or a person; one that there is already is changed."""
    teams = [(str(key), name) for key, name in team_names(frame.organization)]
    form = CapForm(request.POST or None, teams=teams, initial=_asked_for(request, frame))
    return _edited(request, frame, form, None)


@organization_page("billing", roles=PAYERS)
def edit_cap(request: HttpRequest, frame: Frame, cap_id: uuid.UUID) -> HttpResponse:
    """How much it is; whom it is for stays."""
    cap = find_cap(frame.organization, cap_id, frame.at)
    shown = next(row for row in shown_caps(frame.organization, frame.at) if row.id == cap_id)
    limit = cap.limit_compute_seconds
    initial = {"hours": "" if limit is None else f"{limit // HOUR:,}"}
    form = CapForm(request.POST or None, teams=[], initial=initial).for_known()
    return _edited(request, frame, form, shown)


def _asked_for(request: HttpRequest, frame: Frame) -> dict[str, Any]:
    """`?team=` or `?person=` come from the pages of both."""
    team, person = request.GET.get("team", ""), identifier_or_none(request.GET.get("person", ""))
    if person is not None:
        rows = Membership.objects.for_organization(frame.organization).filter(person_id=person)
        found = rows.select_related("person").first()
        return {"scope": CapScope.PERSON, "email": found.person.email if found else ""}
    return {"scope": CapScope.TEAM, "team": team}


def _edited(
    request: HttpRequest, frame: Frame, form: CapForm, shown: CapView | None
) -> HttpResponse:
    context: dict[str, Any] = {"effect": None, "before": None}
    if request.method == "POST" and form.is_valid():
        subject = _subject(frame, form, shown)
        change = _change(frame, form, subject) if subject else None
        effect = _effect(form, change) if change else None
        if subject and change and effect:
            if _is_settled(request, effect) and _saved(request, form, change):
                return redirect("pages:limits", slug=frame.organization.slug)
            context = {"effect": effect, "before": _before(frame, subject, change)}
    context |= {
        "form": form,
        "cap": shown,
        "history": cap_history(frame.organization, frame.at, cap_id=shown.id) if shown else (),
    }
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "billing/cap.html", frame.context(**context), status=status)


def _is_settled(request: HttpRequest, effect: CapEffect) -> bool:
    """Nothing is ended without a word, and who only looks changes nothing."""
    return "preview" not in request.POST and ("confirm" in request.POST or not effect.ends)


def _effect(form: CapForm, change: dict[str, Any]) -> CapEffect | None:
    """What it would do; a refusal is shown in the form."""
    try:
        return preview_cap(**change)
    except Refusal as refusal:
        form.refuse(refusal)
        return None


def _before(frame: Frame, subject: CapSubject, change: dict[str, Any]) -> Hindsight | None:
    limit = change["limit_compute_seconds"]
    return hindsight_of_cap(frame.organization, subject.scope, subject.subject_id, limit)


def _subject(frame: Frame, form: CapForm, shown: CapView | None) -> CapSubject | None:
    if shown is not None:
        return CapSubject(CapScope(shown.scope), shown.subject_id)
    values = form.cleaned_data
    if values["scope"] == CapScope.TEAM:
        return cap_subject(frame.organization, CapScope.TEAM, uuid.UUID(values["team"]))
    rows = Membership.objects.for_organization(frame.organization)
    found = rows.filter(person__email__iexact=values["email"]).order_by("pk").first()
    if found is None:
        form.add_error("email", _("Nobody in the organization has this address."))
        return None
    return CapSubject(CapScope.PERSON, found.person_id)


def _change(frame: Frame, form: CapForm, subject: CapSubject) -> dict[str, Any]:
    return {
        "actor": frame.actor,
        "at": frame.at,
        "organization": frame.organization,
        "scope": subject.scope,
        "subject_id": subject.subject_id,
        "limit_compute_seconds": form.cleaned_data["hours"],
        "reason": form.cleaned_data["reason"],
        "at_once": form.cleaned_data["at_once"],
    }


def _saved(request: HttpRequest, form: CapForm, change: dict[str, Any]) -> bool:
    try:
        version = set_cap(**change)
    except Refusal as refusal:
        form.refuse(refusal)
        return False
    if version.effective_at > version.recorded_at:
        messages.warning(request, _("The cap takes effect after the notice."))
    else:
        messages.success(request, _("The cap is set."))
    return True


@organization_page("billing", roles=PAYERS)
def lift_cap(request: HttpRequest, frame: Frame, cap_id: uuid.UUID) -> HttpResponse:
    """Say what lifting it does, and lift it."""
    cap = find_cap(frame.organization, cap_id, frame.at)
    if request.method == "POST":
        set_cap(
            actor=frame.actor,
            at=frame.at,
            organization=frame.organization,
            scope=cap.scope,
            subject_id=cap.subject_id,
            limit_compute_seconds=None,
        )
        messages.success(request, _("The cap is lifted."))
        return redirect("pages:limits", slug=frame.organization.slug)
    shown = next(row for row in shown_caps(frame.organization, frame.at) if row.id == cap_id)
    return render(request, "billing/cap_lift.html", frame.context(cap=shown))
