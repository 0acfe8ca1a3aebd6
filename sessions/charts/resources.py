"""What a session's engine used: processor and memory over the time axis of the timeline."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from offload_portal.common import chart_theme as theme
from offload_portal.common.display import bytes_text
from sessions.charts.words import Axis, clock_words, time_axis
from sessions.selectors.insights import Insights, SampleView

MIB = 1024**2


def resources_chart(insights: Insights, zone: ZoneInfo) -> theme.Chart:
    """Processor above, memory below; nothing is drawn between samples that nobody sent."""
    view = insights.session
    start, end = view.created_at, view.ended_at or insights.as_of
    axis = Axis(start, zone)
    samples = insights.samples
    return theme.Chart(
        id="session-resources",
        title=_("Processor and memory"),
        summary=_summary(samples) if samples else "",
        note=clock_words(axis) if samples else "",
        headers=[_("Time"), _("Processor"), _("Memory"), _("Received"), _("Sent")],
        rows=[_table_row(sample, axis) for sample in samples],
        figure=_figure(samples, axis, start, end) if samples else None,
        empty=_("Clients may report what the engine uses; this session's client did not."),
    )


def cpu_text(milli_percent: int) -> str:
    """Thousandths of a percent of one processor as `150 %`."""
    return f"{(milli_percent + 500) // 1000:,} %"


def _figure(
    samples: Sequence[SampleView], axis: Axis, start: datetime, end: datetime
) -> dict[str, Any]:
    times = [axis.place(sample.at) for sample in samples]
    cpu = _line(times, [sample.cpu_milli_percent / 1000 for sample in samples])
    memory = _line(times, [sample.memory_bytes / MIB for sample in samples])
    cpu |= {
        "name": _("Processor"),
        "line": {"color": theme.COLOURS[0], "width": 2},
        "fillcolor": f"{theme.COLOURS[0]}/0.16",
        "customdata": [cpu_text(sample.cpu_milli_percent) for sample in samples],
    }
    memory |= {
        "name": _("Memory"),
        "line": {"color": theme.COLOURS[2], "width": 2},
        "fillcolor": f"{theme.COLOURS[2]}/0.16",
        "customdata": [bytes_text(sample.memory_bytes) for sample in samples],
        "yaxis": "y2",
    }
    return {
        "data": [cpu, memory],
        "layout": theme.layout(
            xaxis={**time_axis(axis, start, end), "anchor": "y2"},
            yaxis={
                "domain": [0.56, 1],
                "title": {"text": _("processor")},
                "ticksuffix": " %",
                "nticks": 4,
            },
            yaxis2={
                **theme.LAYOUT["yaxis"],
                "domain": [0, 0.44],
                "title": {**theme.LAYOUT["yaxis"]["title"], "text": _("memory")},
                "ticksuffix": " MiB",
                "nticks": 4,
            },
            showlegend=False,
        ),
    }


def _line(times: list[str], values: list[float]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(times) < 60 else "lines",
        "marker": {"size": 4},
        "fill": "tozeroy",
        "x": times,
        "y": values,
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
