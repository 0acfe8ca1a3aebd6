"""Members: the list with everybody's last session, one member, the CSV."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from offload_portal.common.csv_cells import csv_response
from offload_portal.pages.member_acts import ACTS
from offload_portal.pages.member_questions import MemberQuestion, question_of
from orgs.enums import Role
from orgs.frames import SEERS, Frame, organization_page
from orgs.models import Invitation, Membership
from orgs.paging import list_page
from orgs.policies import Departure, check_can_change_people, check_keeps_an_owner, keeps_an_owner
from orgs.privacy import is_veiled
from orgs.selectors import member_rows, standing, team_names, teams_of
from orgs.selectors.access import grants_by_person
from orgs.views.hints import reason, why_not
from orgs.views.members import role_choices, seen_member
from sessions.exports import member_csv_rows
from sessions.selectors.members import last_session_at


@dataclass(frozen=True, slots=True)
class Column:
    """A column that sorts: `url` asks for it, or turns it round; `direction` for aria-sort."""

    label: str
    url: str
    direction: str


@require_safe
@organization_page("members")
def members(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Everyone with role, teams, license and its grants, last session and sign-in."""
    asked = question_of(request.GET, frame.membership)
    rows = asked.rows(frame.organization, frame.at)
    page = list_page(request, rows, order=asked.order, purpose=asked.purpose)
    context = frame.context(
        page=page,
        rows=member_rows(frame.organization, list(page.rows), frame.at),
        asked=asked,
        wanted=asked.filter,
        columns=_columns(asked),
        roles=Role.choices,
        teams=team_names(frame.organization) if frame.membership.sees_everything else [],
        acts=ACTS.items(),
        list_query=asked.query(),
        hint=why_not(check_can_change_people, frame),
        **counts(frame),
    )
    return render(request, "orgs/members.html", context)


def _last_session(frame: Frame, person_id: uuid.UUID) -> dict[str, Any]:
    """When it was, or that it isn't told: insights may not name people (`orgs.privacy`)."""
    me = frame.membership.person_id
    if is_veiled(frame.organization.privacy, person_id, me):
        return {"last_session_at": None, "hides_use": True}
    found = last_session_at(frame.organization, person_id, frame.at)
    return {"last_session_at": found, "hides_use": False}


def _columns(asked: MemberQuestion) -> dict[str, Column]:
    labels = {
        "name": _("Person"),
        "joined": _("Joined"),
        "last_session": _("Last session"),
        "last_sign_in": _("Last sign-in"),
    }
    return {key: _column(asked, key, label) for key, label in labels.items()}


def _column(asked: MemberQuestion, key: str, label: str) -> Column:
    now = asked.sort.removeprefix("-") == key
    turned = now and not asked.sort.startswith("-")
    direction = ("ascending" if turned else "descending") if now else ""
    return Column(label, f"?{asked.query(sort=f'-{key}' if turned else key)}", direction)


def counts(frame: Frame) -> dict[str, int]:
    """What the tabs say; a member sees none."""
    if not frame.membership.sees_everything:
        return {"member_count": 1, "invitation_count": 0, "team_count": 0}
    here = {"organization": frame.organization}
    return {
        "member_count": Membership.objects.filter(**here).count(),
        "invitation_count": Invitation.objects.open().filter(**here).count(),
        "team_count": frame.organization.teams.count(),
    }


@require_safe
@organization_page("members", roles=SEERS)
def members_csv(request: HttpRequest, frame: Frame) -> HttpResponseBase:
    """The same members as the list, all of them."""
    asked = question_of(request.GET, frame.membership)
    rows = member_csv_rows(
        frame.organization, asked.filter, used=asked.used, sort=asked.sort, at=frame.at
    )
    return csv_response(rows, f"{frame.organization.slug}-members.csv")


@require_safe
@organization_page("members")
def member(request: HttpRequest, frame: Frame, person_id: uuid.UUID) -> HttpResponse:
    """One member: role, teams, access with every grant, last session, leaving."""
    row = seen_member(frame, person_id)
    departure = Departure(row.role, _owners(frame))
    grants = grants_by_person(frame.organization, frame.at, [person_id]).get(person_id, ())
    teams = teams_of(frame.organization, [person_id]).get(person_id, ())
    context = frame.context(
        row=row,
        person=row.person,
        own=row.person_id == frame.membership.person_id,
        standing=standing(frame.organization, row.person, frame.at),
        grants=grants,
        teams=teams,
        all_teams=_other_teams(frame, teams),
        **_last_session(frame, person_id),
        roles=role_choices(),
        keeps_an_owner=keeps_an_owner(departure),
        last_owner_hint=reason(check_keeps_an_owner, departure),
        hint=why_not(check_can_change_people, frame),
    )
    return render(request, "orgs/member.html", context)


def _other_teams(frame: Frame, own: Sequence[tuple[uuid.UUID, str]]) -> Sequence[tuple[str, str]]:
    """Teams that an owner may put the member into."""
    if not frame.is_owner:
        return ()
    known = {str(key) for key, _name in own}
    return [(key, name) for key, name in team_names(frame.organization) if key not in known]


def _owners(frame: Frame) -> int:
    return Membership.objects.filter(organization=frame.organization).owners().count()
