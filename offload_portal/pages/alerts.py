"""When and whom to warn, with the mail as it would read now."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from offload_portal.common.refusals import Refusal
from orgs.enums import NewsKind
from orgs.frames import PAYERS, SEERS_OF_USAGE, Frame, organization_page, person_of, role_missing
from orgs.models import Membership
from orgs.services.mails import Words, rendered
from sessions.selectors.leaders import leading_images
from usage.alerts import COMMITMENT, ON_DEMAND
from usage.forms import AlertForm
from usage.selectors import AllowanceView, allowance_of
from usage.selectors.alert_words import alert_text, alert_title, facts_of_alert
from usage.selectors.alerts import AlertChoice, alert_choice, may_be_warned, open_alerts
from usage.services.alerts import alert_facts, choose_alerts, for_reader


@organization_page("billing", roles=SEERS_OF_USAGE)
def alerts(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Owners and billing managers choose; editors see what is chosen."""
    if request.method == "POST" and not frame.membership.pays:
        return role_missing(request, frame, PAYERS)
    people = may_be_warned(frame.organization)
    choice = alert_choice(frame.organization)
    form = AlertForm(request.POST or None, people=_choices(people), initial=_initial(choice))
    if request.method == "POST" and form.is_valid() and _chosen(frame, form):
        messages.success(request, _("Alerts are changed."))
        return redirect("pages:alerts", slug=frame.organization.slug)
    context = frame.context(
        form=form,
        choice=choice,
        recipients=[row.person.shown_name for row in people if row.person_id in choice.recipients],
        open_alerts=shown_alerts(frame),
        preview=_preview(request, frame, choice),
    )
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "billing/alerts.html", context, status=status)


def _choices(people: Sequence[Membership]) -> list[tuple[str, str]]:
    return [(str(row.person_id), row.person.shown_name) for row in people]


def _initial(choice: AlertChoice) -> dict[str, Any]:
    return {
        "alert_thresholds": ", ".join(str(share) for share in choice.thresholds),
        "alert_recipients": [str(key) for key in choice.recipients],
    }


def _chosen(frame: Frame, form: AlertForm) -> bool:
    try:
        choose_alerts(
            actor=frame.actor,
            at=frame.at,
            organization=frame.organization,
            thresholds=form.cleaned_data["alert_thresholds"],
            recipients=[uuid.UUID(key) for key in form.cleaned_data["alert_recipients"]],
        )
    except Refusal as refusal:
        form.refuse(refusal)
        return False
    return True


def shown_alerts(frame: Frame) -> list[dict[str, Any]]:
    """What holds now, as pages show it: of each bound the highest threshold."""
    rows = open_alerts(frame.organization)
    return [_shown(facts_of_alert(row)) for row in rows]


def _shown(facts: dict[str, Any]) -> dict[str, Any]:
    kind = "danger" if facts["threshold"] == 100 else "warning"
    kind = kind if facts["threshold"] >= 90 or facts["expected_at"] else "notice"
    return {"kind": kind, "title": alert_title(facts), "text": alert_text(facts)}


def _preview(request: HttpRequest, frame: Frame, choice: AlertChoice) -> Words | None:
    """The mail at the highest threshold with today's numbers, as the reader would get it."""
    view = allowance_of(frame.organization, frame.at)
    item = _sample(view, choice.thresholds[-1])
    if item is None:
        return None
    facts = alert_facts(frame.organization, view, [item], leading_images, frame.at)
    reader = for_reader(frame.organization, can_act=frame.membership.pays)
    person = person_of(request)
    return rendered(NewsKind.USAGE_ALERT, get_language() or "", person.email, {**facts, **reader})


def _sample(view: AllowanceView, threshold: int) -> dict[str, Any] | None:
    """An alert of what the organization has: its commitment, else its on-demand limit."""
    common = {"name": "", "threshold": threshold, "expected_at": None, "folded": []}
    committed = view.committed.total_compute_seconds
    if committed:
        used = committed * threshold // 100
        return {**common, "bound": COMMITMENT, "used": used, "limit": committed, "in_money": False}
    limit = view.on_demand_limit_microusd
    if limit:
        used = limit * threshold // 100
        return {**common, "bound": ON_DEMAND, "used": used, "limit": limit, "in_money": True}
    return None
