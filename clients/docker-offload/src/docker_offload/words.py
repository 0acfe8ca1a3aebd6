"""How lengths, money and states are written: as on the portal's pages."""

import re
import unicodedata
from typing import Any

from docker_offload.failures import Misuse

MINUTE, HOUR = 60, 3_600
MICRO = 1_000_000
UNKNOWN = "N/A"
_UNITS = {"ms": 0.001, "s": 1, "m": MINUTE, "h": HOUR}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")

STATES = {
    "starting": "Starting",
    "idle": "Started (Idle)",
    "active": "Started (Active)",
    "ended": "Stopped",
    "failed": "Failed",
}
ENDED = {
    "stopped": "You stopped it.",
    "stopped_by_owner": "An owner of the organization stopped it.",
    "idle": "It was idle too long, so it ended by itself.",
    "allowance_exhausted": "The organization's compute time was used up.",
    "cap_reached": "Your cap of compute time was reached.",
    "access_revoked": "You lost access to Offload.",
    "session_length": "It reached the longest session that the policy allows.",
    "subscription_ended": "The organization's subscription ended or was suspended.",
    "engine_lost": "The engine was lost; what was billed since it was last seen was given back.",
    "failed": "The engine did not start.",
}
PROMPTS = {
    "inactivity": "Nothing has happened for a while.",
    "session": "This session has been on for some hours.",
    "daily": "You have worked in sessions for many hours today.",
}


def duration(seconds: int | None) -> str:
    """`3 h 12 m`, `12 m 5 s`, `48 s`; a part that is zero is left out."""
    if seconds is None:
        return UNKNOWN
    if seconds < MINUTE:
        return f"{max(0, seconds)} s"
    if seconds < HOUR:
        first, second, units = seconds // MINUTE, seconds % MINUTE, ("m", "s")
    else:
        first, second, units = seconds // HOUR, seconds % HOUR // MINUTE, ("h", "m")
    return f"{first:,} {units[0]}" + (f" {second} {units[1]}" if second else "")


def compute_hours(seconds: int) -> str:
    """Hours with one place from ten hours on, with two below, none where it comes out even."""
    places = 1 if abs(seconds) >= 10 * HOUR else 2
    scale = 10**places
    shown = (abs(seconds) * scale + HOUR // 2) // HOUR
    if shown == 0 and seconds:
        return "< 0.01 h"
    whole, part = divmod(shown, scale)
    sign = "−" if seconds < 0 else ""
    return f"{sign}{whole:,}" + (f".{part:0{places}}" if part else "") + " h"


def money(microusd: int) -> str:
    """`$1,234.56`, half-even to the cent."""
    cents, rest = divmod(abs(microusd), MICRO // 100)
    twice = 2 * rest
    if twice > MICRO // 100 or (twice == MICRO // 100 and cents % 2):
        cents += 1
    sign = "−" if microusd < 0 and cents else ""
    return f"{sign}${cents // 100:,}.{cents % 100:02}"


def parse_duration(text: str) -> float:
    """Seconds from `10s`, `2m`, `1h30m`, or a bare number of seconds."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or len(text) > 20:
        raise Misuse("write a length such as 90s, 10m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def why_ended(session: dict[str, Any]) -> str:
    """One sentence; a failed start says what the portal knows of it."""
    reason = session.get("end_reason") or ""
    if reason == "failed" and session.get("failure"):
        return str(session["failure"])
    return ENDED.get(reason, f"It ended: {reason}." if reason else "It ended.")


def clean(value: Any) -> Any:
    """The same value with nothing in it that could steer a terminal.

    Names come from other people: control characters and marks of direction become a sign of
    their own, lines and tabs become spaces.
    """
    if isinstance(value, str):
        return (
            "".join(map(_shown, value)) if not value.isascii() or not value.isprintable() else value
        )
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(name): clean(item) for name, item in value.items()}
    return value


def _shown(character: str) -> str:
    if character in "\n\t\r":
        return " "
    # Cc: control, Cf: format (directions, joiners), Cs: halves of a pair, Zl and Zp: lines.
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _STEERS else character


_STEERS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def width(text: str) -> int:
    """Columns in a terminal: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def padded(text: str, columns: int) -> str:
    return text + " " * max(0, columns - width(text))
