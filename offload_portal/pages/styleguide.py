"""Every component in every state, on one page. For people who write pages; shown where
DEVELOPMENT_PAGES is on."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from offload_portal.common.allowance_bar import LIMITED, UNLIMITED, AllowanceFigures
from offload_portal.common.chart_theme import (
    COLOURS,
    SOURCE_COLOURS,
    STATE_COLOURS,
    Chart,
    layout,
)
from offload_portal.common.display import duration_text

AT = datetime(2026, 7, 15, 12, 0, 0, tzinfo=UTC)
HOUR = 3_600
SURFACES = ("page", "surface", "sunken", "raised", "hover", "line", "line-strong", "line-control")
INKS = ("ink", "ink-2", "ink-3", "accent", "accent-hover", "accent-ink", "accent-tint", "focus")
MEANINGS = ("good", "notice", "warning", "danger")
TOKENS = {
    "surface": SURFACES,
    "ink": INKS,
    "meaning": tuple(name for meaning in MEANINGS for name in (meaning, f"{meaning}-tint")),
    "chart": tuple(f"chart-{number}" for number in range(1, 7)),
}
NAMES = (
    "Q",
    "Ada Lovelace",
    "Maximiliane-Alexandra von und zu Hohenlohe-Schillingsfürst-Waldenburg-Bartenstein",
    "欧阳娜娜",
    "محمد عبد الرحمن الخوارزمي",
)


class GuideForm(forms.Form):
    """A form with every kind of field."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        help_text=gettext_lazy("The invitation works for this address only."),
    )
    limit = forms.DecimalField(
        label=gettext_lazy("On-demand limit"),
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text=gettext_lazy("In US dollars, for each billing period."),
    )
    size = forms.ChoiceField(
        label=gettext_lazy("Engine size"),
        choices=[("standard", gettext_lazy("Standard")), ("large", gettext_lazy("Large"))],
    )
    mode = forms.ChoiceField(
        label=gettext_lazy("When the limit is reached"),
        widget=forms.RadioSelect,
        choices=[
            ("end", gettext_lazy("End running sessions")),
            ("finish", gettext_lazy("Let running sessions finish")),
        ],
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"), required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    gpu = forms.BooleanField(label=gettext_lazy("Allow engines with a GPU"), required=False)


def _wrong_form(prefix: str) -> GuideForm:
    typed = {"name": "Ada", "email": "ada at example", "limit": "lots", "size": "large"}
    return GuideForm({f"{prefix}-{key}": value for key, value in typed.items()}, prefix=prefix)


COMMITTED = AllowanceFigures(committed=50 * HOUR, forecast=0)
USUAL = AllowanceFigures(
    committed=100 * HOUR,
    committed_used=100 * HOUR,
    top_ups=20 * HOUR,
    top_ups_used=20 * HOUR,
    on_demand=LIMITED,
    on_demand_limit=80 * HOUR,
    on_demand_used=80 * HOUR,
    on_demand_used_microusd=14_400_000,
    on_demand_limit_microusd=14_400_000,
    forecast=200 * HOUR,
)
EARLY = replace(
    USUAL,
    top_ups_used=7 * HOUR + 1_234,
    on_demand_used=0,
    on_demand_used_microusd=0,
    reserved=4 * HOUR,
    forecast=171 * HOUR,
)
LATE = replace(
    USUAL,
    on_demand_used=41 * HOUR,
    on_demand_used_microusd=7_380_000,
    reserved=9 * HOUR,
    forecast=236 * HOUR,
)
NO_LIMIT = AllowanceFigures(
    committed=100 * HOUR,
    committed_used=100 * HOUR,
    on_demand=UNLIMITED,
    on_demand_used=63 * HOUR,
    on_demand_used_microusd=11_340_000,
    reserved=6 * HOUR,
    forecast=190 * HOUR,
)
HUGE = AllowanceFigures(
    committed=2_000_000 * HOUR,
    committed_used=1_234_567 * HOUR,
    on_demand=LIMITED,
    on_demand_limit=9_000_000 * HOUR,
    on_demand_used_microusd=0,
    on_demand_limit_microusd=1_620_000_000_000,
    reserved=1,
    forecast=3_000_000 * HOUR,
)


def _allowances() -> list[tuple[str, AllowanceFigures, str]]:
    over = replace(USUAL, over_limit=13 * HOUR, forecast=240 * HOUR)
    some = replace(COMMITTED, committed_used=12 * HOUR, forecast=31 * HOUR)
    early = _("Lasts beyond the end of the period, 31 July, at the present rate.")
    late = _("Lasts until about 24 July at the present rate.")
    cure = _("An owner can raise the on-demand limit or buy a top-up.")
    return [
        (_("In the middle of a period"), EARLY, early),
        (_("The forecast passes the limit"), LATE, late),
        (_("Only committed"), some, ""),
        (_("Nothing used yet"), COMMITTED, ""),
        (_("Exhausted"), USUAL, cure),
        (_("On-demand without a limit"), NO_LIMIT, ""),
        (_("Beyond the limit"), over, ""),
        (_("Nothing"), AllowanceFigures(), ""),
        (_("Huge"), HUGE, ""),
    ]


def _days() -> list[str]:
    return [(AT - timedelta(days=29 - index)).strftime("%Y-%m-%d") for index in range(30)]


def _wave(index: int, least: int, swing: int) -> int:
    """Numbers that look like work: little at the weekend, otherwise up and down."""
    weekend = index % 7 in (5, 6)
    return (least + index * 7919 % swing) // (6 if weekend else 1)


def _usage_chart(theme: str) -> Chart:
    days = _days()
    committed = [_wave(index, 30, 24) if index < 19 else 0 for index in range(30)]
    top_up = [_wave(index, 12, 9) if 19 <= index < 23 else 0 for index in range(30)]
    on_demand = [_wave(index, 24, 30) if index >= 22 else 0 for index in range(30)]
    series = (
        (_("Committed"), committed, "committed"),
        (_("Top-ups"), top_up, "top_up"),
        (_("On-demand"), on_demand, "on_demand"),
    )
    data = [
        {
            "type": "bar",
            "x": days,
            "y": hours,
            "name": name,
            "marker": {"color": SOURCE_COLOURS[key]},
        }
        for name, hours, key in series
    ]
    return Chart(
        id=f"usage-{theme}",
        title=_("Compute time by day"),
        note=_("Hours, UTC days; the last day is not over"),
        summary=_("Committed time was used up on 4 July; since 7 July on-demand pays."),
        figure={
            "data": data,
            "layout": layout(barmode="stack", xaxis={"type": "date", "tickformat": "%-d %b"}),
        },
        headers=[_("Day"), *(name for name, _hours, _key in series)],
        rows=list(zip(days, committed, top_up, on_demand, strict=True)),
    )


def _six_chart(theme: str) -> Chart:
    days = _days()
    lines = [
        [
            40 - number * 6 + _wave(index, 2, 5 + number)
            for index in range(30)
        ]
        for number in range(6)
    ]  # fmt: skip
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": days,
            "y": line,
            "name": _("Team %(number)s") % {"number": number + 1},
            "line": {"color": COLOURS[number], "width": 2},
        }
        for number, line in enumerate(lines)
    ]
    return Chart(
        id=f"six-{theme}",
        title=_("Sessions by team"),
        figure={
            "data": data,
            "layout": layout(xaxis={"type": "date", "tickformat": "%-d %b"}),
        },
        headers=[_("Day"), *(str(trace["name"]) for trace in data)],
        rows=list(zip(days, *lines, strict=True)),
    )


def _stretch(state: str, start: int, seconds: int) -> dict[str, Any]:
    begin, end = AT + timedelta(seconds=start), AT + timedelta(seconds=start + seconds)
    clock = "%Y-%m-%d %H:%M:%S"
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [begin.strftime(clock), end.strftime(clock)],
        "y": [0, 0],
        "line": {"color": STATE_COLOURS[state], "width": 28},
        "hovertemplate": f"{state}, {duration_text(seconds)}<extra></extra>",
        "showlegend": False,
    }


def _timeline_chart(theme: str) -> Chart:
    stretches = (
        ("starting", 0, 9), ("active", 9, 2_800), ("idle", 2_809, 900), ("active", 3_709, 5_200),
        ("idle", 8_909, 300),
    )  # fmt: skip
    return Chart(
        id=f"timeline-{theme}",
        title=_("Timeline"),
        size="short",
        figure={
            "data": [_stretch(*stretch) for stretch in stretches],
            "layout": layout(
                yaxis={"visible": False, "range": [-1, 1]}, hovermode="closest", showlegend=False
            ),
        },
        headers=[_("State"), _("Lasted")],
        rows=[(state, duration_text(seconds)) for state, _start, seconds in stretches],
    )


def _charts(theme: str) -> list[Chart]:
    empty = Chart(
        id=f"empty-{theme}",
        title=_("Compute time by day"),
        headers=(),
        rows=(),
        size="short",
        empty=_("Days with sessions will stand here, from the first session on."),
    )
    return [_usage_chart(theme), _six_chart(theme), _timeline_chart(theme), empty]


@dataclass(frozen=True)
class Row:
    name: str
    state: str
    seconds: int | None
    compute_seconds: int | None
    cost: int | None
    began: datetime


def _rows() -> list[Row]:
    numbers = ((48, 48, 2_400), (11_520, 23_040, 1_152_000), (None, None, None), (0, 0, 0),
               (9_876_543_210, 59_259_259_260, 2_962_962_963_000_000))  # fmt: skip
    states = ("starting", "active", "idle", "ended", "failed")
    steps = (30, 3_000, 40_000, 800_000, 9_000_000)
    return [
        Row(name, state, *triple, AT - timedelta(seconds=step))
        for name, state, triple, step in zip(NAMES, states, numbers, steps, strict=True)
    ]


def _sheet(theme: str) -> dict[str, Any]:
    return {
        "theme": theme,
        "form": GuideForm(prefix=f"new-{theme}"),
        "limit_field": GuideForm(prefix=f"limit-{theme}")["limit"],
        "wrong_form": _wrong_form(f"wrong-{theme}"),
        "charts": _charts(theme),
        "allowances": [
            (f"allowance-{theme}-{number}", title, figures, text)
            for number, (title, figures, text) in enumerate(_allowances())
        ],
    }


def _numbers() -> dict[str, Any]:
    steps = (-20, -400, -90_000, -9_999_999, 7_000)
    return {
        "instants": [AT + timedelta(seconds=step) for step in steps],
        "seconds": (0, 1, 59, 60, 725, 11_520, 9_876_543_210, None),
        "amounts": (0, 1, 12_340_000, 1_234_567_890_000, -5_000_000, None),
        "counts": (0, 1, 1_023, 1_536, 1_610_612_736, 9_876_543_210_123, None),
    }


def _first_steps() -> list[dict[str, Any]]:
    start = {"title": _("Start your first session"), "text": _("On your own machine:")}
    plans = {"title": _("Subscribe"), "text": _("A trial needs no card."), "url": "?"}
    return [
        {"title": _("Create your organization"), "done": True},
        {**plans, "label": _("See plans")},
        {**start, "command": "docker offload start"},
    ]


def _parts() -> dict[str, Any]:
    tabs = ((_("All"), True, 1_234), (_("Running"), False, 0), (_("Ended"), False, None))
    return {
        "tabs": [
            {"label": label, "url": "?", "current": current, "count": count}
            for label, current, count in tabs
        ],
        "crumbs": [(_("Activity"), "?"), (NAMES[2], "?"), (_("Session 01J9"), "")],
        "facts": [
            (_("Engine"), "standard"),
            (_("Idle timeout"), duration_text(300)),
            (_("Person"), NAMES[2]),
        ],
        "legend": [
            ("starting", _("Starting")),
            ("active", _("Active")),
            ("idle", _("Idle")),
            ("ended", _("Ended")),
        ],
        "checklist": _first_steps(),
    }


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    if not settings.DEVELOPMENT_PAGES:
        raise Http404
    both = request.GET.get("themes") == "both"
    context = {
        "both": both,
        "at": AT,
        "sheets": [_sheet(theme) for theme in (("light", "dark") if both else ("own",))],
        "names": NAMES,
        "rows": _rows(),
        "tokens": TOKENS,
        "page": Paginator(range(1_234), 25).get_page(request.GET.get("page", 7)),
        **_numbers(),
        **_parts(),
    }
    return render(request, "styleguide.html", context)
