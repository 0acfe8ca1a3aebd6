"""One member's role, removing, leaving. The lists are in `offload_portal.pages.members`."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from offload_portal.common.refusals import not_found
from orgs import services
from orgs.enums import Role
from orgs.frames import Frame, organization_page
from orgs.models import Membership
from orgs.policies import Departure, check_can_change_people, check_keeps_an_owner
from orgs.selectors import viewer_of, who_loses
from orgs.views.parsing import member_or_404


def seen_member(frame: Frame, person_id: uuid.UUID) -> Membership:
    """The member whom the reader may see: everyone for owners and editors, else themselves."""
    if not frame.membership.sees_everything and person_id != frame.membership.person_id:
        raise not_found()
    person = member_or_404(frame.organization, person_id)
    return Membership.objects.select_related("person").get(
        organization=frame.organization, person=person
    )


def _owners(frame: Frame) -> int:
    return Membership.objects.filter(organization=frame.organization).owners().count()


def role_choices() -> list[tuple[str, str, str]]:
    """(role, its name, what it may do)."""
    return [
        (Role.OWNER, _("Owner"), _("Changes people, access, billing and policy.")),
        (Role.EDITOR, _("Editor"), _("Sees everything of the organization, changes nothing.")),
        (
            Role.BILLING,
            _("Billing manager"),
            _("Sees what is used, changes subscription and limits; no other people or sessions."),
        ),
        (Role.MEMBER, _("Member"), _("Sees themselves and their own sessions.")),
    ]


@require_POST
@organization_page("members")
def change_role(request: HttpRequest, frame: Frame, person_id: uuid.UUID) -> HttpResponse:
    person = member_or_404(frame.organization, person_id)
    changed = services.change_role(
        actor=frame.actor,
        at=frame.at,
        organization=frame.organization,
        person=person,
        role=request.POST.get("role", ""),
    )
    names = {"person": person.shown_name, "role": changed.get_role_display()}
    messages.success(request, _("%(person)s: %(role)s.") % names)
    return redirect("pages:member", frame.organization.slug, person_id)


@organization_page("members")
def remove(request: HttpRequest, frame: Frame, person_id: uuid.UUID) -> HttpResponse:
    """Show what removing a member takes from whom, then do it."""
    row = seen_member(frame, person_id)
    own = row.person_id == frame.membership.person_id
    if not own and not frame.is_owner:
        check_can_change_people(viewer_of(frame.organization, frame.membership.person_id))
    check_keeps_an_owner(Departure(row.role, _owners(frame)))
    if request.method == "POST":
        return _removed(request, frame, row, own=own)
    preview = who_loses(frame.organization, at=frame.at, leaving=[row.person_id])
    context = frame.context(person=row.person, own=own, preview=preview)
    return render(request, "orgs/remove.html", context)


def _removed(request: HttpRequest, frame: Frame, row: Membership, *, own: bool) -> HttpResponse:
    act = services.leave if own else services.remove_member
    act(actor=frame.actor, at=frame.at, organization=frame.organization, person=row.person)
    names = {"person": row.person.shown_name, "organization": frame.organization.name}
    if own:
        messages.success(request, _("You have left %(organization)s.") % names)
        return redirect("pages:home")
    messages.success(request, _("%(person)s is no longer a member.") % names)
    return redirect("pages:members", frame.organization.slug)
