"""What a session's engine used: processor, memory and network over the timeline's time axis."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

from offload_portal.common import chart_theme as theme
from offload_portal.common.display import bytes_text, duration_text
from sessions.charts.timeline import extent
from sessions.charts.words import Axis, clock_words, time_axis
from sessions.selectors.insights import Insights
from sessions.selectors.samples import SampleView, gone_from

MIB = 1024**2
SHORTEST_GAP = timedelta(seconds=20)
# Samples come every fifteen seconds at most, so up to there a point is what was sent.
FINEST_SECONDS = 15


def resources_chart(insights: Insights, zone: ZoneInfo) -> theme.Chart:
    """Processor, memory and network below each other; nothing is drawn where nobody sent."""
    start, end = extent(insights)
    axis = Axis(start, zone)
    samples = insights.samples
    return theme.Chart(
        id="session-resources",
        title=_("Processor, memory and network"),
        size="tall",
        summary=_summary(samples) if samples else "",
        note=_note(insights, axis) if samples else "",
        headers=[_("Time"), _("Processor"), _("Memory"), _("Received"), _("Sent")],
        rows=[_table_row(sample, axis) for sample in samples],
        figure=_figure(insights, axis, start, end) if samples else None,
        empty=_empty(insights),
    )


def cpu_text(milli_percent: int) -> str:
    """Thousandths of a percent of one processor as `150 %`."""
    return f"{(milli_percent + 500) // 1000:,} %"


def _note(insights: Insights, axis: Axis) -> str:
    """The zone, and what a point stands for where it is more than what was sent."""
    if insights.sample_seconds <= FINEST_SECONDS:
        return clock_words(axis)
    each = _("each point is the highest of %(length)s") % {
        "length": duration_text(insights.sample_seconds)
    }
    return f"{clock_words(axis)} · {each}"


def _empty(insights: Insights) -> str:
    view = insights.session
    if view.ended_at is not None and view.ended_at < gone_from(insights.as_of):
        return _("What the engine used is kept for %(days)s days; this session is older.") % {
            "days": settings.SAMPLES_KEPT_DAYS
        }
    return _("Nothing told what the engine used.")


def _figure(insights: Insights, axis: Axis, start: datetime, end: datetime) -> dict[str, Any]:
    stretches = stretches_of(insights.samples, insights.sample_seconds)
    return {
        "data": [
            trace
            for part in stretches
            for trace in (_cpu(part, axis), _memory(part, axis), *_network(part, axis))
        ],
        "layout": theme.layout(
            margin={"l": 0, "r": 0, "t": 16, "b": 28},
            xaxis={**time_axis(axis, start, end), "anchor": "y3", "automargin": False},
            yaxis={**_AXIS, "domain": [0.74, 1], "ticksuffix": " %"},
            yaxis2={
                **theme.LAYOUT["yaxis"],
                **_AXIS,
                "domain": [0.37, 0.63],
                "ticksuffix": " MiB",
            },
            yaxis3={**theme.LAYOUT["yaxis"], **_AXIS, "domain": [0, 0.26], "ticksuffix": " MiB"},
            annotations=[
                _head(_("Processor"), 1),
                _head(_("Memory"), 0.63),
                _head(_("Network, received and sent"), 0.26),
            ],
            showlegend=False,
        ),
    }


# Labels stand inside, so that the time axis lies exactly below the timeline's.
_AXIS: dict[str, Any] = {
    "automargin": False,
    "ticklabelposition": "inside top",
    "ticks": "",
    "nticks": 3,
}


def _head(text: str, y: float) -> dict[str, Any]:
    return {
        "text": text,
        "xref": "paper",
        "yref": "paper",
        "x": 1,
        "xanchor": "right",
        "y": y,
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11, "color": "var:--ink-3"},
    }


def stretches_of(samples: Sequence[SampleView], grain_seconds: int = 1) -> list[list[SampleView]]:
    """Cut where the client sent nothing for much longer than it usually did."""
    shortest = max(SHORTEST_GAP, timedelta(seconds=grain_seconds))
    gaps = [after.at - before.at for before, after in itertools.pairwise(samples)]
    usual = max(sorted(gaps)[len(gaps) // 2], shortest) if gaps else shortest
    found = [[samples[0]]]
    for gap, sample in zip(gaps, samples[1:], strict=True):
        if gap > 3 * usual:
            found.append([])
        found[-1].append(sample)
    return found


def _cpu(samples: Sequence[SampleView], axis: Axis) -> dict[str, Any]:
    return {
        **_line(samples, axis, _("Processor"), theme.COLOURS[0]),
        "y": [sample.cpu_milli_percent / 1000 for sample in samples],
        "customdata": [cpu_text(sample.cpu_milli_percent) for sample in samples],
    }


def _memory(samples: Sequence[SampleView], axis: Axis) -> dict[str, Any]:
    return {
        **_line(samples, axis, _("Memory"), theme.COLOURS[2]),
        "y": [sample.memory_bytes / MIB for sample in samples],
        "customdata": [bytes_text(sample.memory_bytes) for sample in samples],
        "yaxis": "y2",
    }


def _network(samples: Sequence[SampleView], axis: Axis) -> list[dict[str, Any]]:
    """What came in and went out, as the samples tell it: counted from the containers' start."""
    ways = (
        (_("Received"), "network_rx_bytes", theme.COLOURS[4]),
        (_("Sent"), "network_tx_bytes", theme.COLOURS[3]),
    )
    return [
        {
            **_line(samples, axis, name, colour),
            "fill": "none",
            "y": [getattr(sample, field) / MIB for sample in samples],
            "customdata": [bytes_text(getattr(sample, field)) for sample in samples],
            "yaxis": "y3",
        }
        for name, field, colour in ways
    ]


def _line(samples: Sequence[SampleView], axis: Axis, name: str, colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(samples) < 60 else "lines",
        "name": name,
        "marker": {"size": 4},
        "line": {"color": colour, "width": 2},
        "fill": "tozeroy",
        "fillcolor": f"{colour}/0.16",
        "x": [axis.place(sample.at) for sample in samples],
        "hovertemplate": "%{customdata}",
    }


def _table_row(sample: SampleView, axis: Axis) -> list[str]:
    return [
        axis.place(sample.at),
        cpu_text(sample.cpu_milli_percent),
        bytes_text(sample.memory_bytes),
        bytes_text(sample.network_rx_bytes),
        bytes_text(sample.network_tx_bytes),
    ]


def _summary(samples: Sequence[SampleView]) -> str:
    return _("At most %(cpu)s of one processor and %(memory)s of memory.") % {
        "cpu": cpu_text(max(sample.cpu_milli_percent for sample in samples)),
        "memory": bytes_text(max(sample.memory_bytes for sample in samples)),
    }
