"""Access: to whom it is granted, the pool, the queue."""

import uuid
from collections.abc import Collection

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from orgs import services
from orgs.enums import GrantKind
from orgs.frames import OWNERS, SEERS, Frame, organization_page
from orgs.models import License, LicenseGrant
from orgs.policies import check_can_change_access
from orgs.selectors import access_overview, who_gains, who_loses
from orgs.selectors.previews import grants_in
from orgs.views.dealt import dealt
from orgs.views.hints import why_not


@require_safe
@organization_page("access", roles=SEERS)
def access(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Mode, pool, grants to teams, and the queue; members are in the member list."""
    grants = grants_in(frame.organization, frame.at)
    context = frame.context(
        access=access_overview(frame.organization),
        team_grants=[grant for grant in grants if grant.team_id],
        selected=_selected(frame),
        hint=why_not(check_can_change_access, frame),
    )
    return render(request, "orgs/access.html", context)


def _selected(frame: Frame) -> int:
    rows = LicenseGrant.objects.filter(organization=frame.organization, kind=GrantKind.PERSON)
    return rows.count()


@organization_page("access", roles=OWNERS)
def give_to_all(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Show who gets a license and who waits, then grant access to everyone."""
    if request.method == "POST":
        done = services.grant_to_all(
            actor=frame.actor, at=frame.at, organization=frame.organization
        )
        messages.success(request, _("All members have access.") + dealt(done))
        return _back(frame)
    preview = who_gains(frame.organization, at=frame.at, persons=None)
    return render(request, "orgs/give_to_all.html", frame.context(preview=preview))


@organization_page("access", roles=OWNERS)
def select_members(request: HttpRequest, frame: Frame) -> HttpResponse:
    """From "all members" to "selected": choose who keeps access, see who loses it."""
    if request.method == "POST":
        keep = _holders(frame) if request.POST.get("keep") == "everyone" else []
        services.revoke_all(
            actor=frame.actor, at=frame.at, organization=frame.organization, keep=keep
        )
        messages.success(request, _("Access is for selected members now."))
        return _back(frame)
    if not access_overview(frame.organization).all_members:
        return _back(frame)
    preview = who_loses(frame.organization, at=frame.at, all_members=True)
    return render(request, "orgs/select_members.html", frame.context(preview=preview))


def _holders(frame: Frame) -> Collection[uuid.UUID]:
    rows = License.objects.filter(organization=frame.organization)
    return list(rows.order_by("granted_at", "id").values_list("person_id", flat=True))


def _back(frame: Frame) -> HttpResponse:
    return redirect("orgs:access", frame.organization.slug)
