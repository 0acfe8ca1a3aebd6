"""The allowance as one bar in text: the segments, the order and the words of the portal's pages."""

from dataclasses import dataclass
from typing import Any

from docker_offload.terminal import Terminal
from docker_offload.words import compute_hours, money

COLUMNS = 48
LABELS = {
    "committed": "Committed",
    "top_up": "Top-ups",
    "on_demand": "On-demand",
    "over_limit": "Beyond the limit",
}
STYLES = {"committed": "35", "top_up": "36", "on_demand": "33", "over_limit": "31"}
BLOCKS = {"used": "█", "reserved": "▒", "room": "░", "beyond": "╌", "mark": "▲"}
PLAIN = {"used": "#", "reserved": "=", "room": ".", "beyond": "-", "mark": "^"}


@dataclass(frozen=True)
class Part:
    """One source. Compute-seconds; `size` None has no limit, `room` is what it gets in the bar."""

    key: str
    size: int | None
    used: int
    room: int
    reserved: int = 0


def parts_of(allowance: dict[str, Any]) -> list[Part]:
    """In the order of draw-down; a source that has nothing is left out."""
    found: list[Part] = []
    for key in ("committed", "top_up"):
        total = allowance[key]["total_compute_seconds"] or 0
        if total:
            found.append(Part(key, total, allowance[key]["used_compute_seconds"], total))
    fixed = sum(part.room for part in found)
    on_demand, mode = allowance["on_demand"], allowance["on_demand_mode"]
    used, limit = on_demand["used_compute_seconds"], on_demand["total_compute_seconds"] or 0
    if mode == "unlimited":
        expected = max(used, (forecast_of(allowance) or 0) - fixed)
        found.append(Part("on_demand", None, used, max(expected * 6 // 5, fixed // 4, 3_600)))
    elif mode == "limited" and limit:
        found.append(Part("on_demand", limit, used, limit))
    over = allowance["over_limit_compute_seconds"]
    if over:
        found.append(Part("over_limit", over, over, over))
    return _reserved(found, allowance["reserved_compute_seconds"])


def _reserved(parts: list[Part], reserved: int) -> list[Part]:
    held = []
    for part in parts:
        share = min(reserved, max(0, part.room - part.used))
        reserved -= share
        held.append(Part(part.key, part.size, part.used, part.room, share))
    return held


def forecast_of(allowance: dict[str, Any]) -> int | None:
    """All use expected by the period's end; None where the portal does not say."""
    found = allowance.get("forecast_compute_seconds")
    return found if isinstance(found, int) else None


def head_of(allowance: dict[str, Any]) -> str:
    """What is left, in the words of the pages."""
    parts = parts_of(allowance)
    over, left = allowance["over_limit_compute_seconds"], allowance["left_compute_seconds"]
    used = sum(part.used for part in parts)
    if over:
        return (
            f"{compute_hours(over)} beyond the limit: running sessions finish, new ones are refused"
        )
    if left is None:
        return f"{compute_hours(used)} used, no limit"
    limit = sum(part.size or 0 for part in parts)
    if not limit:
        return "No compute time"
    end = ": new sessions are refused" if not left else ""
    return f"{compute_hours(left)} left of {compute_hours(limit)}{end}"


def lines_of(allowance: dict[str, Any], terminal: Terminal) -> list[str]:
    """Head, bar, mark of the forecast, legend."""
    parts, forecast = parts_of(allowance), forecast_of(allowance)
    lines = [head_of(allowance)]
    room = sum(part.room for part in parts)
    if room:
        scale = max(room, min((forecast or 0) * 51 // 50, room * 5 // 4))
        lines.append(_bar(parts, scale, terminal))
        if forecast is not None:
            lines.append(_mark(forecast, scale, terminal))
    return lines + [_legend(part, allowance, terminal) for part in parts] + _rest(allowance)


def _bar(parts: list[Part], scale: int, terminal: Terminal) -> str:
    glyphs = BLOCKS if terminal.has_blocks else PLAIN
    text, start = "", 0
    for part in parts:
        ends = [start + part.used, start + part.used + part.reserved, start + part.room]
        columns = [start * COLUMNS // scale]
        columns += [min(end, start + part.room) * COLUMNS // scale for end in ends]
        if part.used and columns[1] == columns[0] < columns[3]:
            # Something was used: it is seen, however little it is.
            columns[1] = columns[0] + 1
            columns[2] = max(columns[2], columns[1])
        pieces = zip(("used", "reserved", "room"), columns, columns[1:], strict=False)
        drawn = "".join(glyphs[kind] * (right - left) for kind, left, right in pieces)
        text += terminal.styled(drawn, STYLES[part.key])
        start += part.room
    return text + glyphs["beyond"] * (COLUMNS - start * COLUMNS // scale)


def _mark(forecast: int, scale: int, terminal: Terminal) -> str:
    glyph = (BLOCKS if terminal.has_blocks else PLAIN)["mark"]
    column = min(COLUMNS - 1, min(forecast, scale) * COLUMNS // scale)
    words = f"Forecast {compute_hours(forecast)}" + (
        ", beyond this bar" if forecast > scale else ""
    )
    if column > len(words):
        return f"{words.rjust(column - 1)} {glyph}"
    return f"{' ' * column}{glyph} {words}"


def _legend(part: Part, allowance: dict[str, Any], terminal: Terminal) -> str:
    swatch = terminal.styled((BLOCKS if terminal.has_blocks else PLAIN)["used"], STYLES[part.key])
    used = compute_hours(part.used)
    if part.key == "over_limit":
        text = used
    elif part.size is None:
        text = f"{used} used, no limit"
    else:
        text = f"{used} of {compute_hours(part.size)} used"
    if part.key == "on_demand":
        source = allowance["on_demand"]
        text += f"   {money(source['used_microusd'])}"
        if source["total_microusd"] is not None:
            text += f" of {money(source['total_microusd'])}"
    return f"{swatch} {LABELS[part.key]:<16} {text}"


def _rest(allowance: dict[str, Any]) -> list[str]:
    reserved = allowance["reserved_compute_seconds"]
    return [f"  {'Reserved':<16} {compute_hours(reserved)} by running sessions"] if reserved else []
