"""An event as one line for a chat service, by a template of the organization's.

Pure: names in braces are replaced and nothing else happens, so a template can do no harm.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

MOST_TEMPLATE_LETTERS = 300
MOST_TEXT_LETTERS = 2_000
_NAME = re.compile(r"\{([a-z_.]*)\}")
# What every event has; what is in its data comes as {data.name}.
NAMES = frozenset({"event", "title", "organization", "time", "details", "link"})
USUAL = "{title} · {organization} · {details} {link}"
# The field in which each kind of service takes its text.
FIELDS = {"slack": "text", "discord": "content"}


def unknown_names(template: str) -> list[str]:
    """Names in braces that no event has."""
    found = _NAME.findall(template)
    return [name for name in found if name not in NAMES and not name.startswith("data.")]


def text_of(template: str, values: Mapping[str, Any]) -> str:
    """The line. What this event has not is left out; at most 2,000 letters."""

    def value(found: re.Match[str]) -> str:
        if found[1].startswith("data."):
            inner = values["data"].get(found[1].removeprefix("data."))
            return "" if inner is None else str(inner)
        return str(values.get(found[1], ""))

    text = _NAME.sub(value, template or USUAL)
    return " ".join(text.split())[:MOST_TEXT_LETTERS]


def details_of(data: Mapping[str, Any]) -> str:
    """The plain values of an event's data, without identifiers."""
    plain = {
        key: value
        for key, value in data.items()
        if isinstance(value, str | int | bool) and not key.endswith("_id") and value not in ("", [])
    }
    return ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in plain.items())


def body_for(style: str, text: str) -> str:
    """What the service takes; the same shape serves Slack, Mattermost, Rocket.Chat and Teams."""
    return json.dumps({FIELDS[style]: text}, ensure_ascii=False, separators=(",", ":"))
