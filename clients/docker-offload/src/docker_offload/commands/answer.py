"""`docker offload stay` and `docker offload idle`: the answers to the portal's question."""

from typing import Any

from docker_offload import record
from docker_offload.app import App
from docker_offload.failures import Failure
from docker_offload.options import Given
from docker_offload.words import duration


def stay(app: App, given: Given) -> int:
    session = _answer(app, "stay")
    app.terminal.say(f"The session stays on; idle in {duration(session['seconds_until_idle'])}.")
    return 0


def idle(app: App, given: Given) -> int:
    session = _answer(app, "idle")
    left = duration(session["seconds_until_end"])
    app.terminal.say(f"The session is idle; it ends in {left} unless docker is used.")
    return 0


def _answer(app: App, answer: str) -> dict[str, Any]:
    kept = record.load(app.store)
    if kept is not None and kept.session_id:
        return app.portal(kept.portal).answer(kept.session_id, answer)
    portal = app.portal()
    running = portal.running_sessions()
    if len(running) != 1:
        raise Failure("No session is running." if not running else "Several sessions are running.")
    return portal.answer(running[0]["id"], answer)
