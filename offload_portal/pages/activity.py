"""Activity: what an organization's sessions did in a period, or one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from offload_portal.common.csv_cells import csv_response
from offload_portal.common.display import change_text, duration_text
from offload_portal.pages import activity_links as links
from offload_portal.pages.activity_asked import answer, form_of
from offload_portal.pages.live import live_page
from orgs.frames import Frame, organization_page
from orgs.services.looks import note_download
from sessions import charts
from sessions.exports import session_csv_rows
from sessions.forms import ActivityChoice
from sessions.selectors import ActivitySummary, SessionPage, activity_summary
from sessions.selectors import session_page as read_page
from sessions.selectors.scope import Scope

ROWS = 25
HOUR = 3_600


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
    return answer(request, frame, "activity", _numbers)


@require_safe
@organization_page("activity")
def activity_csv(request: HttpRequest, frame: Frame) -> HttpResponseBase:
    """The same sessions as the list, all of them."""
    form = form_of(request, frame)
    if not form.is_valid():
        sentence = _("The filters are not valid: %(fields)s.") % {
            "fields": ", ".join(
                str(form[name].label) for name in form.errors if name in form.fields
            )
        }
        return HttpResponse(sentence, status=400, content_type="text/plain; charset=utf-8")
    chosen = form.choice.in_period
    if chosen.everyone_in:
        note_download(
            actor=frame.actor, at=frame.at, organization=frame.organization, what="sessions.csv"
        )
    rows = session_csv_rows(chosen, frame.at)
    return csv_response(rows, f"{frame.organization.slug}-sessions.csv")


def _numbers(
    request: HttpRequest, frame: Frame, choice: ActivityChoice, scope: Scope
) -> Mapping[str, Any]:
    summary = activity_summary(scope)
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
        "trend": charts.usage_trend_chart(summary.days, summary.days_before),
        "images": charts.popular_images_chart(summary.images, summary.figures.images),
        "users": charts.top_users_chart(summary.people, summary.figures.users),
        "page": replace(
            page, rows=tuple(row.seen_by(frame.membership.person_id) for row in page.rows)
        ),
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
    return Figure(label, length_text(now), exact, change_text(now, then))


def length_text(seconds: int | None) -> str:
    """As everywhere, but from a hundred hours on without the minutes, which find no room."""
    if seconds is None or seconds < 100 * HOUR:
        return duration_text(seconds)
    return _("%(count)s h") % {"count": f"{seconds // HOUR:,}"}


def _counted(label: str, now: int, then: int) -> Figure:
    return Figure(label, f"{now:,}", "", change_text(now, then))
