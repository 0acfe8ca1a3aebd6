"""`docker offload stop`."""

from typing import Any

from docker_offload import record
from docker_offload.app import App
from docker_offload.failures import Failure
from docker_offload.lifecycle import Lifecycle
from docker_offload.options import Given
from docker_offload.record import Record
from docker_offload.words import duration, money, why_ended


def stop(app: App, given: Given) -> int:
    """End the session of this machine; without one, the person's session elsewhere."""
    with app.alone():
        kept = record.load(app.store)
        wanted = given["account"]
        if kept is not None and (not wanted or wanted in (kept.organization, kept.name)):
            return _stop_here(app, kept)
        if kept is None:
            Lifecycle(app).settle()
    return _stop_elsewhere(app, wanted or "")


def _stop_here(app: App, kept: Record) -> int:
    session = Lifecycle(app).finish(kept)
    _tell(app, session, external=kept.external)
    if not kept.external:
        app.terminal.say(f"Docker uses the context {app.docker.current()}.")
    return 0


def _stop_elsewhere(app: App, account: str) -> int:
    running = app.portal().running_sessions(account)
    if not running:
        app.terminal.say("No session is running.")
        return 0
    if len(running) > 1:
        names = ", ".join(session["organization"] for session in running)
        raise Failure("Several sessions are running.", f"Pass --account with one of: {names}")
    _tell(app, app.portal().stop(running[0]["id"]))
    return 0


def _tell(app: App, session: dict[str, Any] | None, *, external: bool = False) -> None:
    say = app.terminal.say
    if session is None:
        say("The session was gone already.")
        return
    if session["end_reason"] == "stopped":
        rest = "" if external else "; everything on its engine is deleted"
        say(f"The session is stopped{rest}.")
    else:
        say(f"The session had ended before. {why_ended(session)}")
    on, billed = duration(session["elapsed_seconds"]), duration(session["billed_seconds"])
    say(f"It was on for {on}, billed {billed}, {money(session['cost_microusd'])}.")
