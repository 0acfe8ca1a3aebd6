"""Organizations and people for operators: find one, see its state, repair what is safe."""

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from offload_portal.common.refusals import Refusal
from offload_portal.pages.operating import OperatorFrame, operator_page
from offload_portal.pages.operators_forms import OrganizationActForm, PersonActForm
from orgs.forms import blame
from orgs.frames import actor_of
from orgs.models import Organization, Person
from orgs.selectors.operating import (
    acts_on,
    find_organizations,
    find_people,
    organization_found,
    person_state,
)
from orgs.services import operating as people
from orgs.views.parsing import MOST_SEARCHED, identifier_or_none
from sessions.models import Session
from sessions.selectors import SessionView, views_of
from sessions.services import operating
from usage.selectors import allowance_of

MOST_SESSIONS = 50


def _asked(request: HttpRequest) -> tuple[str, uuid.UUID | None]:
    text = request.GET.get("q", "").strip()[:MOST_SEARCHED]
    return text, identifier_or_none(request.GET.get("older", ""))


@require_safe
@operator_page("organizations")
def organizations(request: HttpRequest, frame: OperatorFrame) -> HttpResponse:
    text, older = _asked(request)
    context = frame.context(found=find_organizations(text, older), text=text)
    return render(request, "operators/organizations.html", context)


@require_safe
@operator_page("people")
def persons(request: HttpRequest, frame: OperatorFrame) -> HttpResponse:
    text, older = _asked(request)
    context = frame.context(found=find_people(text, older), text=text)
    return render(request, "operators/people.html", context)


@operator_page("organizations")
def organization(request: HttpRequest, frame: OperatorFrame, id: uuid.UUID) -> HttpResponse:  # noqa: A002
    """State and running sessions; an act with its reason is a POST."""
    row = Organization.objects.filter(pk=id).first()
    if row is None:
        raise Http404
    running = _running(row, frame)
    named = [(str(view.id), f"{view.user_name}, {view.state}") for view in running]
    form = OrganizationActForm(request.POST or None, sessions=named)
    if request.method == "POST" and form.is_valid():
        try:
            messages.success(request, _act_on_organization(request, frame, row, form))
        except Refusal as refusal:
            blame(form, refusal)
        else:
            return redirect("pages:operators_organization", row.pk)
    context = frame.context(
        found=organization_found(row),
        allowance=allowance_of(row, frame.at),
        running=running,
        acts=acts_on(row),
        form=form,
    )
    status = 400 if form.errors else 200
    return render(request, "operators/organization.html", context, status=status)


def _running(row: Organization, frame: OperatorFrame) -> list[SessionView]:
    rows = Session.objects.for_organization(row).running().with_facts().with_notices()
    chosen = rows.select_related("organization", "person").order_by("-created_at", "-id")
    return list(views_of(list(chosen[:MOST_SESSIONS]), frame.at))


def _act_on_organization(
    request: HttpRequest, frame: OperatorFrame, row: Organization, form: OrganizationActForm
) -> str:
    data = form.cleaned_data
    actor, reason = actor_of(request), data["reason"]
    if data["act"] == "meter":
        ended = operating.meter_now(actor=actor, at=frame.at, organization=row, reason=reason)
        return _("Metered to now; sessions that ended: %(ended)s.") % {"ended": ended}
    if data["act"] == "trial":
        operating.lengthen_trial(
            actor=actor, at=frame.at, organization=row, days=data["days"], reason=reason
        )
        return _("The trial lasts %(days)s days longer.") % {"days": data["days"]}
    session = Session.objects.get(pk=data["session"], organization=row)
    operating.end_session(actor=actor, at=frame.at, session=session, reason=reason)
    return _("The session has ended.")


@operator_page("people")
def person(request: HttpRequest, frame: OperatorFrame, id: uuid.UUID) -> HttpResponse:  # noqa: A002
    """State and places; an act with its reason is a POST."""
    row = Person.objects.filter(pk=id).first()
    if row is None:
        raise Http404
    form = PersonActForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            ACTS[form.cleaned_data["act"]](
                actor=actor_of(request),
                at=frame.at,
                person=row,
                reason=form.cleaned_data["reason"],
            )
        except Refusal as refusal:
            blame(form, refusal)
        else:
            messages.success(request, _("Done, and written into the audit log."))
            return redirect("pages:operators_person", row.pk)
    context = frame.context(state=person_state(row), form=form)
    status = 400 if form.errors else 200
    return render(request, "operators/person.html", context, status=status)


ACTS: dict[str, Callable[..., object]] = {
    "sign_in_off": lambda **told: people.switch_sign_in(active=False, **told),
    "sign_in_on": lambda **told: people.switch_sign_in(active=True, **told),
    "second_factor": people.remove_second_factor,
    "operator_on": lambda **told: people.make_operator(operator=True, **told),
    "operator_off": lambda **told: people.make_operator(operator=False, **told),
    "erase": operating.erase,
}
