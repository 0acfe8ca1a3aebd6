"""Charts as PNG pictures, for mail: the figures of the pages, drawn without a browser.

    png = picture_of(usage_trend_chart(days), width=1040, height=480)

It draws what our own figures are made of: bars by day or category (stacked or not), bars that lie
under each other, lines. Colours are the design tokens' of the light theme, read from the very
stylesheet that pages use. Matplotlib is loaded by the first picture, not with the portal.
"""

import io
import json
import re
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_date
from django.utils.formats import date_format

from offload_portal.common.chart_theme import Chart

DPI = 144
_TOKENS = Path("offload_portal/static/portal/css/tokens.css")
_TOKEN = re.compile(r"^\s*(--[a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", re.M)
_TAG = re.compile(r"<[^>]+>")
# Those that are installed; the first has Latin, Greek and Cyrillic and comes with Matplotlib.
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Arabic", "Noto Sans")
# Matplotlib's state belongs to the process.
_one_at_a_time = threading.Lock()


@cache
def tokens() -> Mapping[str, str]:
    """The light theme's colours by name: `--chart-1` is `#5128c6`."""
    text = (Path(settings.BASE_DIR) / _TOKENS).read_text(encoding="utf-8")
    return {name: light for name, light, _dark in _TOKEN.findall(text)}


def colour_of(value: str) -> tuple[float, float, float, float]:
    """Red, green, blue and opacity of `var:--chart-1/0.35` or of a plain `#rrggbb`."""
    name, _slash, opacity = value.removeprefix("var:").partition("/")
    code = tokens()[name] if name.startswith("--") else name
    red, green, blue = (int(code[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue, float(opacity or 1)


def picture_of(chart: Chart, *, width: int = 1_040, height: int = 480) -> bytes:
    """The chart's figure as PNG of so many pixels; the chart must have one."""
    figure = json.loads(chart.figure) if isinstance(chart.figure, str) else chart.figure
    if figure is None:
        raise ValueError(f"The chart {chart.id} has nothing to draw.")
    with _one_at_a_time:
        return _drawn(figure, width, height)


def _drawn(figure: Mapping[str, Any], width: int, height: int) -> bytes:
    from matplotlib import rc_context  # heavy, and most processes draw nothing
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context({"font.family": _installed(), "font.size": 11, "svg.fonttype": "none"}):
        drawing = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout="constrained")
        FigureCanvasAgg(drawing)
        drawing.set_facecolor(colour_of("var:--surface"))
        axes = drawing.add_subplot()
        if any(trace.get("orientation") == "h" for trace in figure["data"]):
            _draw_ranking(axes, figure)
        else:
            _draw_by_place(axes, figure)
        into = io.BytesIO()
        drawing.savefig(into, format="png", facecolor=drawing.get_facecolor())
    return into.getvalue()


@cache
def _installed() -> list[str]:
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in FONTS if name in known]


def _draw_by_place(axes: Any, figure: Mapping[str, Any]) -> None:
    """Bars and lines over days or categories, in their order."""
    traces = figure["data"]
    places: list[str] = []
    for trace in traces:
        places += [str(place) for place in trace["x"] if str(place) not in places]
    number = {place: index for index, place in enumerate(places)}
    below = [0.0] * len(places)
    for trace in traces:
        where = [number[str(place)] for place in trace["x"]]
        heights = [float(value) for value in trace["y"]]
        if trace["type"] == "bar":
            bottom = [below[place] for place in where]
            axes.bar(
                where,
                heights,
                bottom=bottom,
                width=0.7,
                color=_colours(trace["marker"]["color"], len(where)),
                label=trace.get("name"),
            )
            for place, value in zip(where, heights, strict=True):
                below[place] += value
        else:
            axes.plot(
                where,
                heights,
                color=colour_of(trace["line"]["color"]),
                linewidth=1.2,
                linestyle=":" if trace["line"].get("dash") else "-",
                label=trace.get("name"),
            )
    _frame(axes, figure["layout"], places)
    if figure["layout"].get("showlegend"):
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=4,
            frameon=False,
            handlelength=1,
            labelcolor=[colour_of("var:--ink-2")] * len(traces),
        )


def _frame(axes: Any, layout: Mapping[str, Any], places: Sequence[str]) -> None:
    """A hairline below, quiet lines across, few names."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(colour_of("var:--chart-axis"))
    axes.grid(axis="y", color=colour_of("var:--chart-grid"), linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=colour_of("var:--ink-3"))
    axes.set_ylabel(layout["yaxis"].get("title", {}).get("text", ""))
    axes.yaxis.label.set_color(colour_of("var:--ink-3"))
    axes.locator_params(axis="y", nbins=5)
    axes.set_ylim(bottom=0)
    step = max(1, -(-len(places) // 8))
    shown = range(0, len(places), step)
    axes.set_xticks(list(shown), [_short(places[place]) for place in shown])
    axes.set_xlim(-0.7, len(places) - 0.3)


def _short(place: str) -> str:
    """`2026-11-03` as `3 Nov`; other places as they are."""
    day = parse_date(place) if len(place) == 10 else None
    return date_format(day, "j M") if day else place


def _draw_ranking(axes: Any, figure: Mapping[str, Any]) -> None:
    """Bars that lie, with the name above each at the left and its value at the right."""
    trace, layout = figure["data"][0], figure["layout"]
    axes.barh(
        trace["y"],
        [float(value) for value in trace["x"]],
        height=0.24,
        color=_colours(trace["marker"]["color"], len(trace["y"])),
    )
    axes.set_axis_off()
    axes.set_xlim(*layout["xaxis"]["range"])
    axes.set_ylim(*layout["yaxis"]["range"])
    for label in layout["annotations"]:
        axes.text(
            label["x"],
            label["y"],
            plain(label["text"]),
            transform=axes.get_yaxis_transform(),
            ha=label["xanchor"],
            va="bottom",
            color=colour_of(label["font"]["color"]),
            parse_math=False,
        )


def plain(text: str) -> str:
    """What Plotly would show of the text: without its tags, and letters for entities."""
    return unescape(_TAG.sub("", text))


def _colours(value: str | Sequence[str], count: int) -> list[Any]:
    names = [value] * count if isinstance(value, str) else list(value)
    return [colour_of(name) for name in names]
