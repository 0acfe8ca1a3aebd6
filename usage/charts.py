"""Charts of the book: what is left of a period, and what each day used."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from offload_portal.common.chart_theme import COLOURS, QUIET, SOURCE_COLOURS, Chart, layout
from offload_portal.common.display import compute_hours_text
from offload_portal.common.periods import DAY, day_start, from_seconds, to_seconds
from usage.enums import EntrySource
from usage.selectors import AllowanceView, DayOfUse

HOUR = 3_600
DATES: dict[str, Any] = {"type": "date", "tickformat": "%-d %b"}


def _hours(compute_seconds: int) -> float:
    """For drawing only: the table beside the chart holds the exact numbers."""
    return round(compute_seconds / HOUR, 3)


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _day(day: Any) -> str:
    return date_format(day, pgettext("date format", "j M Y"))


def usage_by_day(days: Sequence[DayOfUse]) -> Chart:
    """Compute-hours of each day, stacked by who paid them."""
    sources = [source for source in EntrySource if any(source in day.by_source for day in days)]
    texts = [day.day.isoformat() for day in days]
    data = [
        {
            "type": "bar",
            "name": str(source.label),
            "x": texts,
            "y": [_hours(_of(day, source)) for day in days],
            "marker": {"color": SOURCE_COLOURS[source]},
            "hovertemplate": "%{y:.2f} h",
        }
        for source in sources
    ]
    used = sum(day.compute_seconds for day in days)
    return Chart(
        id="usage-by-day",
        title=_("Compute time by day"),
        summary=_("%(used)s in this period.") % {"used": compute_hours_text(used)},
        figure=_stacked(data) if sources else None,
        headers=[_("Day"), *(str(source.label) for source in sources)],
        rows=[
            [_day(day.day), *(compute_hours_text(_of(day, source)) for source in sources)]
            for day in days
        ],
        empty=_("Days with sessions will stand here, from the first session on."),
    )


def _of(day: DayOfUse, source: EntrySource) -> int:
    use = day.by_source.get(source)
    return 0 if use is None else use.compute_seconds


def _stacked(data: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "data": data,
        "layout": layout(
            barmode="stack", xaxis=DATES, yaxis={"title": {"text": _("compute-hours")}}
        ),
    }


def burn_down(view: AllowanceView, days: Sequence[DayOfUse], zone: ZoneInfo, at: datetime) -> Chart:
    """What is left of everything that this period may use, and where it is heading.

    Without a bound it shows what is used instead. The line starts from what the period has in
    all, as if what was bought later had been there from its start.
    """
    bounded = view.left_compute_seconds is not None
    points = _points(view, days, zone, at)
    past = [_past(points, zone, bounded=bounded)]
    coming = _coming(view, points[-1][1], at) if points else []
    if coming:
        past.append(_forecast(coming, zone))
    title = _("What is left of this period") if bounded else _("What this period has used")
    return Chart(
        id="burn-down",
        title=title,
        summary=_summary(view),
        figure=_lines(past, view, zone) if points else None,
        headers=[_("At"), title],
        rows=[
            [date_format(at.astimezone(zone), pgettext("date format", "j M Y, H:i")), text]
            for at, text in ((at, compute_hours_text(amount)) for at, amount in points)
        ],
        empty=_("A line will stand here as soon as there is a billing period."),
    )


def _points(
    view: AllowanceView, days: Sequence[DayOfUse], zone: ZoneInfo, now: datetime
) -> list[tuple[datetime, int]]:
    """(instant, compute-seconds left or used) at the period's start, each day's end, and now."""
    if view.period_start is None:
        return []
    used, bounded = 0, view.left_compute_seconds is not None
    whole = (view.left_compute_seconds or 0) + sum(day.compute_seconds for day in days)
    points = [(view.period_start, whole if bounded else 0)]
    for day in days:
        used += day.compute_seconds
        ends = day_start(zone, _day_after(day))
        at = min(ends, now)
        if at > points[-1][0]:
            points.append((at, whole - used if bounded else used))
    return points


def _day_after(day: DayOfUse) -> date:
    return day.day + timedelta(days=1)


def _coming(view: AllowanceView, amount: int, now: datetime) -> list[tuple[datetime, int]]:
    """From now to the end of the period, or to where nothing is left."""
    pace, end = view.burn_week, view.usable_until
    if end is None or not pace.used or end <= now:
        return []
    rest = to_seconds(end) - to_seconds(now)
    if view.left_compute_seconds is None:
        return [(now, amount), (end, amount + pace.used * rest // pace.within)]
    lasts = min(rest, pace.lasts(amount) or 0)
    until = from_seconds(to_seconds(now) + lasts)
    points = [(now, amount), (until, max(0, amount - pace.used * lasts // pace.within))]
    return [*points, (end, 0)] if lasts < rest else points


def _past(points: Sequence[tuple[datetime, int]], zone: ZoneInfo, *, bounded: bool) -> Any:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": _("Left") if bounded else _("Used"),
        "x": [_local(at, zone) for at, _amount in points],
        "y": [_hours(amount) for _at, amount in points],
        "line": {"color": COLOURS[0], "width": 2},
        "fill": "tozeroy",
        "fillcolor": "var:--chart-1/0.12",
        "hovertemplate": "%{y:.1f} h",
    }


def _forecast(points: Sequence[tuple[datetime, int]], zone: ZoneInfo) -> Any:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": _("At the pace of the last week"),
        "x": [_local(at, zone) for at, _amount in points],
        "y": [_hours(amount) for _at, amount in points],
        "line": {"color": QUIET, "width": 2, "dash": "dot"},
        "hovertemplate": "%{y:.1f} h",
    }


def _lines(data: list[Any], view: AllowanceView, zone: ZoneInfo) -> dict[str, Any]:
    """Over the whole period, so that one sees how much of it is still to come."""
    bounds = [at for at in (view.period_start, view.usable_until) if at is not None]
    dates = {**DATES, "range": [_local(at, zone) for at in bounds]} if len(bounds) == 2 else DATES
    return {
        "data": data,
        "layout": layout(xaxis=dates, yaxis={"title": {"text": _("compute-hours")}}),
    }


def _summary(view: AllowanceView) -> str:
    if not view.burn_week.used:
        return _("Nothing was used in the last week.")
    a_day = compute_hours_text(view.burn_week.used * DAY // view.burn_week.within)
    if view.forecast_at is not None:
        day = date_format(view.forecast_at, pgettext("date format", "j M Y"))
        return _("At %(a_day)s a day it runs out on %(day)s.") % {"a_day": a_day, "day": day}
    if view.left_compute_seconds is None:
        return _("%(a_day)s a day in the last week.") % {"a_day": a_day}
    return _("At %(a_day)s a day it lasts until the period ends.") % {"a_day": a_day}
