"""Reports: asking for a view of activity by e-mail each week or month, and ending that."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from offload_portal.pages.activity_asked import form_of
from offload_portal.pages.activity_links import chips, with_parameters
from orgs.frames import Frame, organization_page
from orgs.privacy import is_veiled, pseudonym_of
from orgs.selectors.teams import team_names
from sessions.enums import ReportAudience, ReportFrequency
from sessions.forms import ActivityForm
from sessions.models import ScheduledReport
from sessions.services.reports import (
    MOST_QUERY_LETTERS,
    end_report,
    next_sending,
    schedule_report,
)

# The report has a period of its own, and whose sessions it is of is kept as who they are.
NOT_KEPT = ("period", "since", "until", "user", "after", "before", "by")


class ReportForm(forms.Form):
    frequency = forms.ChoiceField(
        label=gettext_lazy("When"),
        choices=ReportFrequency.choices,
        initial=ReportFrequency.WEEKLY,
        widget=forms.RadioSelect,
    )
    audience = forms.ChoiceField(
        label=gettext_lazy("To whom"),
        choices=ReportAudience.choices,
        initial=ReportAudience.ME,
        widget=forms.RadioSelect,
    )


@dataclass(frozen=True, slots=True)
class ReportRow:
    id: uuid.UUID
    who: str
    frequency: str
    audience: str
    filters: Sequence[tuple[str, str]]
    next_at: datetime
    sent_at: datetime | None
    may_end: bool


@require_safe
@organization_page("activity")
def reports(request: HttpRequest, frame: Frame) -> HttpResponse:
    """One's own, and for owners everybody's."""
    rows = ScheduledReport.objects.for_organization(frame.organization)
    if not frame.is_owner:
        rows = rows.filter(person=frame.membership.person_id)
    teams = dict(team_names(frame.organization))
    found = [_row(frame, report, teams) for report in rows.select_related("person", "about")]
    return render(request, "pages/reports.html", frame.context(rows=found))


def _row(frame: Frame, report: ScheduledReport, teams: Mapping[str, str]) -> ReportRow:
    filters = [
        (str(ActivityForm.base_fields[name].label), teams.get(str(value), str(value)))
        for name, value in QueryDict(report.query).items()
        if value and name in ActivityForm.base_fields
    ]
    if report.about is not None:
        veiled = is_veiled(frame.organization.privacy, report.about.pk, frame.membership.person_id)
        one = pseudonym_of(frame.organization.pk, report.about.pk)
        filters.insert(0, (_("User"), one.name if veiled else report.about.shown_name))
    return ReportRow(
        id=report.pk,
        who=report.person.shown_name,
        frequency=report.get_frequency_display(),
        audience=_("Their own") if report.audience == ReportAudience.ME else _("All who see it"),
        filters=filters,
        next_at=report.next_at,
        sent_at=report.sent_at,
        may_end=frame.is_owner or report.person_id == frame.membership.person_id,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@organization_page("activity")
def new_report(request: HttpRequest, frame: Frame) -> HttpResponse:
    """The filters of the page that one comes from, when they are sent, and to whom."""
    asked = form_of(request, frame)
    form = ReportForm(request.POST or None)
    if not frame.membership.sees_everything:
        del form.fields["audience"]
    context = frame.context(
        form=form,
        filters=[chip for chip in chips(request.GET, asked) if chip.label != _("Days")],
        back=reverse("pages:activity", args=[frame.organization.slug])
        + with_parameters(request.GET).rstrip("?"),
        next_at={key: next_sending(key, frame.zone, frame.at) for key in ReportFrequency.values},
        filters_wrong=not asked.is_valid(),
    )
    query = _kept(request.GET)
    too_long = len(query) > MOST_QUERY_LETTERS
    if request.method != "POST" or not asked.is_valid() or too_long or not form.is_valid():
        wrong = bool(form.errors) or too_long or not asked.is_valid()
        status = 400 if wrong and request.method == "POST" else 200
        return render(request, "pages/report_new.html", context, status=status)
    people = asked.choice.sessions.people
    schedule_report(
        actor=frame.actor,
        at=frame.at,
        membership=frame.membership,
        frequency=form.cleaned_data["frequency"],
        audience=form.cleaned_data.get("audience", ReportAudience.ME),
        query=query,
        about=next(iter(people)) if people else None,
        zone=frame.zone,
    )
    messages.success(request, _("The report is scheduled."))
    return redirect("pages:reports", slug=frame.organization.slug)


def _kept(asked: QueryDict) -> str:
    query = asked.copy()
    for name in NOT_KEPT:
        query.pop(name, None)
    return query.urlencode()


@require_POST
@organization_page("activity")
def report_end(request: HttpRequest, frame: Frame, id: uuid.UUID) -> HttpResponse:  # noqa: A002  # the route's name
    end_report(actor=frame.actor, at=frame.at, membership=frame.membership, report_id=id)
    messages.success(request, _("The report has ended; nothing more is sent."))
    return redirect("pages:reports", slug=frame.organization.slug)
