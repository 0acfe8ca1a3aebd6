"""Members: the list, one member, roles, leaving."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from offload_portal.common.refusals import Refusal, not_found
from orgs import services
from orgs.enums import Role
from orgs.frames import Frame, organization_page
from orgs.models import Invitation, Membership
from orgs.policies import Departure, check_can_change_people, check_keeps_an_owner, keeps_an_owner
from orgs.selectors import member_rows, members_matching, standing, viewer_of, who_loses
from orgs.views.hints import why_not
from orgs.views.parsing import member_filter, member_or_404, page_of


@organization_page("members")
def members(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Everyone with role, license and its grants; a member sees only themselves."""
    wanted = member_filter(request, frame.membership)
    page = page_of(request, members_matching(frame.organization, wanted))
    context = frame.context(
        page=page,
        rows=member_rows(frame.organization, list(page.object_list), frame.at),
        wanted=wanted,
        filtered=bool(wanted.search or wanted.role or wanted.access),
        roles=Role.choices,
        invitation_count=_invitation_count(frame),
        member_count=Membership.objects.filter(organization=frame.organization).count(),
        hint=why_not(check_can_change_people, frame),
    )
    return render(request, "orgs/members.html", context)


def _invitation_count(frame: Frame) -> int:
    if not frame.membership.sees_everything:
        return 0
    return Invitation.objects.open().filter(organization=frame.organization).count()


def _seen_member(frame: Frame, person_id: uuid.UUID) -> Membership:
    """The member whom the reader may see: everyone for owners and editors, else themselves."""
    if not frame.membership.sees_everything and person_id != frame.membership.person_id:
        raise not_found()
    person = member_or_404(frame.organization, person_id)
    return Membership.objects.select_related("person").get(
        organization=frame.organization, person=person
    )


@organization_page("members")
def member(request: HttpRequest, frame: Frame, person_id: uuid.UUID) -> HttpResponse:
    """One member: role, access, leaving."""
    row = _seen_member(frame, person_id)
    departure = Departure(row.role, _owners(frame))
    context = frame.context(
        row=row,
        person=row.person,
        own=row.person_id == frame.membership.person_id,
        standing=standing(frame.organization, row.person, frame.at),
        roles=_role_choices(),
        keeps_an_owner=keeps_an_owner(departure),
        last_owner_hint=_last_owner_hint(departure),
        hint=why_not(check_can_change_people, frame),
    )
    return render(request, "orgs/member.html", context)


def _owners(frame: Frame) -> int:
    return Membership.objects.filter(organization=frame.organization).owners().count()


def _last_owner_hint(departure: Departure) -> str:
    try:
        check_keeps_an_owner(departure)
    except Refusal as refusal:
        return refusal.sentence
    return ""


def _role_choices() -> list[tuple[str, str, str]]:
    return [
        (Role.OWNER, _("Owner"), _("Changes people, access, billing and policy.")),
        (Role.EDITOR, _("Editor"), _("Sees everything of the organization, changes nothing.")),
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
    return redirect("orgs:member", frame.organization.slug, person_id)


@organization_page("members")
def remove(request: HttpRequest, frame: Frame, person_id: uuid.UUID) -> HttpResponse:
    """Show what removing a member takes from whom, then do it."""
    row = _seen_member(frame, person_id)
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
    return redirect("orgs:members", frame.organization.slug)
