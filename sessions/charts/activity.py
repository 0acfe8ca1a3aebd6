"""A period's sessions: the trend by day, popular images, top users."""

from collections.abc import Sequence
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from offload_portal.common import chart_theme as theme
from offload_portal.common.display import compute_hours_text, duration_text, number_text
from offload_portal.common.money import format_usd
from sessions.charts.rankings import ranking, rest_text
from sessions.charts.words import SOURCE_NAMES, shortened
from sessions.selectors.activity import TOP, PersonUse
from sessions.selectors.image_use import ImageUse
from usage.selectors.days import DayOfUse

HOUR = 3_600


def usage_trend_chart(
    days: Sequence[DayOfUse],
    before: Sequence[DayOfUse] = (),
    *,
    chart_id: str = "usage-trend",
) -> theme.Chart:
    """Compute-hours by local day, stacked by what paid for them.

    `before` are the days of the period before: a line that runs along, the first beside the first.
    """
    sources = [name for name in SOURCE_NAMES if any(name in day.by_source for day in days)]
    headers = [_("Day"), *(str(SOURCE_NAMES[name]) for name in sources), _("All"), _("Cost")]
    return theme.Chart(
        id=chart_id,
        title=_("Compute time by day"),
        summary=_trend_summary(days) if sources else "",
        headers=headers,
        rows=[_day_row(day, sources) for day in reversed(days) if day.by_source],
        figure=_trend_figure(days, sources, before) if sources else None,
        empty=_("Days on which sessions used compute time will stand here."),
    )


def _trend_figure(
    days: Sequence[DayOfUse], sources: Sequence[str], before: Sequence[DayOfUse]
) -> dict[str, Any]:
    earlier = [_earlier_line(days, before)] if any(day.seconds for day in before) else []
    return {
        "data": [_source_bars(days, source) for source in sources] + earlier,
        "layout": theme.layout(
            barmode="stack",
            bargap=0.3 if len(days) <= 45 else 0.12,
            showlegend=len(sources) + len(earlier) > 1,
            xaxis={"type": "date", "nticks": 8, "tickformat": "%-d %b", "hoverformat": "%-d %b %Y"},
            yaxis={"title": {"text": _("compute-hours")}},
        ),
    }


def _source_bars(days: Sequence[DayOfUse], source: str) -> dict[str, Any]:
    seconds = [_compute_seconds(day, source) for day in days]
    return {
        "type": "bar",
        "name": str(SOURCE_NAMES[source]),
        "x": [day.day.isoformat() for day in days],
        "y": [amount / HOUR for amount in seconds],
        "marker": {"color": theme.SOURCE_COLOURS[source], "line": {"width": 0}},
        "customdata": [compute_hours_text(amount) for amount in seconds],
        "hovertemplate": "%{customdata}",
    }


def _earlier_line(days: Sequence[DayOfUse], before: Sequence[DayOfUse]) -> dict[str, Any]:
    beside = list(zip(days, before, strict=False))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": _("Period before"),
        "x": [day.day.isoformat() for day, _then in beside],
        "y": [then.compute_seconds / HOUR for _day, then in beside],
        "line": {"color": theme.QUIET, "width": 1.5, "dash": "dot"},
        "customdata": [
            f"{compute_hours_text(then.compute_seconds)} · {_short_day(then)}"
            for _day, then in beside
        ],
        "hovertemplate": "%{customdata}",
    }


def _short_day(day: DayOfUse) -> str:
    return date_format(day.day, pgettext("date format", "j M"))


def _compute_seconds(day: DayOfUse, source: str) -> int:
    use = day.by_source.get(source)
    return 0 if use is None else use.compute_seconds


def _day_row(day: DayOfUse, sources: Sequence[str]) -> list[str]:
    return [
        date_format(day.day, pgettext("date format", "j M Y")),
        *(compute_hours_text(_compute_seconds(day, source)) for source in sources),
        compute_hours_text(day.compute_seconds),
        format_usd(day.cost_microusd),
    ]


def _trend_summary(days: Sequence[DayOfUse]) -> str:
    most = max(days, key=lambda day: day.compute_seconds)
    return _("%(total)s in all, most on %(day)s (%(most)s).") % {
        "total": compute_hours_text(sum(day.compute_seconds for day in days)),
        "day": date_format(most.day, pgettext("date format", "j M Y")),
        "most": compute_hours_text(most.compute_seconds),
    }


def popular_images_chart(images: Sequence[ImageUse], total: int) -> theme.Chart:
    """The images that most sessions used; the table goes on beyond the picture."""
    top = images[:TOP]
    return theme.Chart(
        id="popular-images",
        title=_("Popular images"),
        size="short",
        note=rest_text(total - len(top), len(images) - len(top)),
        headers=[_("Image"), _("Sessions"), _("Runs"), _("Users")],
        rows=[
            [use.image, number_text(use.sessions), number_text(use.runs), number_text(use.users)]
            for use in images
        ],
        figure=ranking(
            [shortened(use.image) for use in top],
            [use.sessions for use in top],
            [_sessions(use.sessions) for use in top],
            theme.COLOURS[4],
        )
        if top
        else None,
        empty=_("Images of the containers that sessions ran will stand here."),
    )


def top_users_chart(people: Sequence[PersonUse], total: int) -> theme.Chart:
    """Who was longest in sessions."""
    top = people[:TOP]
    return theme.Chart(
        id="top-users",
        title=_("Top users"),
        size="short",
        note=rest_text(total - len(top), len(people) - len(top)),
        headers=[_("User"), _("Duration"), _("Sessions")],
        rows=[
            [use.name, duration_text(use.total_seconds), number_text(use.sessions)]
            for use in people
        ],
        figure=ranking(
            [shortened(use.name, keep="start") for use in top],
            [use.total_seconds for use in top],
            [duration_text(use.total_seconds) for use in top],
            theme.COLOURS[2],
        )
        if top
        else None,
        empty=_("People who started sessions will stand here."),
    )


def _sessions(count: int) -> str:
    return ngettext("%(count)s session", "%(count)s sessions", count) % {
        "count": number_text(count)
    }
