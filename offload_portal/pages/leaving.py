"""One's own data and the way out: download, deleting oneself, deleting an organization."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from offload_portal.common.json_stream import json_download
from offload_portal.common.periods import cut_to_second
from offload_portal.common.refusals import Refusal
from orgs.frames import OWNERS, Frame, actor_of, organization_page, person_of
from orgs.selectors import organizations_of
from orgs.selectors.erasing import lone_ownerships, organization_loss
from orgs.services.people import note_export
from sessions import services
from sessions.models import Session
from sessions.selectors.own_data import everything_of


@require_safe
@login_required
def own_data(request: HttpRequest) -> HttpResponse:
    """What may be taken along, and how to go."""
    return render(request, "account/own_data.html", {"organization": None})


@require_POST
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth has no types
def download(request: HttpRequest) -> HttpResponseBase:
    """Everything that the portal knows of oneself, as JSON, sent while it is read."""
    person = person_of(request)
    at = cut_to_second(timezone.now())
    note_export(actor=actor_of(request), at=at, person=person)
    return json_download(everything_of(person), f"offload-portal-{at:%Y-%m-%d}.json")


@login_required
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth has no types
def delete_account(request: HttpRequest) -> HttpResponse:
    """First what will be lost, then, with one's own address typed, the end."""
    person = person_of(request)
    typed = request.POST.get("email", "").strip().lower()
    error = ""
    if request.method == "POST":
        if typed == person.email.lower():
            return _delete_account(request)
        error = _("Type your own address, %(email)s.") % {"email": person.email}
    return _deletion_page(request, error, typed)


def _delete_account(request: HttpRequest) -> HttpResponse:
    try:
        services.erase_person(
            actor=actor_of(request), at=cut_to_second(timezone.now()), person=person_of(request)
        )
    except Refusal as refusal:
        return _deletion_page(request, refusal.sentence, "")
    logout(request)
    messages.success(request, _("Your account is deleted."))
    return redirect("account_login")


def _deletion_page(request: HttpRequest, error: str, typed: str) -> HttpResponse:
    person = person_of(request)
    context = {
        "organization": None,
        "organizations": organizations_of(person),
        "alone": lone_ownerships(person),
        "running": Session.objects.running().filter(person=person).count(),
        "error": error,
        "typed": typed,
    }
    return render(request, "account/delete.html", context, status=400 if error else 200)


@organization_page("settings", roles=OWNERS)
def delete_organization(request: HttpRequest, frame: Frame) -> HttpResponseBase:
    """First what will be lost and by whom, then, with the address typed, the end."""
    answer: HttpResponseBase = _delete_organization(request, frame)
    return answer


@reauthentication_required  # type: ignore[untyped-decorator]  # allauth has no types
def _delete_organization(request: HttpRequest, frame: Frame) -> HttpResponse:
    organization = frame.organization
    typed = request.POST.get("slug", "").strip().lower()
    error = ""
    if request.method == "POST":
        if typed == organization.slug:
            services.delete_organization(actor=frame.actor, at=frame.at, organization=organization)
            message = _("%(name)s is deleted.") % {"name": organization.name}
            messages.success(request, message)
            return redirect("pages:home")
        error = _("Type the organization's address, %(slug)s.") % {"slug": organization.slug}
    running = Session.objects.for_organization(organization).running().count()
    context = frame.context(
        loss=organization_loss(organization), running=running, error=error, typed=typed
    )
    status = 400 if error else 200
    return render(request, "orgs/delete.html", context, status=status)
