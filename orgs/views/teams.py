"""Teams: the list, one team with its members and its access."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from offload_portal.common.refusals import Refusal
from orgs import services
from orgs.forms import blame
from orgs.frames import OWNERS, SEERS, Frame, organization_page
from orgs.models import Invitation, Membership
from orgs.paging import list_page
from orgs.people_forms import AddressesForm, TeamNameForm, UntilForm, end_of
from orgs.policies import check_can_change_people
from orgs.selectors import (
    MemberFilter,
    find_team,
    member_rows,
    members_by_address,
    members_matching,
    members_of_team,
    team_rows,
    teams_in,
    viewer_of,
    who_gains,
    who_loses,
)
from orgs.selectors.addresses import split_addresses
from orgs.selectors.invitations import check_how_many
from orgs.services.access import check_end
from orgs.services.teams import team_of
from orgs.views.dealt import dealt
from orgs.views.hints import why_not
from orgs.views.parsing import MOST_SEARCHED

BY_NAME = ("sort_name", "id")


@organization_page("members", roles=SEERS)
def teams(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Every team with its members and whether it gives access; owners make a new one here."""
    form = TeamNameForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        check_can_change_people(viewer_of(frame.organization, frame.membership.person_id))
        if form.is_valid():
            made = _made(frame, form)
            if made is not None:
                return redirect("orgs:team", frame.organization.slug, made)
    search = request.GET.get("q", "").strip()[:MOST_SEARCHED]
    found = teams_in(frame.organization, search)
    page = list_page(request, found, order=BY_NAME, purpose="teams")
    here = {"organization": frame.organization}
    context = frame.context(
        page=page,
        rows=team_rows(list(page.rows), frame.at),
        search=search,
        form=form,
        member_count=Membership.objects.filter(**here).count(),
        team_count=frame.organization.teams.count(),
        invitation_count=Invitation.objects.open().filter(**here).count(),
        hint=why_not(check_can_change_people, frame),
    )
    return render(request, "orgs/teams.html", context, status=400 if form.errors else 200)


def _made(frame: Frame, form: TeamNameForm) -> uuid.UUID | None:
    try:
        made = services.create_team(
            actor=frame.actor,
            at=frame.at,
            organization=frame.organization,
            name=form.cleaned_data["name"],
        )
    except Refusal as refusal:
        if refusal.status != 400:
            raise
        blame(form, refusal)
        return None
    return made.pk


@require_safe
@organization_page("members", roles=SEERS)
def team(request: HttpRequest, frame: Frame, team_id: uuid.UUID) -> HttpResponse:
    """One team: its access and its members."""
    return _team_page(request, frame, team_id)


def _team_page(
    request: HttpRequest, frame: Frame, team_id: uuid.UUID, **forms: Any
) -> HttpResponse:
    row = find_team(frame.organization, team_id, frame.at)
    search = request.GET.get("q", "").strip()[:MOST_SEARCHED]
    wanted = MemberFilter(search=search, team_id=team_id)
    rows = members_matching(frame.organization, wanted)
    page = list_page(request, rows, order=BY_NAME, purpose=f"team.{team_id}")
    context = frame.context(
        team=row,
        page=page,
        rows=member_rows(frame.organization, list(page.rows), frame.at),
        search=search,
        hint=why_not(check_can_change_people, frame),
        **{
            "name_form": TeamNameForm(initial={"name": row.name}),
            "addresses_form": AddressesForm(),
            **forms,
        },
    )
    wrong = any(form.errors for form in forms.values())
    return render(request, "orgs/team.html", context, status=400 if wrong else 200)


@require_POST
@organization_page("members", roles=OWNERS)
def rename(request: HttpRequest, frame: Frame, team_id: uuid.UUID) -> HttpResponse:
    form = TeamNameForm(request.POST)
    if form.is_valid():
        try:
            services.rename_team(
                actor=frame.actor,
                at=frame.at,
                organization=frame.organization,
                team_id=team_id,
                name=form.cleaned_data["name"],
            )
        except Refusal as refusal:
            if refusal.status != 400:
                raise
            blame(form, refusal)
    if form.errors:
        return _team_page(request, frame, team_id, name_form=form)
    messages.success(request, _("The team has its new name."))
    return _back(frame, team_id)


@require_POST
@organization_page("members", roles=OWNERS)
def add(request: HttpRequest, frame: Frame, team_id: uuid.UUID) -> HttpResponse:
    """Members by their addresses, many at once; who is none is named."""
    team_of(frame.organization, team_id)
    form = AddressesForm(request.POST)
    if form.is_valid():
        try:
            addresses = split_addresses(form.cleaned_data["emails"])
            check_how_many(addresses)
            return _added(request, frame, team_id, addresses)
        except Refusal as refusal:
            if refusal.status != 400:
                raise
            blame(form, refusal)
    return _team_page(request, frame, team_id, addresses_form=form)


def _added(
    request: HttpRequest, frame: Frame, team_id: uuid.UUID, addresses: tuple[str, ...]
) -> HttpResponse:
    found, unknown = members_by_address(frame.organization, addresses)
    new, settled = services.add_to_team(
        actor=frame.actor,
        at=frame.at,
        organization=frame.organization,
        team_id=team_id,
        person_ids=found,
    )
    sentence = ngettext("%(n)s member was added.", "%(n)s members were added.", len(new))
    messages.success(request, sentence % {"n": f"{len(new):,}"} + dealt(settled))
    if unknown:
        sentence = ngettext(
            "%(n)s address belongs to no member: %(some)s.",
            "%(n)s addresses belong to no member: %(some)s.",
            len(unknown),
        )
        some = ", ".join(unknown[:10]) + ("…" if len(unknown) > 10 else "")
        messages.warning(request, sentence % {"n": f"{len(unknown):,}", "some": some})
    return _back(frame, team_id)


@organization_page("members", roles=OWNERS)
def grant(request: HttpRequest, frame: Frame, team_id: uuid.UUID) -> HttpResponse:
    """Grant access to a team: until when, who gets a license and who waits, then do it."""
    row = find_team(frame.organization, team_id, frame.at)
    form = UntilForm(request.POST or None)
    preview = None
    if request.method == "POST" and form.is_valid():
        until = end_of(form.cleaned_data["until"], frame.zone)
        try:
            check_end(until, frame.at)
            if "confirmed" in request.POST:
                done = services.grant_to_team(
                    actor=frame.actor,
                    at=frame.at,
                    organization=frame.organization,
                    team=team_of(frame.organization, team_id),
                    until=until,
                )
                messages.success(request, _("The team has access.") + dealt(done))
                return _back(frame, team_id)
            preview = who_gains(frame.organization, at=frame.at, persons=members_of_team(team_id))
        except Refusal as refusal:
            if refusal.status != 400:
                raise
            blame(form, refusal)
    context = frame.context(team=row, form=form, preview=preview)
    return render(request, "orgs/team_grant.html", context, status=400 if form.errors else 200)


@organization_page("members", roles=OWNERS)
def take(request: HttpRequest, frame: Frame, team_id: uuid.UUID) -> HttpResponse:
    """Show who loses access and who keeps it by another grant, then take it from the team."""
    row = find_team(frame.organization, team_id, frame.at)
    if request.method == "POST":
        done = services.revoke_team(
            actor=frame.actor,
            at=frame.at,
            organization=frame.organization,
            team=team_of(frame.organization, team_id),
        )
        messages.success(request, _("The team gives no access any more.") + dealt(done))
        return _back(frame, team_id)
    preview = who_loses(frame.organization, at=frame.at, team_ids=[team_id])
    context = frame.context(team=row, preview=preview, deleting=False)
    return render(request, "orgs/team_loss.html", context)


@organization_page("members", roles=OWNERS)
def delete(request: HttpRequest, frame: Frame, team_id: uuid.UUID) -> HttpResponse:
    """Show what deleting the team takes from whom, then delete it."""
    row = find_team(frame.organization, team_id, frame.at)
    if request.method == "POST":
        done = services.delete_team(
            actor=frame.actor, at=frame.at, organization=frame.organization, team_id=team_id
        )
        sentence = _("The team %(name)s is deleted; its members stay.") % {"name": row.name}
        messages.success(request, sentence + dealt(done))
        return redirect("orgs:teams", frame.organization.slug)
    preview = who_loses(frame.organization, at=frame.at, team_ids=[team_id])
    context = frame.context(team=row, preview=preview, deleting=True)
    return render(request, "orgs/team_loss.html", context)


def _back(frame: Frame, team_id: uuid.UUID) -> HttpResponse:
    return redirect("orgs:team", frame.organization.slug, team_id)
