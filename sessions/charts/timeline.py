"""A session's life as bands and bars over one time axis."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from offload_portal.common import chart_theme as theme
from offload_portal.common.display import duration_text
from offload_portal.common.periods import to_seconds
from sessions.charts.words import (
    BAR_TEXT,
    STATE_NAMES,
    Axis,
    clock_words,
    event_text,
    milliseconds,
    plain,
    shortened,
    time_axis,
)
from sessions.selectors.insights import BuildView, Insights, RunView, TimelineSegment

MOST_LANES = 14
BAND = 0.44
MARK_ABOVE = 0.6
BILLED, ON_DEMAND, BUILT = theme.COLOURS[2], theme.COLOURS[1], theme.COLOURS[3]
# Events that stand above the states, each with its sign.
MARKS = {
    "prompt_session": "diamond",
    "prompt_daily": "diamond",
    "prompt_inactivity": "diamond",
    "policy_changed": "square",
    "allowance_low": "triangle-down",
    "on_demand": "triangle-up",
}
GONE_WELL, FAILED, RUNNING = theme.COLOURS[4], theme.DANGER, theme.COLOURS[4] + "/0.5"


Thing = RunView | BuildView


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of container runs, or builds, of an image that don't overlap."""

    image: str
    runs: tuple[Thing, ...]

    @property
    def builds(self) -> bool:
        return isinstance(self.runs[0], BuildView)

    @property
    def name(self) -> str:
        if not self.builds:
            return shortened(self.image)
        if not self.image:
            return _("Build")
        return _("Build of %(image)s") % {"image": shortened(self.image)}


def lanes_of(runs: Sequence[Thing]) -> list[Lane]:
    """Runs by image in the order of first use; those at one time get lines of their own."""
    by_image: dict[str, list[list[Thing]]] = {}
    for run in runs:
        lines = by_image.setdefault(run.image, [])
        free = next((line for line in lines if line[-1].ended_at <= run.started_at), None)
        if free is None:
            lines.append([run])
        else:
            free.append(run)
    return [Lane(image, tuple(line)) for image, lines in by_image.items() for line in lines]


def timeline_chart(insights: Insights, zone: ZoneInfo) -> theme.Chart:
    """Active, idle and billed time as bands, containers as bars below them."""
    start, _end = extent(insights)
    axis = Axis(start, zone)
    lanes = [*lanes_of(insights.builds), *lanes_of(insights.runs)]
    shown = lanes[:MOST_LANES]
    return theme.Chart(
        id="session-timeline",
        title=_("Timeline"),
        summary=_summary(insights),
        note=_note(axis, len(lanes) - len(shown)),
        headers=[_("From"), _("To"), _("State"), _("Billed"), _("Length")],
        rows=[_table_row(segment, axis) for segment in insights.timeline],
        numeric_from=4,
        figure=_figure(insights, axis, shown) if insights.timeline else None,
        empty=_empty(insights),
        size=_size(len(shown) + 2),
    )


def _empty(insights: Insights) -> str:
    if insights.forgotten:
        return _("Timelines and containers are kept for %(months)s months; the sums stay.") % {
            "months": settings.RUNS_KEPT_MONTHS
        }
    return _("Nothing has happened in this session yet.")


def _size(lines: int) -> str:
    return "regular" if lines <= 5 else "tall" if lines <= 8 else "high"


def legend_of(insights: Insights) -> list[tuple[str, str]]:
    """(swatch, name) of what the timeline shows, and nothing else."""
    kinds = {segment.kind for segment in insights.timeline if segment.seconds}
    found = [(kind, str(name)) for kind, name in STATE_NAMES.items() if kind in kinds]
    if any(segment.billed and segment.seconds for segment in insights.timeline):
        found.append(("chart-3", _("Billed")))
    if insights.builds:
        found.append(("chart-4", _("Build")))
    if any(not run.failed for run in insights.runs):
        found.append(("chart-5", _("Container")))
    if insights.failed_runs:
        found.append(("failed", _("Container that failed")))
    if insights.on_demand_at is not None:
        found.append(("chart-2", _("Billed on demand")))
    if any(event.kind in MARKS for event in insights.events):
        found.append(("notice", _("What its user was asked or told")))
    return found


def extent(insights: Insights) -> tuple[datetime, datetime]:
    """From the start to the end or now; a container's clock may run a little beside ours."""
    view = insights.session
    start, end = view.created_at, view.ended_at or insights.as_of
    things: list[Thing] = [*insights.runs, *insights.builds]
    starts = [start, *(thing.started_at for thing in things)]
    return min(starts), max([end, *(thing.ended_at for thing in things)])


def _figure(insights: Insights, axis: Axis, lanes: Sequence[Lane]) -> dict[str, Any]:
    """The states stand at the top, what was billed below, then a line for each lane."""
    start, end = extent(insights)
    data = _state_bands(insights.timeline, axis, len(lanes) + 1)
    data += _billed_band(insights, axis, len(lanes))
    data += _run_bars(lanes, axis)
    data += _marks(insights, axis, len(lanes) + 1)
    return {"data": data, "layout": _layout(axis, start, end, lanes)}


def _bar(**own: Any) -> dict[str, Any]:
    return {"type": "bar", "orientation": "h", "showlegend": False, **BAR_TEXT, **own}


def _state_bands(
    segments: Sequence[TimelineSegment], axis: Axis, line: int
) -> list[dict[str, Any]]:
    """One trace for each state, so that each has its colour and its name."""
    bands = []
    for kind, name in STATE_NAMES.items():
        own = [segment for segment in segments if segment.kind == kind and segment.seconds]
        if own:
            bands.append(_band(own, axis, line, str(name), theme.STATE_COLOURS[kind]))
    return bands


def _billed_band(insights: Insights, axis: Axis, line: int) -> list[dict[str, Any]]:
    """Billed time in the colour of what paid: ahead, and from an instant on on demand."""
    own = billed_time(insights.timeline)
    since = insights.on_demand_at
    ahead = [part for part in own if since is None or part.start < since]
    if since is not None:
        ahead = [replace(part, end=min(part.end, since)) for part in ahead]
    later = [
        replace(part, start=max(part.start, since))
        for part in own
        if since is not None and part.end > since
    ]
    bands = [_band(ahead, axis, line, _("Billed"), BILLED)] if ahead else []
    if later:
        bands.append(_band(later, axis, line, _("Billed on demand"), ON_DEMAND))
    return bands


def billed_time(segments: Sequence[TimelineSegment]) -> list[TimelineSegment]:
    """Billed time without seams: from the first activity to the last, with resumed gaps."""
    own: list[TimelineSegment] = []
    for segment in segments:
        if not segment.billed or not segment.seconds:
            continue
        if own and own[-1].end == segment.start:
            own[-1] = replace(own[-1], end=segment.end)
        else:
            own.append(segment)
    return own


def _marks(insights: Insights, axis: Axis, line: int) -> list[dict[str, Any]]:
    """What the session's user was asked and told, as points above the states."""
    events = [event for event in insights.events if event.kind in MARKS]
    if not events:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": _("Asked and told"),
            "x": [axis.place(event.at) for event in events],
            "y": [line + MARK_ABOVE] * len(events),
            "marker": {
                "size": 9,
                "symbol": [MARKS[event.kind] for event in events],
                "color": theme.NOTICE,
                "line": {"width": 0},
            },
            "showlegend": False,
            "customdata": [
                f"{axis.clock(event.at)} · {plain(event_text(event.kind))}" for event in events
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        }
    ]


def _band(
    segments: Sequence[TimelineSegment], axis: Axis, line: int, name: str, colour: str
) -> dict[str, Any]:
    texts = [_span_text(axis, part.start, part.end) for part in segments]
    return _bar(
        name=name,
        base=[axis.place(segment.start) for segment in segments],
        x=[milliseconds(segment.start, segment.end) for segment in segments],
        y=[line] * len(segments),
        width=BAND,
        marker={"color": colour, "line": {"width": 0}},
        customdata=texts,
        hovertemplate=f"<b>{plain(name)}</b><br>%{{customdata}}<extra></extra>",
    )


def _span_text(axis: Axis, start: datetime, end: datetime) -> str:
    length = duration_text(to_seconds(end) - to_seconds(start))
    return f"{axis.clock(start)} – {axis.clock(end)} · {length}"


def _run_bars(lanes: Sequence[Lane], axis: Axis) -> list[dict[str, Any]]:
    """One trace for each lane, the first at the top."""
    return [
        _bar(
            name=plain(lane.image),
            base=[axis.place(run.started_at) for run in lane.runs],
            x=[max(1, milliseconds(run.started_at, run.ended_at)) for run in lane.runs],
            y=[len(lanes) - number - 1] * len(lane.runs),
            width=BAND,
            marker={
                "color": [_run_colour(run) for run in lane.runs],
                "line": {"color": [_run_colour(run) for run in lane.runs], "width": 1},
            },
            text=[_run_label(run) for run in lane.runs],
            customdata=[_run_text(run, axis) for run in lane.runs],
            hovertemplate="%{customdata}<extra></extra>",
        )
        for number, lane in enumerate(lanes)
    ]


def _run_label(run: Thing) -> str:
    if not run.failed:
        return ""
    if isinstance(run, BuildView):
        return _("failed")
    return _("exit %(code)s") % {"code": run.exit_code}


def _run_colour(run: Thing) -> str:
    if run.failed:
        return FAILED
    if isinstance(run, BuildView):
        return BUILT if run.finished_at else f"{BUILT}/0.5"
    return GONE_WELL if run.exited_at else RUNNING


def _run_text(run: Thing, axis: Axis) -> str:
    head = f"<b>{plain(run.image or _('Build'))}</b>"
    if isinstance(run, RunView) and run.name:
        head += f"<br>{plain(run.name)}"
    how = build_text(run) if isinstance(run, BuildView) else exit_text(run)
    return f"{head}<br>{_span_text(axis, run.started_at, run.ended_at)}<br>{how}"


def build_text(build: BuildView) -> str:
    """How a build went, as far as anybody told."""
    if build.finished_at is None:
        return _("Not finished when last seen")
    if build.succeeded is None:
        return _("Built; nobody told how it went")
    return _("Built") if build.succeeded else _("Build failed")


def exit_text(run: RunView) -> str:
    """How a container's run ended."""
    if run.exited_at is None:
        return _("Not exited when last seen")
    if run.exit_code is None:
        return _("Exited")
    return _("Exit code %(code)s") % {"code": run.exit_code}


def _layout(axis: Axis, start: datetime, end: datetime, lanes: Sequence[Lane]) -> dict[str, Any]:
    """Names stand above their lines and inside the picture: so time has the whole width."""
    names = [_("State"), _("Billed")]
    for number, lane in enumerate(lanes):  # once for all the lines of an image
        again = number > 0 and lanes[number - 1].name == lane.name
        names.append("" if again else lane.name)
    return theme.layout(
        barmode="overlay",
        hovermode="closest",
        showlegend=False,
        margin={"l": 0, "r": 0, "t": 0, "b": 28},
        xaxis={**time_axis(axis, start, end), "showgrid": True, "automargin": False},
        yaxis={
            "visible": False,
            "range": [-0.45, len(names) - 0.1],
            "rangemode": "normal",
            "automargin": False,
        },
        annotations=[
            _name(name, len(names) - 1 - number) for number, name in enumerate(names) if name
        ],
    )


def _name(text: str, line: int) -> dict[str, Any]:
    return {
        "text": plain(text),
        "xref": "paper",
        "x": 0,
        "xanchor": "left",
        "y": line + BAND / 2,
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11, "color": "var:--ink-3"},
    }


def _table_row(segment: TimelineSegment, axis: Axis) -> list[str]:
    return [
        axis.place(segment.start),
        axis.place(segment.end),
        str(STATE_NAMES.get(segment.kind, segment.kind)),
        _("Yes") if segment.billed else _("No"),
        duration_text(segment.seconds),
    ]


def _summary(insights: Insights) -> str:
    view = insights.session
    lengths = {
        "active": duration_text(view.active_seconds),
        "idle": duration_text(view.idle_seconds),
        "billed": duration_text(view.billed_seconds),
    }
    text = _("%(active)s active, %(idle)s idle, %(billed)s billed.") % lengths
    failed = len(insights.failed_runs)
    if failed:
        text += " " + ngettext(
            "%(count)s container failed.", "%(count)s containers failed.", failed
        ) % {"count": failed}
    return text


def _note(axis: Axis, left_out: int) -> str:
    note = clock_words(axis)
    if left_out > 0:
        note += " · " + ngettext(
            "%(count)s more line of containers is in the table below",
            "%(count)s more lines of containers are in the table below",
            left_out,
        ) % {"count": left_out}
    return note
