"""Bars that lie under each other: who and what comes first."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from offload_portal.common import chart_theme as theme
from offload_portal.common.display import number_text
from sessions.charts.words import plain


def rest_text(more: int, listed: int) -> str:
    """How many the picture leaves out, and whether the table has them."""
    if more <= 0:
        return ""
    if listed >= more:
        return _("%(count)s more in the numbers") % {"count": more}
    return _("%(count)s more, %(listed)s of them in the numbers") % {
        "count": number_text(more),
        "listed": listed,
    }


def ranking(
    names: Sequence[str],
    values: Sequence[int],
    texts: Sequence[str],
    colour: str,
    *,
    lines: int = 4,
) -> dict[str, Any]:
    """Bars that lie, the first at the top, each named above itself so that names have room.

    `lines` is how many the picture has room for.
    """
    places = list(range(len(names), 0, -1))
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": list(values),
                "y": places,
                "width": 0.24,
                "marker": {"color": colour, "line": {"width": 0}},
                "customdata": [
                    [plain(name), text] for name, text in zip(names, texts, strict=True)
                ],
                "hovertemplate": "<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>",
            }
        ],
        "layout": theme.layout(
            hovermode="closest",
            showlegend=False,
            margin={"l": 0, "r": 0, "t": 0, "b": 0},
            xaxis={"visible": False, "range": [0, max(values) or 1]},
            yaxis={"visible": False, "range": [len(names) - lines + 0.6, len(names) + 0.75]},
            annotations=_labels(names, places, "left") + _labels(texts, places, "right"),
        ),
    }


def _labels(texts: Sequence[str], lines: Sequence[int], side: str) -> list[dict[str, Any]]:
    colour = "var:--ink" if side == "left" else "var:--ink-3"
    return [
        {
            "text": plain(text),
            "xref": "paper",
            "x": 0 if side == "left" else 1,
            "xanchor": side,
            "y": line + 0.16,
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": 12, "color": colour},
        }
        for text, line in zip(texts, lines, strict=True)
    ]
