"""What every chart shares. Colours are names of design tokens, never values.

`var:--chart-1` in a figure becomes the token's colour of the reader's theme in charts.js, and
`var:--chart-1/0.2` the same at 20 % opacity, so one figure serves light and dark.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

COLOURS = tuple(f"var:--chart-{number}" for number in range(1, 7))
GOOD, NOTICE, WARNING, DANGER = "var:--good", "var:--notice", "var:--warning", "var:--danger"
QUIET = "var:--ink-3"

# The same thing has the same colour on every page and in the allowance bar.
SOURCE_COLOURS = {
    "committed": COLOURS[0],
    "top_up": COLOURS[2],
    "on_demand": COLOURS[1],
    "over_limit": DANGER,
}
STATE_COLOURS = {
    "starting": NOTICE,
    "active": COLOURS[0],
    "idle": "var:--chart-1/0.35",
    "ended": QUIET,
    "failed": DANGER,
}

_AXIS: dict[str, Any] = {
    "automargin": True,
    "fixedrange": True,
    "gridcolor": "var:--chart-grid",
    "linecolor": "var:--chart-axis",
    "tickcolor": "var:--chart-axis",
    "zerolinecolor": "var:--chart-axis",
    "tickfont": {"size": 12, "color": "var:--ink-3"},
    "title": {"font": {"size": 12, "color": "var:--ink-3"}},
}

LAYOUT: dict[str, Any] = {
    "autosize": True,
    "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    "paper_bgcolor": "var:--surface",
    "plot_bgcolor": "var:--surface",
    "colorway": list(COLOURS),
    "font": {"size": 12, "color": "var:--ink-2"},
    "hovermode": "x unified",
    "hoverlabel": {
        "bgcolor": "var:--raised",
        "bordercolor": "var:--line-strong",
        "font": {"size": 12, "color": "var:--ink"},
    },
    "legend": {
        "orientation": "h",
        "x": 0,
        "y": 1.02,
        "yanchor": "bottom",
        "itemsizing": "constant",
        "traceorder": "normal",
    },
    "xaxis": {
        **_AXIS,
        "showgrid": False,
        "showline": True,
        "spikecolor": "var:--line-control",
        "spikethickness": 1,
        "spikedash": "solid",
    },
    "yaxis": {**_AXIS, "rangemode": "tozero", "nticks": 5},
    "modebar": {
        "bgcolor": "rgba(0,0,0,0)",
        "color": "var:--ink-3",
        "activecolor": "var:--ink",
    },
    "bargap": 0.3,
    "separators": ".,",
}


@dataclass(frozen=True, slots=True)
class Link:
    """A cell of a chart's table that leads somewhere."""

    text: str
    url: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure for `{% chart %}` and the same numbers as a table.

    `figure` is what Plotly's `to_plotly_json()` or `to_json()` gives, or None where there is
    nothing to draw; then `empty` says what will stand here.
    """

    id: str
    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    figure: dict[str, Any] | str | None = None
    summary: str = ""  # one sentence that says what the picture says
    empty: str = ""
    note: str = ""  # what is missing or partial
    size: str = "regular"  # short, regular, tall
    numeric_from: int = 1  # the first column with numbers
    attributes: dict[str, str] = field(default_factory=dict)


def merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`own` laid over `base`, dictionaries within dictionaries; neither is changed."""
    result = dict(base)
    for key, value in own.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        result[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def layout(**own: Any) -> dict[str, Any]:
    """The shared layout with a chart's own settings over it."""
    return merged(LAYOUT, own)
