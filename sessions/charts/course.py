"""A billing period's course: what was used so far, what there is, and where it is heading."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from offload_portal.common import chart_theme as theme
from offload_portal.common.allowance_bar import LIMITED, AllowanceFigures
from offload_portal.common.display import compute_hours_text
from offload_portal.common.money import format_usd
from usage.selectors import DayOfUse

HOUR = 3_600


def course_chart(
    days: Sequence[DayOfUse], figures: AllowanceFigures, last_day: date
) -> theme.Chart:
    """Use added up by day, the forecast as a dashed line to the period's last day.

    Lines lie at what was paid ahead and at the on-demand limit, where they are in sight.
    """
    sums = _added_up(days)
    used = sums[-1] if sums else 0
    return theme.Chart(
        id="period-course",
        title=_("Compute time of this period"),
        summary=_summary(figures, used) if used else "",
        headers=[_("Day"), _("Compute time"), _("Added up"), _("On-demand cost")],
        rows=[
            [
                _date(day.day),
                compute_hours_text(day.compute_seconds),
                compute_hours_text(total),
                format_usd(day.cost_microusd),
            ]
            for day, total in reversed(list(zip(days, sums, strict=True)))
            if day.by_source
        ],
        figure=_figure(days, sums, figures, last_day) if used else None,
        empty=_("The first session's compute time will stand here, and where it is heading."),
    )


def _added_up(days: Sequence[DayOfUse]) -> list[int]:
    total, sums = 0, []
    for day in days:
        total += day.compute_seconds
        sums.append(total)
    return sums


def _date(day: date) -> str:
    return date_format(day, pgettext("date format", "j M Y"))


def _figure(
    days: Sequence[DayOfUse], sums: Sequence[int], figures: AllowanceFigures, last_day: date
) -> dict[str, Any]:
    data = [_used_line(days, sums)]
    heading = figures.forecast
    if heading is not None and last_day > days[-1].day:
        data.append(_forecast_line(days[-1].day, sums[-1], last_day, max(heading, sums[-1])))
    top = max(sums[-1], heading or 0)
    bounds = _bounds(figures, top)
    highest = max([top, *(amount for amount, _name in bounds)])
    first = days[0].day
    edges = [first, max(last_day, first + timedelta(days=1))]
    return {
        "data": data,
        "layout": theme.layout(
            showlegend=len(data) > 1,
            xaxis={
                "type": "date",
                "nticks": 8,
                "tickformat": "%-d %b",
                "hoverformat": "%-d %b %Y",
                "range": [edge.isoformat() for edge in edges],
            },
            yaxis={"title": {"text": _("compute-hours")}, "range": [0, highest * 1.3 / HOUR]},
            shapes=[_bound_shape(amount) for amount, _name in bounds],
            annotations=[_bound_label(amount, name) for amount, name in bounds],
        ),
    }


def _used_line(days: Sequence[DayOfUse], sums: Sequence[int]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(days) < 3 else "lines",
        "name": _("Used"),
        "x": [day.day.isoformat() for day in days],
        "y": [total / HOUR for total in sums],
        "line": {"color": theme.COLOURS[0], "width": 2, "shape": "linear"},
        "fill": "tozeroy",
        "fillcolor": f"{theme.COLOURS[0]}/0.14",
        "customdata": [compute_hours_text(total) for total in sums],
        "hovertemplate": "%{customdata}",
    }


def _forecast_line(first: date, used: int, last: date, heading: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": _("At the pace of the last week"),
        "x": [first.isoformat(), last.isoformat()],
        "y": [used / HOUR, heading / HOUR],
        "line": {"color": "var:--ink-3", "width": 2, "dash": "dot"},
        "customdata": [compute_hours_text(used), compute_hours_text(heading)],
        "hovertemplate": "%{customdata}",
    }


def _bounds(figures: AllowanceFigures, top: int) -> list[tuple[int, str]]:
    """Those that the picture can show without pressing the line to the ground."""
    ahead = figures.committed + figures.top_ups
    found = [(ahead, _("Committed and top-ups") if figures.top_ups else _("Committed"))]
    if figures.on_demand == LIMITED and figures.on_demand_limit:
        found.append((figures.limit, _("On-demand limit")))
    return [(amount, name) for amount, name in found if 0 < amount <= 3 * top]


def _bound_shape(amount: int) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": amount / HOUR,
        "y1": amount / HOUR,
        "line": {"color": "var:--line-control", "width": 1, "dash": "dash"},
    }


def _bound_label(amount: int, name: str) -> dict[str, Any]:
    return {
        "text": f"{name}, {compute_hours_text(amount)}",
        "xref": "paper",
        "x": 0,
        "xanchor": "left",
        "y": amount / HOUR,
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 12, "color": "var:--ink-3"},
    }


def _summary(figures: AllowanceFigures, used: int) -> str:
    if figures.forecast is None:
        return _("%(used)s used so far.") % {"used": compute_hours_text(used)}
    return _("%(used)s used so far; about %(forecast)s by the end of the period.") % {
        "used": compute_hours_text(used),
        "forecast": compute_hours_text(figures.forecast),
    }
