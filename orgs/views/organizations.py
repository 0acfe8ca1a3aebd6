"""A new organization, and its settings."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from offload_portal.common.periods import cut_to_second
from offload_portal.common.refusals import Refusal
from orgs import services
from orgs.forms import OrganizationForm, SettingsForm, blame
from orgs.frames import SEERS, Frame, actor_of, organization_page, person_of
from orgs.policies import check_can_change_settings
from orgs.selectors import organizations_of
from orgs.selectors.second_factor import members_without
from orgs.views.hints import why_not


@login_required
def create(request: HttpRequest) -> HttpResponse:
    """One step after signing up: the organization that pays."""
    person = person_of(request)
    form = OrganizationForm(request.POST or None, initial={"zone": person.zone or "UTC"})
    if request.method == "POST" and form.is_valid():
        at = cut_to_second(timezone.now())
        try:
            made = services.create_organization(
                actor=actor_of(request), at=at, person=person, **form.cleaned_data
            )
        except Refusal as refusal:
            blame(form, refusal)
        else:
            return redirect("pages:overview", made.slug)
    context = {"form": form, "organizations": organizations_of(person)}
    return render(request, "orgs/create.html", context, status=400 if form.errors else 200)


@organization_page("settings", roles=SEERS)
def settings(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Name, zone, address and what is asked at sign-in: owners change them, editors see them."""
    organization = frame.organization
    initial = {
        name: getattr(organization, name)
        for name in ("name", "zone", "slug", "billing_contact", "privacy", "requires_second_factor")
    }
    form = SettingsForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            kept = {name: form.cleaned_data[name] or None for name in ("slug", "privacy")}
            wanted = {**form.cleaned_data, **kept}
            saved = services.update_organization(
                actor=frame.actor, at=frame.at, organization=organization, **wanted
            )
        except Refusal as refusal:
            if not refusal.errors:
                raise
            blame(form, refusal)
        else:
            messages.success(request, _("The settings are saved."))
            return redirect("orgs:settings", saved.slug)
    hint = why_not(check_can_change_settings, frame)
    context = frame.context(form=form, hint=hint, without=members_without(organization))
    return render(request, "orgs/settings.html", context, status=400 if form.errors else 200)
