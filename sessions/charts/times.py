"""When sessions run: the week, how many at once, how long they last and take to start."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import dates
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from offload_portal.common import chart_theme as theme
from offload_portal.common.display import (
    compute_hours_number,
    compute_hours_text,
    duration_text,
    number_text,
    share_text,
)
from sessions.selectors.times import Bin, Level, Spread
from usage.selectors.week import HourOfWeek

HOUR = timedelta(hours=1)
SHADES = 6
LEAST_SHOWN = 36  # a hundredth of an hour
BY_QUARTER, BY_HOUR = timedelta(days=3), timedelta(days=32)


@dataclass(frozen=True, slots=True)
class HeatCell:
    """`shade` 0 is nothing, SHADES the most; `text` stands in it, `title` says all of it."""

    shade: int
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    name: str
    cells: tuple[HeatCell, ...]
    total: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The hours of the week as a table of coloured cells. `most` is what the darkest stands for."""

    hours: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    most: str
    summary: str
    hidden: int  # hours that fewer than five people used, where insights are in aggregate

    @property
    def has_use(self) -> bool:
        return bool(self.summary)

    @property
    def shades(self) -> range:
        return range(SHADES + 1)


def heat_map(week: Sequence[HourOfWeek], *, least_people: int = 0) -> HeatMap:
    """Compute time by weekday and hour; hours of fewer people than `least_people` stay empty."""
    shown = [hour for hour in week if hour.people >= least_people and hour.compute_seconds > 0]
    hidden = sum(hour.people < least_people for hour in week)
    most = max(shown, key=lambda hour: hour.compute_seconds, default=None)
    found = {(hour.weekday, hour.hour): hour.compute_seconds for hour in shown}
    highest = most.compute_seconds if most else 0
    return HeatMap(
        hours=tuple(f"{hour:02}" for hour in range(24)),
        rows=tuple(_heat_row(weekday, found, highest) for weekday in range(1, 8)),
        most=compute_hours_text(highest),
        summary=_week_summary(most) if most else "",
        hidden=hidden,
    )


def _heat_row(weekday: int, found: dict[tuple[int, int], int], highest: int) -> HeatRow:
    seconds = [found.get((weekday, hour), 0) for hour in range(24)]
    return HeatRow(
        name=str(dates.WEEKDAYS[weekday - 1]),
        cells=tuple(_cell(weekday, hour, each, highest) for hour, each in enumerate(seconds)),
        total=compute_hours_text(sum(seconds)),
    )


def _cell(weekday: int, hour: int, seconds: int, highest: int) -> HeatCell:
    shade = -(-seconds * SHADES // highest) if highest else 0
    title = _("%(day)s, %(from)s to %(to)s: %(hours)s") % {
        "day": dates.WEEKDAYS[weekday - 1],
        "from": f"{hour:02}:00",
        "to": f"{(hour + 1) % 24:02}:00",
        "hours": compute_hours_text(seconds),
    }
    return HeatCell(shade, _cell_text(seconds), title)


def _cell_text(seconds: int) -> str:
    """A cell has room for four letters."""
    if not seconds:
        return ""
    return compute_hours_number(seconds) if seconds >= LEAST_SHOWN else "·"


def _week_summary(most: HourOfWeek) -> str:
    return _("Most on %(day)s from %(hour)s: %(hours)s of compute time.") % {
        "day": dates.WEEKDAYS[most.weekday - 1],
        "hour": f"{most.hour:02}:00",
        "hours": compute_hours_text(most.compute_seconds),
    }


def concurrency_chart(levels: Sequence[Level], zone: ZoneInfo) -> theme.Chart:
    """The most sessions at once, by quarter, hour or day, as the period is long."""
    peak = max(levels, key=lambda level: level.most, default=None)
    drawn = _coarser(levels, zone)
    return theme.Chart(
        id="concurrency",
        title=_("Sessions at once"),
        summary=_peak_text(peak, zone) if peak and peak.most else "",
        note=_grain_text(levels),
        headers=[_("Day"), _("Most at once"), _("At")],
        rows=_peaks_by_day(levels, zone),
        figure=_levels_figure(drawn, zone) if peak and peak.most else None,
        empty=_("How many sessions run at the same time will stand here."),
    )


def _span(levels: Sequence[Level]) -> timedelta:
    return levels[-1].at - levels[0].at if levels else timedelta(0)


def _grain_text(levels: Sequence[Level]) -> str:
    span = _span(levels)
    if span <= BY_QUARTER:
        return _("the most in each quarter of an hour")
    return _("the most in each hour") if span <= BY_HOUR else _("the most on each day")


def _coarser(levels: Sequence[Level], zone: ZoneInfo) -> list[Level]:
    span = _span(levels)
    if span <= BY_QUARTER:
        return list(levels)
    if span <= BY_HOUR:
        groups = groupby(levels, key=lambda level: level.at.replace(minute=0, second=0))
    else:
        groups = groupby(levels, key=lambda level: level.at.astimezone(zone).date())
    found = []
    for _key, members in groups:
        own = list(members)
        found.append(Level(own[0].at, max(level.most for level in own)))
    return found


def _peak_text(peak: Level, zone: ZoneInfo) -> str:
    at = peak.at.astimezone(zone)
    return ngettext(
        "At most %(count)s session at once, first on %(day)s about %(time)s.",
        "At most %(count)s sessions at once, first on %(day)s about %(time)s.",
        peak.most,
    ) % {
        "count": number_text(peak.most),
        "day": date_format(at, pgettext("date format", "j M Y")),
        "time": at.strftime("%H:%M"),
    }


def _levels_figure(levels: Sequence[Level], zone: ZoneInfo) -> dict[str, Any]:
    """By the wall clock of the zone; the hour that clocks repeat is drawn over itself."""
    places = [level.at.astimezone(zone).strftime("%Y-%m-%d %H:%M") for level in levels]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "name": _("Sessions"),
                "x": places,
                "y": [level.most for level in levels],
                "line": {"shape": "hv", "color": theme.COLOURS[0], "width": 1.5},
                "fill": "tozeroy",
                "fillcolor": f"{theme.COLOURS[0]}/0.16",
                "hovertemplate": "%{y}",
            }
        ],
        "layout": theme.layout(
            showlegend=False,
            xaxis={
                "type": "date",
                "nticks": 8,
                "tickformat": "%H:%M<br>%-d %b" if _span(levels) <= BY_QUARTER else "%-d %b",
                "hoverformat": "%-d %b %Y, %H:%M",
            },
            yaxis={"title": {"text": _("sessions")}, "tickformat": ",d"},
        ),
    }


def _peaks_by_day(levels: Sequence[Level], zone: ZoneInfo) -> list[list[str]]:
    by_day: dict[date, Level] = {}
    for level in levels:
        day = level.at.astimezone(zone).date()
        if day not in by_day or level.most > by_day[day].most:
            by_day[day] = level
    return [
        [
            date_format(day, pgettext("date format", "j M Y")),
            number_text(level.most),
            _clock(level.at, zone),
        ]
        for day, level in reversed(by_day.items())
        if level.most
    ]


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%H:%M")


def durations_chart(spread: Spread) -> theme.Chart:
    """How long sessions lasted that have ended."""
    return _spread_chart(
        spread,
        chart_id="durations",
        title=_("How long sessions last"),
        empty=_("Sessions that have ended will stand here by their length."),
        colour=theme.COLOURS[0],
    )


def start_times_chart(spread: Spread, never_ready: int) -> theme.Chart:
    """From the start to the engine's answer."""
    note = ngettext("%(count)s never answered", "%(count)s never answered", never_ready) % {
        "count": number_text(never_ready)
    }
    return _spread_chart(
        spread,
        chart_id="start-times",
        title=_("How long engines take to start"),
        empty=_("Engines that answered will stand here by the time it took."),
        colour=theme.COLOURS[2],
        note=note if never_ready else "",
    )


def _spread_chart(
    spread: Spread, *, chart_id: str, title: str, empty: str, colour: str, note: str = ""
) -> theme.Chart:
    names = [_bin_name(each) for each in spread.bins]
    return theme.Chart(
        id=chart_id,
        title=title,
        summary=_spread_summary(spread) if spread.count else "",
        note=note,
        headers=[_("Length"), _("Sessions"), _("Share")],
        rows=[
            [name, number_text(each.count), share_text(each.count, spread.count)]
            for name, each in zip(names, spread.bins, strict=True)
        ],
        figure=_spread_figure(spread, names, colour) if spread.count else None,
        empty=empty,
    )


def _spread_figure(spread: Spread, names: Sequence[str], colour: str) -> dict[str, Any]:
    return {
        "data": [
            {
                "type": "bar",
                "name": _("Sessions"),
                "x": list(names),
                "y": [each.count for each in spread.bins],
                "marker": {"color": colour, "line": {"width": 0}},
                "customdata": [
                    f"{number_text(each.count)} · {share_text(each.count, spread.count)}"
                    for each in spread.bins
                ],
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        ],
        "layout": theme.layout(
            bargap=0.08,
            showlegend=False,
            xaxis={"type": "category", "tickangle": -40},
            yaxis={"tickformat": ",d"},
        ),
    }


def _bin_name(each: Bin) -> str:
    if each.below is None:
        return _("%(least)s or more") % {"least": duration_text(each.least)}
    if not each.least:
        return _("under %(most)s") % {"most": duration_text(each.below)}
    return f"{duration_text(each.least)} – {duration_text(each.below)}"


def _spread_summary(spread: Spread) -> str:
    return _("Half within %(middle)s, nine in ten within %(ninth)s, the longest %(longest)s.") % {
        "middle": duration_text(spread.middle),
        "ninth": duration_text(spread.ninth),
        "longest": duration_text(spread.longest),
    }
