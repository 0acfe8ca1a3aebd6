"""Acting on many members: choose, see what would happen, do it, undo it."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from offload_portal.common.refusals import Refusal, not_found
from offload_portal.pages.member_questions import question_of
from orgs import services
from orgs.enums import BulkKind, MemberAct, Role
from orgs.forms import blame
from orgs.frames import OWNERS, Frame, organization_page
from orgs.models import Membership, Team
from orgs.people_forms import RoleForm, TeamChoiceForm, UntilForm, end_of
from orgs.selectors import (
    LossPreview,
    team_names,
    who_loses,
)
from orgs.selectors.previews import MemberStep, preview_step
from orgs.services.access import check_end
from orgs.services.bulk import undoable
from orgs.views.dealt import dealt
from orgs.views.parsing import identifiers

ACTS = dict(MemberAct.choices)
DANGEROUS = ("take", "team_remove", "remove")


@dataclass(frozen=True, slots=True)
class Step:
    """What was chosen. `everyone` means all that the list's query finds, not just some of them."""

    act: str
    persons: tuple[uuid.UUID, ...]
    everyone: bool
    query: str

    @property
    def seal(self) -> str:
        """Of who is concerned: if they change between the look and the act, it is looked again."""
        return sha256("".join(sorted(map(str, self.persons))).encode()).hexdigest()[:16]


@require_POST
@organization_page("members", roles=OWNERS)
def act(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Ask what the act needs, show what it would do, then do it."""
    step = _step(request, frame)
    if step.act not in ACTS:
        raise not_found()
    if not step.persons:
        messages.warning(request, _("Select members first."))
        return _back(frame, step.query)
    asked = "confirmed" in request.POST or "chosen" in request.POST
    form = _form(step.act, frame, request.POST if asked else None)
    if asked and form.is_valid():
        try:
            if request.POST.get("confirmed") == step.seal:
                return _done(request, frame, step, form.cleaned_data)
            return _shown(request, frame, step, form)
        except Refusal as refusal:
            if refusal.status != 400:
                raise
            blame(form, refusal)
    if not form.fields:
        return _shown(request, frame, step, form)
    context = _context(frame, step, form=form, preview=None)
    return render(request, "orgs/member_act.html", context, status=400 if form.errors else 200)


def _step(request: HttpRequest, frame: Frame) -> Step:
    everyone = request.POST.get("everyone") == "yes"
    query = request.POST.get("query", "")[:2_000]
    persons: Collection[uuid.UUID]
    if everyone:
        asked = question_of(QueryDict(query), frame.membership)
        rows = asked.rows(frame.organization, frame.at)
        persons = list(rows.order_by("joined_at", "id").values_list("person_id", flat=True))
    else:
        persons = identifiers(request)
        known = Membership.objects.filter(organization=frame.organization, person_id__in=persons)
        if known.count() != len(persons):
            raise not_found()
    return Step(request.POST.get("act", ""), tuple(persons), everyone, query)


def _form(act: str, frame: Frame, data: QueryDict | None) -> forms.Form:
    if act == "role":
        return RoleForm(data)
    if act == "grant":
        return UntilForm(data)
    if act in ("team_add", "team_remove"):
        return TeamChoiceForm(data, teams=team_names(frame.organization))
    return forms.Form(data)


def _context(frame: Frame, step: Step, **more: Any) -> dict[str, Any]:
    return frame.context(
        step=step,
        title=ACTS[step.act],
        count=len(step.persons),
        danger=step.act in DANGEROUS,
        final=step.act == "remove",
        **more,
    )


# What it would do


def _shown(request: HttpRequest, frame: Frame, step: Step, form: forms.Form) -> HttpResponse:
    values = form.cleaned_data if form.is_bound else {}
    order = _order(frame, step, values)
    check_end(order.until, frame.at)
    preview = preview_step(frame.organization, order, frame.membership.person_id, at=frame.at)
    context = _context(
        frame,
        step,
        form=form,
        preview=preview,
        changed="confirmed" in request.POST,
        chosen=[(name, form[name].value()) for name in form.fields] if form.is_bound else [],
    )
    return render(request, "orgs/member_act.html", context)


def _order(frame: Frame, step: Step, values: Mapping[str, Any]) -> MemberStep:
    """The step as the services take it."""
    team = values.get("team")
    return MemberStep(
        act=MemberAct(step.act),
        person_ids=step.persons,
        role=values.get("role", ""),
        team_id=uuid.UUID(team) if team else None,
        until=end_of(values.get("until"), frame.zone),
    )


# Doing it


def _done(
    request: HttpRequest, frame: Frame, step: Step, values: Mapping[str, Any]
) -> HttpResponse:
    done = services.act_on_members(
        actor=frame.actor,
        at=frame.at,
        organization=frame.organization,
        step=_order(frame, step, values),
    )
    count = len(done.changed)
    messages.success(request, said(step.act, count, values) + dealt(done.settled))
    return _back(frame, step.query, done.undo_id)


def said(act: str, count: int, values: Mapping[str, Any]) -> str:
    """What was done, as a sentence."""
    sentences = {
        "role": ngettext("%(n)s member is %(role)s now.", "%(n)s members are %(role)s now.", count),
        "grant": ngettext("%(n)s member is selected.", "%(n)s members are selected.", count),
        "take": ngettext(
            "The selection of %(n)s member is taken back.",
            "The selections of %(n)s members are taken back.",
            count,
        ),
        "team_add": ngettext(
            "%(n)s member was added to the team.", "%(n)s members were added to the team.", count
        ),
        "team_remove": ngettext(
            "%(n)s member was taken out of the team.",
            "%(n)s members were taken out of the team.",
            count,
        ),
        "remove": ngettext(
            "%(n)s person is no longer a member.", "%(n)s people are no longer members.", count
        ),
    }
    role = str(dict(Role.choices).get(values.get("role", ""), "")).lower()
    return sentences[act] % {"n": f"{count:,}", "role": role}


def _back(frame: Frame, query: str, undo_id: uuid.UUID | None = None) -> HttpResponse:
    """To the list as it was asked for, with the way to undo."""
    kept = QueryDict(query, mutable=True)
    kept.pop("undo", None)
    if undo_id is not None:
        kept["undo"] = str(undo_id)
    tail = f"?{kept.urlencode()}" if kept else ""
    return redirect(reverse("pages:members", args=[frame.organization.slug]) + tail)


@organization_page("members", roles=OWNERS)
def undo(request: HttpRequest, frame: Frame, change_id: uuid.UUID) -> HttpResponse:
    """Show what undoing would do, then undo."""
    change = undoable(frame.organization, change_id, frame.at)
    if request.method == "POST":
        count = services.undo(
            actor=frame.actor, at=frame.at, organization=frame.organization, change_id=change_id
        )
        sentence = ngettext("Undone for %(n)s member.", "Undone for %(n)s members.", count) % {
            "n": f"{count:,}"
        }
        messages.success(request, sentence)
        return _back(frame, "")
    context = frame.context(
        change=change,
        title=BulkKind(change.kind).label,
        count=len(change.facts.get("roles") or change.facts.get("ends") or _persons(change.facts)),
        loss=_loss_of_undoing(frame, BulkKind(change.kind), change.facts, frame.at),
    )
    return render(request, "orgs/member_undo.html", context)


def _persons(facts: Mapping[str, Any]) -> list[uuid.UUID]:
    return [uuid.UUID(text) for text in facts.get("persons", ())]


def _loss_of_undoing(
    frame: Frame, kind: BulkKind, facts: Mapping[str, Any], at: datetime
) -> LossPreview | None:
    """Who would lose access again; None where undoing takes none."""
    people = _persons(facts)
    if kind == BulkKind.GRANT:
        return who_loses(frame.organization, at=at, person_ids=people)
    if kind == BulkKind.TEAM_ADD:
        team = uuid.UUID(facts["team"])
        if Team.objects.filter(organization=frame.organization, pk=team).exists():
            return who_loses(frame.organization, at=at, leaving_team=(team, people))
    return None
