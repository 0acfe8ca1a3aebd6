"""`docker offload start`."""

import re
from typing import Any

from docker_offload import CONTEXT
from docker_offload.app import App
from docker_offload.commands.choosing import choose
from docker_offload.commands.status import notice_lines
from docker_offload.failures import Failure, Misuse, Refused
from docker_offload.lifecycle import Lifecycle
from docker_offload.options import Given
from docker_offload.record import Record
from docker_offload.words import compute_hours, duration, money

HOUR = 3_600
SOURCES = {
    "committed": "committed time",
    "top_up": "top-ups",
    "on_demand": "on-demand usage",
    "over_limit": "time beyond the limit",
}


def start(app: App, given: Given) -> int:
    wish = _wish(app, given)
    if given["dry-run"]:
        account = choose(app, given["account"], app.portal().accounts())
        return _try(app, {**wish, "organization": account["slug"]})
    with app.alone():
        lifecycle = Lifecycle(app)
        kept, session = lifecycle.settle()
        if kept is not None and session is not None:
            return _already(app, lifecycle, kept, given["account"])
        account = choose(app, given["account"], app.portal().accounts())
        wish["organization"] = account["slug"]
        session = lifecycle.start(account["slug"], account["name"], wish, given["timeout"])
        _started(app, account["name"], session)
        for line in notice_lines(session):
            app.terminal.note(line)
    return 0


def _wish(app: App, given: Given) -> dict[str, Any]:
    wish: dict[str, Any] = {"client": app.client()}
    if given["size"]:
        wish["engine_size"] = given["size"]
    if given["gpu"]:
        wish["gpu"] = True
    if given["idle-timeout"] is not None:
        wish["idle_timeout_seconds"] = whole_seconds(given["idle-timeout"], "--idle-timeout")
    if given["label"]:
        wish["labels"] = dict(_label(text) for text in given["label"])
    return wish


def whole_seconds(length: float, name: str) -> int:
    if length != int(length):
        raise Misuse(f"{name} takes whole seconds")
    return int(length)


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z][A-Za-z0-9._/-]{0,62}", name):
        raise Misuse(f'invalid argument "{text}" for "-l, --label" flag: write name=value')
    return name, value


def _already(app: App, lifecycle: Lifecycle, kept: Record, wanted: str | None) -> int:
    """A machine has one session; asking for it again is no mistake."""
    if wanted and wanted not in (kept.organization, kept.name):
        sentence = f"A session of {kept.name} is running on this machine."
        raise Failure(sentence, "Stop it first: docker offload stop")
    again = lifecycle.reconnect(kept)
    app.terminal.say(f"A session of {kept.name} is running already.")
    if again:
        app.terminal.say(f"Docker uses the context {CONTEXT} again.")
    _warn(app)
    return 0


def _try(app: App, wish: dict[str, Any]) -> int:
    """`--dry-run`: what the portal says would happen; exit code 1 for a refusal."""
    found = app.portal().try_start(wish)
    if not found["would_start"]:
        raise Refused(409, found["refusal"] or {}, None)
    rate = found["rate_microusd_per_second"] or 0
    price = f"{money(rate * HOUR)} an hour" if rate else "paid ahead"
    source = SOURCES.get(found["source"], found["source"])
    affordable = found["affordable_seconds"]
    say = app.terminal.say
    say(f"Would start a session of {wish['organization']}.")
    say(f"  Engine size: {found['engine_size']} (×{found['multiplier']})")
    say(f"  Idle timeout: {duration(found['idle_timeout_seconds'])}")
    say(f"  Paid by: {source}, {price}")
    say(f"  Lasts: {'without a limit' if affordable is None else compute_hours(affordable)}")
    return 0


def _started(app: App, account: str, session: dict[str, Any]) -> None:
    say = app.terminal.say
    size = session["engine_size"] + (", with a GPU" if session["gpu"] else "")
    kept = app.docker.current() == CONTEXT
    if not kept:
        say(f"A session of {account} has started ({size}).")
        say(
            "This portal has no engines of its own: docker goes on using the context "
            f"{app.docker.current()}, and whoever brings the engine reports its activity."
        )
        return
    say(f"Docker uses an engine of {account} now ({size}).")
    say("Stop it with: docker offload stop")
    _warn(app)


def _warn(app: App) -> None:
    """Variables that make docker look elsewhere, whatever context is in use."""
    for name in app.docker.overriding():
        app.terminal.note(f"{name} is set, so docker ignores the session: unset {name}")
