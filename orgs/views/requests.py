"""Requests: a member asks, owners answer. A link in a mail leads here and changes nothing."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from offload_portal.common.refusals import Refusal
from orgs.enums import RequestKind
from orgs.forms import blame
from orgs.frames import OWNERS, Frame, organization_page
from orgs.models import Person
from orgs.paging import list_page
from orgs.policies import check_can_answer_requests
from orgs.request_forms import AnswerForm, RequestForm, initial_answer
from orgs.selectors import contacts
from orgs.selectors.requests import RequestRow, find_request, request_rows, requests_in
from orgs.services import requests as services
from orgs.views.hints import why_not

ORDER = ("-created_at", "-id")


def _only_of(frame: Frame) -> Person | None:
    """Whose requests the reader sees: everyone's (None) or their own."""
    return None if frame.membership.sees_everything else frame.membership.person


@require_safe
@organization_page("requests")
def requests(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Owners and editors see all, members their own; open ones may be chosen."""
    only_open = request.GET.get("state") == "open"
    rows = requests_in(
        frame.organization, only_of=_only_of(frame), state="open" if only_open else ""
    )
    page = list_page(
        request,
        rows,
        order=ORDER,
        purpose=f"requests.{frame.organization.pk}.{frame.membership.pk}.{only_open}",
    )
    context = frame.context(page=page, rows=request_rows(page.rows), only_open=only_open)
    return render(request, "orgs/requests.html", context)


@organization_page("requests")
def new(request: HttpRequest, frame: Frame) -> HttpResponse:
    wanted = request.GET.get("kind", "")
    kind = wanted if wanted in RequestKind.values else RequestKind.ACCESS
    form = RequestForm(request.POST or None, initial={"kind": kind})
    if request.method == "POST" and form.is_valid():
        try:
            services.make_request(
                actor=frame.actor,
                at=frame.at,
                organization=frame.organization,
                person=frame.membership.person,
                kind=form.cleaned_data["kind"],
                note=form.cleaned_data["note"],
                wanted_seconds=form.wanted_seconds(),
            )
        except Refusal as refusal:
            if refusal.status not in (400, 409):
                raise
            blame(form, _with_hours(refusal))
        else:
            messages.success(request, _("The owners are told. You will hear from them."))
            return redirect("orgs:requests", frame.organization.slug)
    context = frame.context(form=form, contacts=contacts(frame.organization))
    return render(request, "orgs/request_new.html", context, status=400 if form.errors else 200)


def _with_hours(refusal: Refusal) -> Refusal:
    renamed = {"wanted_seconds": "hours"}
    errors = {renamed.get(name, name): said for name, said in refusal.errors.items()}
    return Refusal(refusal.code, refusal.sentence, refusal.status, errors=errors)


@require_safe
@organization_page("requests")
def one(request: HttpRequest, frame: Frame, request_id: uuid.UUID) -> HttpResponse:
    """One request; owners find the buttons that answer it."""
    row = find_request(frame.organization, request_id, only_of=_only_of(frame))
    form = AnswerForm(row, initial=initial_answer(row, frame.at.astimezone(frame.zone).date()))
    return _shown(request, frame, row, form)


def _shown(request: HttpRequest, frame: Frame, row: RequestRow, form: AnswerForm) -> HttpResponse:
    context = frame.context(
        row=row,
        form=form,
        own=row.person.id == frame.membership.person_id,
        hint=why_not(check_can_answer_requests, frame),
        contacts=contacts(frame.organization),
    )
    return render(request, "orgs/request.html", context, status=400 if form.errors else 200)


@require_POST
@organization_page("requests", roles=OWNERS)
def answer(request: HttpRequest, frame: Frame, request_id: uuid.UUID) -> HttpResponse:
    row = find_request(frame.organization, request_id)
    form = AnswerForm(row, request.POST)
    approve = request.POST.get("step") == "approve"
    if not form.is_valid():
        return _shown(request, frame, row, form)
    try:
        services.answer_request(
            actor=frame.actor,
            at=frame.at,
            organization=frame.organization,
            request_id=request_id,
            answer=form.given(frame.zone, approve=approve),
        )
    except Refusal as refusal:
        if refusal.status != 400:
            raise
        blame(form, _with_longest(refusal))
        return _shown(request, frame, row, form)
    if approve and row.kind == RequestKind.HOURS:
        messages.success(request, _("Your answer is sent. Add the compute time here."))
        return redirect("pages:top_up", frame.organization.slug)
    messages.success(request, _("Your answer is sent."))
    return redirect("orgs:requests", frame.organization.slug)


def _with_longest(refusal: Refusal) -> Refusal:
    renamed = {"longest_session_seconds": "hours"}
    errors = {renamed.get(name, name): said for name, said in refusal.errors.items()}
    return Refusal(refusal.code, refusal.sentence, refusal.status, errors=errors)


@require_POST
@organization_page("requests")
def withdraw(request: HttpRequest, frame: Frame, request_id: uuid.UUID) -> HttpResponse:
    services.withdraw_request(
        actor=frame.actor,
        at=frame.at,
        organization=frame.organization,
        person=frame.membership.person,
        request_id=request_id,
    )
    messages.success(request, _("The request is withdrawn."))
    return redirect("orgs:requests", frame.organization.slug)
