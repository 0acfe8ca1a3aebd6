"""Policies for teams and people, and what holds for one member."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from offload_portal.common.refusals import Refusal, not_found
from orgs.forms import PolicyForm, blame
from orgs.frames import OWNERS, Frame, organization_page
from orgs.models import Membership, Person
from orgs.policy_forms import OverrideForm, initial_of_override
from orgs.selectors import contacts, policy_of, policy_terms
from orgs.selectors.overrides import override
from orgs.services import overrides
from orgs.views.policy_words import sources_in_words


@organization_page("policy", roles=OWNERS)
def add(request: HttpRequest, frame: Frame) -> HttpResponse:
    """A new policy: filled in, looked at, saved."""
    terms = policy_terms(frame.organization)
    initial = {**PolicyForm.initial_of(terms), "sets": []}
    form = OverrideForm(frame.organization, frame.zone, request.POST or None, initial=initial)
    return _answer(request, frame, form, None)


@organization_page("policy", roles=OWNERS)
def change(request: HttpRequest, frame: Frame, policy_id: uuid.UUID) -> HttpResponse:
    row = override(frame.organization, frame.at, policy_id)
    initial = initial_of_override(row, policy_terms(frame.organization), frame.zone)
    form = OverrideForm(frame.organization, frame.zone, request.POST or None, initial=initial)
    return _answer(request, frame, form, policy_id)


def _answer(
    request: HttpRequest, frame: Frame, form: OverrideForm, policy_id: uuid.UUID | None
) -> HttpResponse:
    preview = None
    if request.method == "POST" and form.is_valid():
        try:
            if request.POST.get("step") == "save":
                return _saved(request, frame, form, policy_id)
            preview = overrides.preview_override(
                actor=frame.actor,
                at=frame.at,
                organization=frame.organization,
                policy_id=policy_id,
                change=form.override(),
            )
        except Refusal as refusal:
            if refusal.status not in (400, 409):
                raise
            blame(form, _with_minutes(refusal))
    context = frame.context(form=form, preview=preview, policy_id=policy_id)
    status = 400 if form.errors else 200
    return render(request, "orgs/override.html", context, status=status)


def _saved(
    request: HttpRequest, frame: Frame, form: OverrideForm, policy_id: uuid.UUID | None
) -> HttpResponse:
    order: dict[str, Any] = {
        "actor": frame.actor,
        "at": frame.at,
        "organization": frame.organization,
        "change": form.override(),
    }
    if policy_id is None:
        overrides.add_override(**order)
    else:
        overrides.change_override(**order, policy_id=policy_id)
    messages.success(request, _("The policy is saved. Clients fetch it within the hour."))
    return redirect("orgs:policy", frame.organization.slug)


def _with_minutes(refusal: Refusal) -> Refusal:
    """The form asks for minutes where the policy has seconds, and has one field for whom."""
    renamed = {
        "longest_session_seconds": "longest_session_minutes",
        "keep_alive_most_seconds": "keep_alive_most_minutes",
        "targets": "people",
        "terms": "sets",
    }
    errors = {renamed.get(name, name): said for name, said in refusal.errors.items()}
    return Refusal(refusal.code, refusal.sentence, refusal.status, errors=errors)


@organization_page("policy", roles=OWNERS)
def remove(request: HttpRequest, frame: Frame, policy_id: uuid.UUID) -> HttpResponse:
    """Show whom it would concern, then take it away."""
    row = override(frame.organization, frame.at, policy_id)
    order: dict[str, Any] = {
        "actor": frame.actor,
        "at": frame.at,
        "organization": frame.organization,
        "policy_id": policy_id,
    }
    if request.method == "POST":
        overrides.remove_override(**order)
        messages.success(request, _("The policy is removed."))
        return redirect("orgs:policy", frame.organization.slug)
    preview = overrides.preview_override(**order, change=None)
    return render(request, "orgs/override_remove.html", frame.context(row=row, preview=preview))


@require_safe
@organization_page("overview")
def own(request: HttpRequest, frame: Frame) -> HttpResponse:
    """What holds for the reader, and why."""
    return _of(request, frame, frame.membership.person_id)


@require_safe
@organization_page("members")
def of_member(request: HttpRequest, frame: Frame, person_id: uuid.UUID) -> HttpResponse:
    """What holds for a member, and why; members see only their own."""
    if not frame.membership.sees_everything and person_id != frame.membership.person_id:
        raise not_found()
    return _of(request, frame, person_id)


def _of(request: HttpRequest, frame: Frame, person_id: uuid.UUID) -> HttpResponse:
    if not Membership.objects.filter(organization=frame.organization, person_id=person_id).exists():
        raise not_found()
    person = Person.objects.get(pk=person_id)
    holds = policy_of(frame.organization, person, frame.at)
    context = frame.context(
        person=person,
        own=person.pk == frame.membership.person_id,
        terms=holds.terms,
        rows=sources_in_words(holds),
        contacts=contacts(frame.organization),
    )
    return render(request, "orgs/policy_of.html", context)
