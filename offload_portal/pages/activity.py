"""Activity: what an organization's sessions did in a period, or one's own."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from offload_portal.common.csv_cells import csv_response
from offload_portal.common.display import duration_text
from offload_portal.pages import activity_links as links
from offload_portal.pages.live import live_page
from orgs.frames import Frame, organization_page, person_of
from orgs.models import Organization
from orgs.selectors import members_matching
from sessions import charts
from sessions.exports import session_csv_rows
from sessions.forms import ActivityChoice, ActivityForm
from sessions.selectors import ActivitySummary, SessionPage, activity_summary, filter_for
from sessions.selectors import session_page as read_page
from usage.selectors import billing_period

ROWS = 25
MOST_SUGGESTED = 200


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the five figures: the value as text, the exact one, and its change."""

    label: str
    value: str
    exact: str
    change: str


@require_safe
@live_page
@organization_page("activity")
def activity(request: HttpRequest, frame: Frame) -> HttpResponse:
    if "" in request.GET.values():  # a form sends its empty fields too
        return redirect(request.path + links.with_parameters(request.GET))
    form = _form(request, frame)
    context = frame.context(
        form=form,
        kept=[("period", value) for value in request.GET.getlist("period")[-1:]],
        own=not frame.membership.sees_everything,
        presets=links.presets(request.GET, form.period_key(form.data)),
        chips=links.chips(request.GET, form),
        people=_suggested(frame.organization) if "user" in form.fields else (),
        clear_url=request.path,
    )
    if not form.is_valid():
        return render(request, "pages/activity.html", {**context, "summary": None})
    return render(request, "pages/activity.html", context | _numbers(request, frame, form.choice))


@require_safe
@organization_page("activity")
def activity_csv(request: HttpRequest, frame: Frame) -> HttpResponseBase:
    """The same sessions as the list, all of them."""
    form = _form(request, frame)
    if not form.is_valid():
        sentence = _("The filters are not valid: %(fields)s.") % {
            "fields": ", ".join(
                str(form[name].label) for name in form.errors if name in form.fields
            )
        }
        return HttpResponse(sentence, status=400, content_type="text/plain; charset=utf-8")
    rows = session_csv_rows(form.choice.in_period, frame.at)
    return csv_response(rows, f"{frame.organization.slug}-sessions.csv")


def _form(request: HttpRequest, frame: Frame) -> ActivityForm:
    return ActivityForm(
        request.GET,
        chosen=filter_for(person_of(request), frame.organization.pk),
        at=frame.at,
        zone=frame.zone,
        billing=billing_period(frame.organization),
    )


def _suggested(organization: Organization) -> list[tuple[str, str]]:
    """Addresses and names that the field for a user offers; others may be typed."""
    rows = members_matching(organization).values_list("person__email", "person__name")
    return list(rows[:MOST_SUGGESTED])


def _numbers(request: HttpRequest, frame: Frame, choice: ActivityChoice) -> dict[str, object]:
    period = choice.period
    summary = activity_summary(choice.sessions, period.start, period.end, frame.zone, frame.at)
    place = links.place_of(request.GET, frame.at)
    page = read_page(
        choice.in_period,
        at=frame.at,
        as_of=place.as_of,
        key=place.key,
        backwards=place.backwards,
        size=ROWS,
    )
    return {
        "summary": summary,
        "figures": figures_of(summary),
        "trend": charts.usage_trend_chart(summary.days),
        "images": charts.popular_images_chart(summary.images, summary.figures.images),
        "users": charts.top_users_chart(summary.people, summary.figures.users),
        "page": page,
        **_page_links(request, page, place),
        "csv_query": links.with_parameters(request.GET),
    }


def _page_links(
    request: HttpRequest, page: SessionPage, place: links.Place
) -> dict[str, str | None]:
    older = newer = None
    if page.has_next and page.last is not None:
        older = links.older_url(request.GET, page.last, place.as_of)
    if page.has_previous and page.first is not None:
        newer = links.newer_url(request.GET, page.first, place.as_of)
    return {"older_url": older, "newer_url": newer}


def figures_of(summary: ActivitySummary) -> Sequence[Figure]:
    """The five figures in Docker's order, each beside the period before."""
    now, then = summary.figures, summary.earlier
    average = now.average_seconds
    return (
        _lasting(_("Total duration"), now.total_seconds, then.total_seconds),
        _lasting(_("Average duration"), average, then.average_seconds),
        _counted(_("Sessions"), now.sessions, then.sessions),
        _counted(_("Unique images"), now.images, then.images),
        _counted(_("Unique users"), now.users, then.users),
    )


def _lasting(label: str, now: int | None, then: int | None) -> Figure:
    exact = "" if now is None else _("%(count)s seconds") % {"count": f"{now:,}"}
    return Figure(label, duration_text(now), exact, change_text(now, then))


def _counted(label: str, now: int, then: int) -> Figure:
    return Figure(label, f"{now:,}", "", change_text(now, then))


def change_text(now: int | None, then: int | None) -> str:
    """How it moved: percent, a factor from four times on, or words where nothing was before."""
    if not now and not then:
        return _("none before")
    if not then:
        return _("new")
    if not now:
        return "−100 %"
    if now >= 4 * then:
        tenths = (now * 10 + then // 2) // then
        return f"×{tenths // 10}.{tenths % 10}" if tenths < 1000 else f"×{tenths // 10:,}"
    percent = (abs(now - then) * 100 + then // 2) // then
    if percent == 0:
        return _("no change")
    return f"+{percent} %" if now > then else f"−{percent} %"
