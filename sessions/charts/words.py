"""What the pictures of sessions share: names of things, plain text, one linear time axis."""

import html
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

LONGEST_LABEL = 26
SHORT, LONG = timedelta(minutes=10), timedelta(hours=36)

STATE_NAMES = {
    "starting": gettext_lazy("Starting"),
    "active": gettext_lazy("Active"),
    "idle": gettext_lazy("Idle"),
}
SOURCE_NAMES = {
    "committed": gettext_lazy("Committed"),
    "top_up": gettext_lazy("Top-ups"),
    "on_demand": gettext_lazy("On-demand"),
    "over_limit": gettext_lazy("Beyond the limit"),
}
BAR_TEXT = {"insidetextfont": {"color": "var:--surface"}, "textangle": 0}


def plain(text: str) -> str:
    """Text as Plotly shows it word for word: it reads a few tags, which names may not bring."""
    return html.escape(text, quote=False)


def shortened(text: str, *, keep: Literal["start", "end"] = "end") -> str:
    """The end of a long image reference tells more than its beginning; of a name the start."""
    if len(text) <= LONGEST_LABEL:
        return text
    if keep == "start":
        return f"{text[: LONGEST_LABEL - 1]}…"
    return f"…{text[-(LONGEST_LABEL - 1) :]}"


class Axis:
    """Time as Plotly takes it, which knows no zones: the offset at the start holds throughout.

    So a second is as wide everywhere, also where clocks change during the session.
    """

    def __init__(self, start: datetime, zone: ZoneInfo) -> None:
        offset = start.astimezone(zone).utcoffset() or timedelta()
        self.zone = timezone(offset)

    def place(self, at: datetime) -> str:
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def clock(self, at: datetime) -> str:
        return at.astimezone(self.zone).strftime("%H:%M:%S")

    def range(self, start: datetime, end: datetime) -> list[str]:
        """A little wider than what happened, and never empty."""
        length = max(end - start, timedelta(seconds=1))
        return [self.place(start - length / 200), self.place(end + length / 100)]


def milliseconds(start: datetime, end: datetime) -> int:
    """How long a bar on a time axis is."""
    return (end - start) // timedelta(milliseconds=1)


def time_axis(axis: Axis, start: datetime, end: datetime, **own: Any) -> Mapping[str, Any]:
    length = end - start
    form = "%H:%M:%S" if length < SHORT else "%H:%M" if length < LONG else "%-d %b %H:%M"
    return {
        "type": "date",
        "range": axis.range(start, end),
        # Level and few: turned labels would be cut off on a narrow screen.
        "nticks": 5,
        "tickangle": 0,
        "tickformat": form,
        **own,
    }


def clock_words(axis: Axis) -> str:
    return _("Times in %(zone)s") % {"zone": axis.zone.tzname(None)}


EVENTS = {
    "created": gettext_lazy("Started"),
    "ready": gettext_lazy("Engine ready"),
    "first_activity": gettext_lazy("First activity; billing begins"),
    "idle": gettext_lazy("Idle"),
    "resumed": gettext_lazy("Resumed; the gap is billed"),
    "container_failed": gettext_lazy("Container failed"),
    "allowance_low": gettext_lazy("Told that compute time would end"),
    "on_demand": gettext_lazy("On-demand pays from here on; what was paid ahead is used up"),
    "keep_alive_over": gettext_lazy("A job that had declared itself alive kept it until here"),
    "prompt_inactivity": gettext_lazy("Asked whether work goes on: nothing was typed for a while"),
    "prompt_session": gettext_lazy("Asked whether work goes on: a long session"),
    "prompt_daily": gettext_lazy("Asked whether work goes on: a long day"),
    "policy_changed": gettext_lazy("The policy changed; it holds from the next start"),
    "build_failed": gettext_lazy("Build failed"),
    "ended": gettext_lazy("Ended"),
}


def event_text(kind: str) -> str:
    """What an event means, in a few words."""
    return str(EVENTS.get(kind, kind))
