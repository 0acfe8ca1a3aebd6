"""`docker offload login` and `logout`."""

import sys
import webbrowser
from pathlib import Path
from urllib.parse import urlsplit

from docker_offload import record
from docker_offload.app import App
from docker_offload.failures import Failure
from docker_offload.files import locked
from docker_offload.options import Given
from docker_offload.record import STOPPING
from docker_offload.signing_in import DeviceCode, ask_for_code, discover, revoke, wait_for_approval
from docker_offload.store import normal_address
from docker_offload.tokens import LOCK_PATIENCE, VARIABLE
from docker_offload.transport import is_loopback, trust


def login(app: App, given: Given) -> int:
    """Sign in by a code that the person confirms in a browser, on this machine or another."""
    if given["cacert"]:
        keep_cacert(app, given["cacert"])
    portal = normal_address(given["portal"]) if given["portal"] else app.store.portal()
    _warn(app, portal)
    endpoints = discover(portal, app.transport)
    code = ask_for_code(endpoints, app.transport)
    app.terminal.note(f"Open {code.address} and enter the code {code.user_code}")
    if not given["no-browser"]:
        _open(app, code)
    waiting = "Waiting for you to confirm it in the browser …"
    tokens = wait_for_approval(
        code, endpoints, app.transport, app.clock, lambda: app.terminal.progress(waiting)
    )
    with locked(app.store.sign_in_lock, app.clock, LOCK_PATIENCE):
        app.store.keep_sign_in(portal, {**endpoints, **tokens})
    app.store.set("portal", portal)
    _greet(app, portal)
    return 0


def keep_cacert(app: App, path: str) -> None:
    """Remember the file by its whole path; Failure where it holds no certificates."""
    whole = str(Path(path).expanduser().resolve())
    trust(whole)
    app.store.set("cacert", whole)


def _warn(app: App, portal: str) -> None:
    parts = urlsplit(portal)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        app.terminal.note(f"{portal} is not encrypted: anybody on the way can read your tokens.")
    if app.env.get(VARIABLE):
        app.terminal.note(f"{VARIABLE} is set and goes before the sign-in.")


def _open(app: App, code: DeviceCode) -> None:
    """Only where a person sits before a desktop; a browser in the terminal would hide the code."""
    remote = any(app.env.get(name) for name in ("SSH_CONNECTION", "SSH_TTY"))
    desktop = sys.platform == "darwin" or app.env.get("DISPLAY") or app.env.get("WAYLAND_DISPLAY")
    if app.terminal.is_interactive and desktop and not remote:
        webbrowser.open(code.full_address)


def _greet(app: App, portal: str) -> None:
    me = app.portal(portal).me()
    app.terminal.say(f"Signed in at {portal} as {me['name']} <{me['email']}>.")


def logout(app: App, given: Given) -> int:
    """Revoke the tokens of this machine. A session has to be stopped before, as it needs them."""
    portal = app.store.portal()
    kept = record.load(app.store)
    if kept is not None and kept.portal == portal and kept.stage != STOPPING:
        hint = "Stop it first: docker offload stop"
        raise Failure("A session is running on this machine.", hint)
    with locked(app.store.sign_in_lock, app.clock, LOCK_PATIENCE):
        sign_in = app.store.sign_in(portal)
        if not sign_in:
            app.terminal.say(f"You are not signed in at {portal}.")
            return 0
        revoked = revoke(sign_in, app.transport, app.clock)
        app.store.keep_sign_in(portal, None)
    app.terminal.say(f"Signed out at {portal}.")
    if not revoked:
        app.terminal.note("The portal could not be told; revoke the sign-in on its account page.")
    return 0
