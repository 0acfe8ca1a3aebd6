"""The other pages of activity: times, cost and outcomes of the sessions that pass the filters."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from offload_portal.common.chart_theme import Link
from offload_portal.pages import activity_links as links
from offload_portal.pages.activity_asked import answer
from offload_portal.pages.live import live_page
from orgs.frames import Frame, organization_page
from orgs.privacy import LEAST_GROUP
from sessions.charts import costs, outcomes, times
from sessions.forms import ActivityChoice
from sessions.selectors.costs import MonthOfUse, cost_rows, months_of, sources_of
from sessions.selectors.engine_time import engine_days
from sessions.selectors.outcomes import FailingImage, outcomes_of
from sessions.selectors.scope import Scope
from sessions.selectors.times import times_of
from sessions.selectors.use_groups import LABEL, grouping_of_word, label_names
from usage.selectors import GroupBy

MOST_LABELS = 4


@require_safe
@live_page
@organization_page("activity")
def activity_times(request: HttpRequest, frame: Frame) -> HttpResponse:
    return answer(request, frame, "activity_times", _times)


def _times(
    request: HttpRequest, frame: Frame, choice: ActivityChoice, scope: Scope
) -> Mapping[str, Any]:
    found = times_of(scope)
    return {
        "found": found,
        "heat": times.heat_map(found.week, least_people=LEAST_GROUP if scope.is_aggregate else 0),
        "concurrency": times.concurrency_chart(found.levels, scope.zone),
        "durations": times.durations_chart(found.lengths),
        "start_times": times.start_times_chart(found.starts, found.never_ready),
    }


@require_safe
@live_page
@organization_page("activity")
def activity_cost(request: HttpRequest, frame: Frame) -> HttpResponse:
    return answer(request, frame, "activity_cost", _cost)


def _cost(
    request: HttpRequest, frame: Frame, choice: ActivityChoice, scope: Scope
) -> Mapping[str, Any]:
    words = _words(scope)
    asked = request.GET.get("by", "")
    chosen = asked if asked in words else next(iter(words))
    rows = cost_rows(scope, grouping_of_word(chosen))
    here = reverse("pages:activity_cost", args=[frame.organization.slug])

    def month_link(month: MonthOfUse) -> str:
        days = {"since": month.first.isoformat(), "until": month.last.isoformat()}
        return here + links.with_parameters(request.GET, period=None, **days)

    days, months = engine_days(scope), months_of(scope)
    return {
        "cost_rows": rows,
        "engine_days": days,
        "engines": costs.engine_time_chart(days),
        "sources": costs.sources_chart(*sources_of(scope)),
        "months": costs.months_chart(months, month_link),
        "month_links": [
            Link(costs.month_name(month.first), month_link(month))
            for month in reversed(months)
            if month.by_source
        ],
        "by": costs.cost_chart(words[chosen], rows),
        "cuts": [
            {
                "label": label,
                "url": links.with_parameters(request.GET, by=word) + "#cost-by",
                "current": word == chosen,
                "count": None,
            }
            for word, label in words.items()
        ],
    }


def _words(scope: Scope) -> dict[str, str]:
    """What `by` may be, and its tab."""
    people = {str(GroupBy.MEMBER): _("Member"), str(GroupBy.TEAM): _("Team")}
    names = label_names(scope.question(), most=MOST_LABELS)
    return {
        **(people if scope.sees_everyone else {}),
        "image": _("Image"),
        str(GroupBy.ENGINE_SIZE): _("Engine size"),
        **{f"{LABEL}{name}": _("Label: %(name)s") % {"name": name} for name in names},
    }


@require_safe
@live_page
@organization_page("activity")
def activity_outcomes(request: HttpRequest, frame: Frame) -> HttpResponse:
    return answer(request, frame, "activity_outcomes", _outcomes)


def _outcomes(
    request: HttpRequest, frame: Frame, choice: ActivityChoice, scope: Scope
) -> Mapping[str, Any]:
    found = outcomes_of(scope)
    here = reverse("pages:activity", args=[frame.organization.slug])

    def sessions_of(image: FailingImage) -> str:
        return here + links.with_parameters(request.GET, image=image.image)

    return {
        "found": found,
        "ends": outcomes.ends_chart(found.ends, found.running),
        "failing": outcomes.failing_images_chart(found, sessions_of),
        "runs": outcomes.runs_chart(found.days),
    }
