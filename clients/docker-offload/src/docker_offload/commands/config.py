"""`docker offload config`: what the portal keeps of the person, and what this machine keeps."""

import json
from typing import Any

from docker_offload.app import App
from docker_offload.commands.login import keep_cacert
from docker_offload.commands.start import whole_seconds
from docker_offload.failures import Failure, Misuse
from docker_offload.options import Given
from docker_offload.store import normal_address
from docker_offload.words import duration, parse_duration

AT_PORTAL = {"account": "default_organization", "idle-timeout": "idle_timeout_seconds"}
HERE = ("cacert", "portal")
NAMES = (*sorted(AT_PORTAL), *HERE)
NONE = "not set"


def config(app: App, given: Given) -> int:
    name, value = (*given.arguments, None, None)[:2]
    if name is None:
        if given["unset"]:
            raise Misuse("--unset takes the name of a setting")
        return _show(app, given["format"])
    if name not in NAMES:
        raise Failure(f"There is no setting {name}.", f"Settings: {', '.join(NAMES)}")
    if given["unset"]:
        if value is not None:
            raise Misuse("--unset takes no value")
        return _set(app, name, None)
    if value is None:
        app.terminal.say(_text(name, _all(app, (name,))[name]))
        return 0
    return _set(app, name, value)


def _all(app: App, names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    found: dict[str, Any] = {name: app.store.settings().get(name) for name in HERE}
    found["portal"] = app.env.get("DOCKER_OFFLOAD_PORTAL") or found["portal"]
    if any(name in AT_PORTAL for name in names):
        preferences = app.portal().me()["preferences"]
        found |= {name: preferences.get(field) for name, field in AT_PORTAL.items()}
    return {name: found[name] for name in names}


def _text(name: str, value: Any) -> str:
    if value is None:
        return NONE
    return duration(value) if name == "idle-timeout" else str(value)


def _show(app: App, how: str) -> int:
    found = _all(app)
    if how == "json":
        named = {name.replace("-", "_"): value for name, value in found.items()}
        named["idle_timeout_seconds"] = named.pop("idle_timeout")
        app.terminal.say(json.dumps(named, indent=2, ensure_ascii=False, sort_keys=True))
        return 0
    for name, value in found.items():
        app.terminal.say(f"  {name}: {_text(name, value)}")
    return 0


def _set(app: App, name: str, value: str | None) -> int:
    if name in AT_PORTAL:
        _prefer(app, name, value)
    elif name == "cacert" and value is not None:
        keep_cacert(app, value)
    else:
        app.store.set(name, None if value is None else normal_address(value))
    app.terminal.say(f"{name}: {_text(name, _all(app, (name,))[name])}")
    return 0


def _prefer(app: App, name: str, value: str | None) -> None:
    wanted: Any = value
    if name == "idle-timeout" and value is not None:
        wanted = whole_seconds(parse_duration(value), "idle-timeout")
        _check_bounds(app, wanted)
    app.portal().prefer(**{AT_PORTAL[name]: wanted})


def _check_bounds(app: App, seconds: int) -> None:
    """Say which accounts would refuse it; the others may still want it."""
    for row in app.portal().accounts():
        policy = row["policy"]
        least, most = policy["idle_timeout_least_seconds"], policy["idle_timeout_most_seconds"]
        if not least <= seconds <= most:
            app.terminal.note(
                f"The policy of {row['name']} allows {duration(least)} to {duration(most)}: "
                "starts there are refused unless you pass --idle-timeout."
            )
