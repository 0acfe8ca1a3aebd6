"""`docker offload insights`: what a session did."""

import json
import uuid
from typing import Any

from docker_offload import record
from docker_offload.app import App
from docker_offload.failures import Failure
from docker_offload.options import Given
from docker_offload.terminal import Terminal, table
from docker_offload.words import STATES, compute_hours, duration, money, why_ended

COLUMNS = 48
GLYPHS = {"active": "█", "idle": "░", "starting": "·"}
PLAIN = {"active": "#", "idle": ".", "starting": " "}
MOST_ROWS = 20
SOURCES = {
    "committed": "Committed", "top_up": "Top-ups", "on_demand": "On-demand",
    "over_limit": "Beyond the limit",
}  # fmt: skip
KEPT_ALIVE = {
    "running_containers": "running containers",
    "active_builds": "a running build",
    "api_calls": "calls to the Docker API",
}


def insights(app: App, given: Given) -> int:
    found = _found(app, given.arguments[0] if given.arguments else "")
    if given["format"] == "json":
        app.terminal.say(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    for line in _lines(found, app.terminal):
        app.terminal.say(line)
    return 0


def _found(app: App, wanted: str) -> dict[str, Any]:
    if wanted:
        try:
            return app.portal().insights(str(uuid.UUID(wanted)))
        except ValueError:
            raise Failure(f"{wanted} is no identifier of a session.") from None
    kept = record.load(app.store)
    if kept is not None and kept.session_id:
        return app.portal(kept.portal).insights(kept.session_id)
    last = app.portal().last_session()
    if last is None:
        raise Failure("You had no session yet.", "Start one with: docker offload start")
    return app.portal().insights(last["id"])


def _lines(found: dict[str, Any], terminal: Terminal) -> list[str]:
    session = found["session"]
    return [
        f"  Session: {session['id']}",
        f"  Account: {session['organization']}",
        f"  State: {STATES.get(session['state'], session['state'])}",
        *_why(found),
        _lengths(session),
        *_timeline(found["timeline"], terminal),
        *_containers(found["containers"]),
        *_costs(found["cost_by_source"], session["cost_microusd"]),
    ]


def _lengths(session: dict[str, Any]) -> str:
    active, idle = duration(session["active_seconds"]), duration(session["idle_seconds"])
    return f"  Active {active}, idle {idle}, billed {duration(session['billed_seconds'])}"


def _why(found: dict[str, Any]) -> list[str]:
    session = found["session"]
    if session["state"] in ("ended", "failed"):
        return [f"  Ended: {why_ended(session)}"]
    things = [KEPT_ALIVE.get(word, word) for word in found["kept_alive_by"]]
    return [f"  Kept alive by: {' and '.join(things)}"] if things else []


def _timeline(segments: list[dict[str, Any]], terminal: Terminal) -> list[str]:
    whole = sum(segment["seconds"] for segment in segments)
    if not whole:
        return []
    glyphs = GLYPHS if terminal.has_blocks else PLAIN
    text, start = "", 0
    for segment in segments:
        end = start + segment["seconds"]
        glyph = glyphs.get(segment["kind"], "?")
        text += glyph * (end * COLUMNS // whole - start * COLUMNS // whole)
        start = end
    return ["", f"  {text}", f"  {glyphs['active']} active  {glyphs['idle']} idle"]


def _containers(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    head = ["CONTAINER", "IMAGE", "STARTED", "EXIT CODE"]
    shown = [
        [row["name"] or row["id"][:12], row["image"], row["started_at"], _exit(row)]
        for row in rows[:MOST_ROWS]
    ]
    more = len(rows) - len(shown)
    rest = [f"  and {more:,} more"] if more else []
    return ["", *(f"  {line}" for line in table([head, *shown])), *rest]


def _exit(row: dict[str, Any]) -> str:
    if row["exited_at"] is None:
        return "running"
    return "unknown" if row["exit_code"] is None else str(row["exit_code"])


def _costs(by_source: dict[str, Any], cost: int) -> list[str]:
    rows = [
        f"  {label:<18} {compute_hours(by_source[key]['compute_seconds']):>10}"
        f" {money(by_source[key]['cost_microusd']):>12}"
        for key, label in SOURCES.items()
        if by_source.get(key, {}).get("compute_seconds")
    ]
    return ["", *rows, f"  {'Cost so far':<18} {'':>10} {money(cost):>12}"]
