"""What it cost and for what: engines' time, sources, months, and who used most."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from offload_portal.common import chart_theme as theme
from offload_portal.common.display import (
    change_text,
    compute_hours_text,
    duration_text,
    number_text,
    share_text,
)
from offload_portal.common.money import format_usd
from sessions.charts.rankings import ranking, rest_text
from sessions.charts.words import SOURCE_NAMES, shortened
from sessions.selectors.costs import CostRow, MonthOfUse
from sessions.selectors.engine_time import PARTS, DayOfEngines, EngineTime, engine_time
from usage.selectors import SourceUse

HOUR = 3_600
TOP = 6
# So many rows a page holds; the API has all.
MOST_ROWS = 200
PART_NAMES = {
    "in_use": gettext_lazy("In use"),
    "waiting": gettext_lazy("Waiting for the idle timeout"),
    "resumed_idle": gettext_lazy("Idle, then resumed"),
    "free_idle": gettext_lazy("Idle, not billed"),
    "starting": gettext_lazy("Starting, not billed"),
}
PART_COLOURS = {
    "in_use": theme.COLOURS[0],
    "waiting": theme.COLOURS[1],
    "resumed_idle": theme.COLOURS[3],
    "free_idle": f"{theme.COLOURS[2]}/0.45",
    "starting": f"{theme.COLOURS[4]}/0.45",
}


def engine_time_chart(days: Sequence[DayOfEngines]) -> theme.Chart:
    """What engines did, by the local day on which their sessions started; billed parts below."""
    whole = engine_time(days)
    parts = [part for part in PARTS if getattr(whole, part)]
    return theme.Chart(
        id="engine-time",
        title=_("What engines did"),
        note=_("by the day of the session's start"),
        summary=_engine_summary(whole) if whole.total else "",
        headers=[_("Day"), *(str(PART_NAMES[part]) for part in parts), _("Billed"), _("All")],
        rows=_engine_rows(days, whole, parts),
        figure=_engine_figure(days, parts) if whole.total else None,
        empty=_("The time of engines will stand here: in use, waiting, idle, starting."),
    )


def _engine_rows(
    days: Sequence[DayOfEngines], whole: EngineTime, parts: Sequence[str]
) -> list[list[str]]:
    """All days together first, then the newest."""
    if not whole.total:
        return []
    used = [day for day in reversed(days) if day.time.total]
    return [
        _engine_row(_("All days"), whole, parts),
        *(_engine_row(_day_text(day.day), day.time, parts) for day in used),
    ]


def _day_text(day: date) -> str:
    return date_format(day, pgettext("date format", "j M Y"))


def _engine_row(name: str, time: EngineTime, parts: Sequence[str]) -> list[str]:
    texts = [duration_text(getattr(time, part)) for part in parts]
    return [name, *texts, duration_text(time.billed), duration_text(time.total)]


def _engine_figure(days: Sequence[DayOfEngines], parts: Sequence[str]) -> dict[str, Any]:
    return {
        "data": [_part_bars(days, part) for part in parts],
        "layout": theme.layout(
            barmode="stack",
            bargap=0.3 if len(days) <= 45 else 0.12,
            showlegend=len(parts) > 1,
            xaxis={"type": "date", "nticks": 8, "tickformat": "%-d %b", "hoverformat": "%-d %b %Y"},
            yaxis={"title": {"text": _("hours")}},
        ),
    }


def _part_bars(days: Sequence[DayOfEngines], part: str) -> dict[str, Any]:
    seconds = [getattr(day.time, part) for day in days]
    return {
        "type": "bar",
        "name": str(PART_NAMES[part]),
        "x": [day.day.isoformat() for day in days],
        "y": [amount / HOUR for amount in seconds],
        "marker": {"color": PART_COLOURS[part], "line": {"width": 0}},
        "customdata": [duration_text(amount) for amount in seconds],
        "hovertemplate": "%{customdata}",
    }


def _engine_summary(time: EngineTime) -> str:
    return _(
        "Of %(total)s that engines ran, %(billed)s were billed; nothing ran in %(share)s of that: "
        "%(waiting)s of waiting for the idle timeout and %(resumed)s of pauses that were resumed. "
        "%(free)s idle or starting cost nothing."
    ) % {
        "total": duration_text(time.total),
        "billed": duration_text(time.billed),
        "share": share_text(time.waiting + time.resumed_idle, time.billed),
        "waiting": duration_text(time.waiting),
        "resumed": duration_text(time.resumed_idle),
        "free": duration_text(time.free),
    }


def sources_chart(sums: Mapping[str, SourceUse], before: Mapping[str, SourceUse]) -> theme.Chart:
    """Committed against on-demand: what paid for the period's use."""
    names = [name for name in SOURCE_NAMES if name in sums or name in before]
    whole = sum(each.compute_seconds for each in sums.values())
    used = [sums.get(name, SourceUse()) for name in names]
    return theme.Chart(
        id="sources",
        title=_("Committed and on-demand"),
        summary=_sources_summary(sums, whole) if whole else "",
        headers=[_("Source"), _("Compute time"), _("Share"), _("Before"), _("Change"), _("Cost")],
        rows=[
            [
                str(SOURCE_NAMES[name]),
                compute_hours_text(now.compute_seconds),
                share_text(now.compute_seconds, whole),
                compute_hours_text(before.get(name, SourceUse()).compute_seconds),
                change_text(now.compute_seconds, before.get(name, SourceUse()).compute_seconds),
                format_usd(now.cost_microusd),
            ]
            for name, now in zip(names, used, strict=True)
        ],
        figure=_sources_figure(names, used, whole) if whole else None,
        empty=_("What was paid ahead and what on demand will stand here."),
        size="short",
    )


def _sources_figure(names: Sequence[str], used: Sequence[SourceUse], whole: int) -> dict[str, Any]:
    figure = ranking(
        [str(SOURCE_NAMES[name]) for name in names],
        [each.compute_seconds for each in used],
        [_source_text(each, whole) for each in used],
        theme.COLOURS[0],
    )
    figure["data"][0]["marker"]["color"] = [theme.SOURCE_COLOURS[name] for name in names]
    return figure


def _source_text(used: SourceUse, whole: int) -> str:
    share = share_text(used.compute_seconds, whole)
    return f"{compute_hours_text(used.compute_seconds)} · {share}"


def _sources_summary(sums: Mapping[str, SourceUse], whole: int) -> str:
    beyond = [sums.get(name, SourceUse()) for name in ("on_demand", "over_limit")]
    return _("%(share)s of %(whole)s was on demand, for %(cost)s.") % {
        "share": share_text(sum(each.compute_seconds for each in beyond), whole),
        "whole": compute_hours_text(whole),
        "cost": format_usd(sum(each.cost_microusd for each in beyond)),
    }


def months_chart(months: Sequence[MonthOfUse], link: Callable[[MonthOfUse], str]) -> theme.Chart:
    """Compute time by calendar month of the zone and source; each month leads to its own."""
    sources = [name for name in SOURCE_NAMES if any(name in month.by_source for month in months)]
    return theme.Chart(
        id="months",
        title=_("Month by month"),
        note=_("whatever period is chosen above"),
        summary=_months_summary(months) if sources else "",
        headers=[_("Month"), *(str(SOURCE_NAMES[name]) for name in sources), _("All"), _("Cost")],
        rows=[
            [
                theme.Link(month_name(month.first), link(month)),
                *(compute_hours_text(month.compute_seconds_of(name)) for name in sources),
                compute_hours_text(month.compute_seconds),
                format_usd(month.cost_microusd),
            ]
            for month in reversed(months)
            if month.by_source
        ],
        figure=_months_figure(months, sources) if sources else None,
        empty=_("Months in which sessions used compute time will stand here."),
    )


def month_name(first: date) -> str:
    return date_format(first, pgettext("date format", "F Y"))


def _months_figure(months: Sequence[MonthOfUse], sources: Sequence[str]) -> dict[str, Any]:
    return {
        "data": [
            {
                "type": "bar",
                "name": str(SOURCE_NAMES[name]),
                "x": [month.first.isoformat() for month in months],
                "y": [month.compute_seconds_of(name) / HOUR for month in months],
                "marker": {"color": theme.SOURCE_COLOURS[name], "line": {"width": 0}},
                "customdata": [
                    compute_hours_text(month.compute_seconds_of(name)) for month in months
                ],
                "hovertemplate": "%{customdata}",
            }
            for name in sources
        ],
        "layout": theme.layout(
            barmode="stack",
            showlegend=len(sources) > 1,
            xaxis={
                "type": "date",
                "tickformat": "%b %Y",
                "hoverformat": "%B %Y",
                "dtick": "M1" if len(months) <= 6 else "M2",
                "tick0": months[0].first.isoformat() if months else None,
            },
            yaxis={"title": {"text": _("compute-hours")}},
        ),
    }


def _months_summary(months: Sequence[MonthOfUse]) -> str:
    dearest = max(months, key=lambda month: (month.cost_microusd, month.compute_seconds))
    return _("The dearest was %(month)s: %(cost)s on demand, %(hours)s in all.") % {
        "month": month_name(dearest.first),
        "cost": format_usd(dearest.cost_microusd),
        "hours": compute_hours_text(dearest.compute_seconds),
    }


def cost_chart(head: str, rows: Sequence[CostRow]) -> theme.Chart:
    """Who or what used most, beside the period before."""
    top = [row for row in rows[:TOP] if row.now.compute_seconds]
    whole = sum(row.now.compute_seconds for row in rows)
    return theme.Chart(
        id="cost-by",
        title=_("Who and what used it"),
        summary=_cost_summary(rows) if top else "",
        note=rest_text(len(rows) - len(top), min(len(rows), MOST_ROWS) - len(top)),
        headers=[
            head,
            _("Sessions"),
            _("Compute time"),
            _("Share"),
            _("Before"),
            _("Change"),
            _("Cost"),
            _("Cost before"),
        ],
        rows=[_cost_row(row, whole) for row in rows[:MOST_ROWS]],
        figure=ranking(
            [shortened(row.label, keep="start") for row in top],
            [row.now.compute_seconds for row in top],
            [_ranked_text(row) for row in top],
            theme.COLOURS[0],
            lines=TOP,
        )
        if top
        else None,
        empty=_("Whoever and whatever used compute time will stand here."),
    )


def _ranked_text(row: CostRow) -> str:
    parts = [compute_hours_text(row.now.compute_seconds)]
    if row.now.cost_microusd:
        parts.append(format_usd(row.now.cost_microusd))
    return " · ".join(parts)


def _cost_row(row: CostRow, whole: int) -> list[str]:
    return [
        row.label,
        number_text(row.now.sessions),
        compute_hours_text(row.now.compute_seconds),
        share_text(row.now.compute_seconds, whole),
        compute_hours_text(row.before.compute_seconds),
        change_text(row.now.compute_seconds, row.before.compute_seconds),
        format_usd(row.now.cost_microusd),
        format_usd(row.before.cost_microusd),
    ]


def _cost_summary(rows: Sequence[CostRow]) -> str:
    """Who used most, and whose use grew most."""
    first = rows[0]
    grown = max(rows, key=lambda row: row.grown_by)
    sentence = _("%(name)s used most, %(hours)s.") % {
        "name": first.label,
        "hours": compute_hours_text(first.now.compute_seconds),
    }
    if grown.grown_by > 0 and any(row.before.compute_seconds for row in rows):
        if grown is first:
            return (
                sentence
                + " "
                + _("That is %(hours)s more than before.")
                % {"hours": compute_hours_text(grown.grown_by)}
            )
        sentence += " " + _("%(name)s grew most, by %(hours)s.") % {
            "name": grown.label,
            "hours": compute_hours_text(grown.grown_by),
        }
    return sentence
