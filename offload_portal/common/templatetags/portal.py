"""What templates use to write numbers, times and components; docs/components.md shows each."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django import template
from django.core.serializers.json import DjangoJSONEncoder
from django.template import Context
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, json_script, strip_tags
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from offload_portal.common import allowance_bar as bars
from offload_portal.common import display, money
from offload_portal.common.chart_theme import Chart

register = template.Library()

THEMES = ("light", "dark")
LONG_FIGURE = 10  # characters that a narrow figure holds at 28 px


# --- Numbers ---------------------------------------------------------------------------------


def _with_title(text: str, title: str) -> SafeString:
    return format_html('<span class="number" title="{}">{}</span>', title, text)


def _unknown() -> SafeString:
    return _with_title(display.UNKNOWN, _("Not known"))


@register.filter
def duration(seconds: int | None) -> SafeString:
    """`3 h 12 m` with the exact seconds on hover."""
    if seconds is None:
        return _unknown()
    return _with_title(display.duration_text(seconds), display.exact_seconds(seconds))


@register.filter
def compute_hours(seconds: int | None) -> SafeString:
    """`12.5 h` from compute-seconds, with the exact compute-seconds on hover."""
    if seconds is None:
        return _unknown()
    exact = display.exact_compute_seconds(seconds)
    return _with_title(display.compute_hours_text(seconds), exact)


@register.filter(name="money")
def money_filter(microusd: int | None, places: int = 2) -> SafeString:
    """`$1,234.56` from integer micro-dollars; what rounding hides is there on hover."""
    if microusd is None:
        return _unknown()
    text = money.format_usd(microusd, places).replace("-", "−", 1)
    if microusd % 10 ** (money.MOST_PLACES - places) == 0:
        return format_html('<span class="number">{}</span>', text)
    return _with_title(text, money.format_usd(microusd, money.MOST_PLACES).replace("-", "−", 1))


@register.filter(name="bytes")
def bytes_filter(count: int | None) -> SafeString:
    if count is None:
        return _unknown()
    return _with_title(display.bytes_text(count), _("%(count)s bytes") % {"count": f"{count:,}"})


@register.filter
def number(count: int | None) -> SafeString:
    if count is None:
        return _unknown()
    return format_html('<span class="number">{}</span>', display.number_text(count))


@register.filter
def share_of(part: int | None, whole: int | None) -> SafeString:
    """`42 %`: `{{ used|share_of:limit }}`."""
    return format_html('<span class="number">{}</span>', display.share_text(part, whole))


# The same as plain text, for attributes, titles and options.
register.filter("duration_text", display.duration_text)
register.filter("compute_hours_text", display.compute_hours_text)
register.filter("bytes_text", display.bytes_text)
register.filter(
    "money_text", lambda amount: display.UNKNOWN if amount is None else money.format_usd(amount)
)


# --- Times -----------------------------------------------------------------------------------


def _machine(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _exact(instant: datetime) -> str:
    local = timezone.localtime(instant)
    return f"{date_format(local, pgettext('date format', 'j M Y, H:i:s'))} {local.tzname()}"


def _time(instant: datetime, text: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', _machine(instant), _exact(instant), text
    )


def _day_and_minute(instant: datetime) -> str:
    local = timezone.localtime(instant)
    return date_format(local, pgettext("date format", "j M Y, H:i"))


@register.filter
def moment(instant: datetime | None) -> SafeString:
    """`24 Nov 2026, 22:38` in the current zone, to the second on hover."""
    return _unknown() if instant is None else _time(instant, _day_and_minute(instant))


@register.filter
def day(instant: datetime | None) -> SafeString:
    """`24 Nov 2026` in the current zone."""
    if instant is None:
        return _unknown()
    text = date_format(timezone.localtime(instant), pgettext("date format", "j M Y"))
    return _time(instant, text)


@register.simple_tag
def when(instant: datetime | None, at: datetime | None = None) -> SafeString:
    """`3 minutes ago`, `in 2 hours`; a date beyond 30 days. Pass `at` where the view has it."""
    if instant is None:
        return _unknown()
    ago = int(((at or timezone.now()) - instant).total_seconds())
    return _time(instant, display.relative_text(ago) or _day_and_minute(instant))


# --- Marks -----------------------------------------------------------------------------------

SESSION_STATES = {
    "starting": ("notice", gettext_lazy("Starting")),
    "active": ("accent", gettext_lazy("Active")),
    "idle": ("neutral", gettext_lazy("Idle")),
    "ended": ("plain", gettext_lazy("Ended")),
    "failed": ("danger", gettext_lazy("Failed")),
}
SUBSCRIPTION_STATES = {
    "trialing": ("notice", gettext_lazy("Trial")),
    "active": ("good", gettext_lazy("Active")),
    "past_due": ("warning", gettext_lazy("Past due")),
    "suspended": ("danger", gettext_lazy("Suspended")),
    "cancelled": ("plain", gettext_lazy("Cancelled")),
    "": ("plain", gettext_lazy("Not subscribed")),
}


@register.inclusion_tag("components/badge.html")
def badge(label: str, kind: str = "neutral", dot: bool = False) -> dict[str, Any]:
    """A small mark: kind is neutral, plain, accent, good, notice, warning or danger."""
    return {"label": label, "kind": kind, "dot": dot}


ROLES = {
    "owner": gettext_lazy("Owner"),
    "editor": gettext_lazy("Editor"),
    "billing": gettext_lazy("Billing manager"),
    "member": gettext_lazy("Member"),
}


@register.filter
def role_name(role: str) -> Any:
    return ROLES.get(role, role)


@register.inclusion_tag("components/badge.html")
def session_state(state: str) -> dict[str, Any]:
    kind, label = SESSION_STATES.get(state, ("plain", state))
    return {"label": label, "kind": kind, "dot": True}


@register.inclusion_tag("components/badge.html")
def subscription_state(state: str | None) -> dict[str, Any]:
    kind, label = SUBSCRIPTION_STATES.get(state or "", ("plain", state))
    return {"label": label, "kind": kind, "dot": True}


@register.simple_tag
def avatar(name: str, size: str = "") -> SafeString:
    """Initials beside a name that is written out; hidden from readers who listen."""
    extra = f" avatar--{size}" if size else ""
    text = display.initials(name)
    return format_html('<span class="avatar{}" aria-hidden="true">{}</span>', extra, text)


ICONS = {
    "check": "M3.5 8.5l3 3 6-7",
    "chevron-down": "M4.5 6.5L8 10l3.5-3.5",
    "chevron-right": "M6.5 4.5L10 8l-3.5 3.5",
    "chevrons": "M5 6.5L8 3.5l3 3M5 9.5l3 3 3-3",
    "close": "M4 4l8 8M12 4l-8 8",
    "copy": "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
    "danger": "M8 4.5v4M8 11v.5M8 1.75a6.25 6.25 0 100 12.5 6.25 6.25 0 000-12.5z",
    "download": "M8 2.5v8M4.5 7.5L8 11l3.5-3.5M2.5 13.5h11",
    "good": "M5 8.25L7.25 10.5 11 5.75M8 1.75a6.25 6.25 0 100 12.5 6.25 6.25 0 000-12.5z",
    "menu": "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
    "notice": "M8 7.5v4M8 4.5V5M8 1.75a6.25 6.25 0 100 12.5 6.25 6.25 0 000-12.5z",
    "search": "M7 2.5a4.5 4.5 0 100 9 4.5 4.5 0 000-9zM10.5 10.5l3 3",
    "warning": "M8 6.25v3.5M8 11.5v.5M8 2L1.5 13.5h13z",
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """One of ICONS, 16 px, in the colour of its text; always beside words."""
    return format_html(
        '<svg class="icon" width="16" height="16" viewBox="0 0 16 16" fill="none" '
        'stroke="currentColor" stroke-width="1.5" stroke-linecap="round" '
        'stroke-linejoin="round" aria-hidden="true" focusable="false"><path d="{}"/></svg>',
        ICONS[name],
    )


@register.inclusion_tag("components/stat.html")
def stat(
    label: str, value: Any, change: str = "", tone: str = "", note: str = "", url: str = ""
) -> dict[str, Any]:
    """A figure with its change. `value` may be the result of a filter; None is unknown."""
    shown = _unknown() if value is None else value
    return {
        "label": label, "value": shown, "change": change, "tone": tone, "note": note, "url": url,
        "long": len(strip_tags(str(shown))) > LONG_FIGURE,
    }  # fmt: skip


# --- Allowance and charts --------------------------------------------------------------------

SOURCES = {
    "committed": gettext_lazy("Committed"),
    "top-ups": gettext_lazy("Top-ups"),
    "on-demand": gettext_lazy("On-demand"),
    "over-limit": gettext_lazy("Beyond the limit"),
}


def _allowance_summary(figures: bars.AllowanceFigures) -> str:
    used = display.compute_hours_text(figures.used)
    if figures.state == "nothing":
        return _("No compute time is set for this period.")
    if figures.left is None:
        return _("%(used)s used; on-demand has no limit.") % {"used": used}
    numbers = {"used": used, "limit": display.compute_hours_text(figures.limit)}
    return _("%(used)s of %(limit)s used.") % numbers


@register.inclusion_tag("components/allowance.html")
def allowance(
    figures: bars.AllowanceFigures,
    id: str = "allowance",  # noqa: A002 - the name in templates
    text: str = "",
    compact: bool = False,
) -> dict[str, Any]:
    """The allowance bar, the same on every page. `text` is one sentence beside the head."""
    drawing = bars.draw(figures)
    segments = [(segment, SOURCES[segment.key]) for segment in drawing.segments]
    return {
        "bar": figures, "drawing": drawing, "segments": segments, "mark": drawing.mark,
        "id": id, "text": text, "compact": compact, "summary": _allowance_summary(figures),
    }  # fmt: skip


def _figure_script(chart: Chart) -> SafeString:
    figure = json.loads(chart.figure) if isinstance(chart.figure, str) else chart.figure
    return json_script(figure, f"{chart.id}-figure", encoder=DjangoJSONEncoder)


@register.inclusion_tag("components/chart.html")
def chart(chart: Chart) -> dict[str, Any]:
    """A figure with its numbers in a table. The page adds `{% include "charts_head.html" %}`."""
    script = _figure_script(chart) if chart.figure else ""
    return {"chart": chart, "script": script}


# --- Structure -------------------------------------------------------------------------------


@register.simple_block_tag(takes_context=True, end_name="endcomponent")
def component(context: Context, content: str, name: str, **values: Any) -> str:
    """`{% component "card" title=… %}…{% endcomponent %}`: components/NAME.html around a body."""
    engine = context.template.engine  # type: ignore[union-attr]
    shared = {key: context[key] for key in ("request", "csrf_token") if key in context}
    inner = context.new({**shared, **values, "slot": SafeString(content.strip())})
    return engine.get_template(f"components/{name}.html").render(inner)


@register.simple_tag(takes_context=True)
def theme_attribute(context: Context) -> SafeString:
    """` data-theme="dark"` where the reader has chosen; otherwise the system decides."""
    request = context.get("request")
    theme = request.COOKIES.get("portal_theme", "") if request else ""
    return format_html(' data-theme="{}"', theme) if theme in THEMES else SafeString("")


@register.filter
def pages_around(page: Any) -> Sequence[int | str]:
    """Page numbers for the pagination: ends, neighbours, and gaps between."""
    return list(page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1))
