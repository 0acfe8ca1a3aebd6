"""`docker offload diagnose`: each thing that a session needs, whether it is there, what to do."""

import json
import platform
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from docker_offload import CONTEXT, VERSION, engine, record
from docker_offload.app import App
from docker_offload.commands.reaching import shake_hands
from docker_offload.docker import EngineFiles
from docker_offload.failures import Failure
from docker_offload.install import DIRECTORY, NAME
from docker_offload.options import Given
from docker_offload.store import readable_by_others
from docker_offload.tokens import VARIABLE
from docker_offload.words import duration

GOOD, NOTICE, BAD = "ok", "notice", "failed"
MOST_SKEW = 30


@dataclass(frozen=True)
class Check:
    """Never holds a token or a key."""

    name: str
    result: str
    detail: str


Checks = Iterator[Check]


def diagnose(app: App, given: Given) -> int:
    """Exit code 1 where something failed."""
    found = [check for look in LOOKS for check in _safely(look, app)]
    if given["format"] == "json":
        app.terminal.say(json.dumps({"checks": [asdict(check) for check in found]}, indent=2))
    else:
        column = max(len(check.name) for check in found) + 2
        for check in found:
            app.terminal.say(f"  {check.result:<8}{check.name:<{column}}{check.detail}")
    return 1 if any(check.result == BAD for check in found) else 0


def _safely(look: Callable[[App], Checks], app: App) -> Checks:
    try:
        yield from look(app)
    except Failure as failure:
        name = (look.__doc__ or "Check").strip(".")
        yield Check(name, BAD, " ".join(filter(None, (failure.sentence, failure.hint))))


def _versions(app: App) -> Checks:
    """Version."""
    yield Check("Plugin", GOOD, f"v{VERSION}, Python {platform.python_version()}")
    yield Check("System", GOOD, f"{platform.system()} {platform.release()} {platform.machine()}")
    version = app.docker.version()
    yield Check("Docker client", GOOD if version else BAD, version or "not found in PATH")
    target = app.store.docker / DIRECTORY / NAME
    detail = (
        str(target) if target.exists() else "not installed for this user: docker-offload install"
    )
    yield Check("Installed", GOOD if target.exists() else NOTICE, detail)


def _portal(app: App) -> Checks:
    """Portal."""
    address = app.store.portal()
    proxies = urllib.request.getproxies()
    proxy = proxies.get(urlsplit(address).scheme)
    host = urlsplit(address).netloc
    through = ""
    if proxy and not urllib.request.proxy_bypass(host):
        through = f" through the proxy {urlsplit(proxy).hostname}"
    answer = app.transport.send("GET", f"{address}/.well-known/openid-configuration")
    good = answer.status == 200
    detail = f"{address} answers{through}" if good else f"{address} answered {answer.status}"
    yield Check("Portal", GOOD if good else BAD, detail)
    yield from _skew(app, answer.headers.get("Date", ""))


def _skew(app: App, date: str) -> Checks:
    try:
        there = parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return
    skew = round(app.clock.wall() - there)
    if abs(skew) <= MOST_SKEW:
        yield Check("Clock", GOOD, "as the portal's")
        return
    side = "ahead of" if skew > 0 else "behind"
    detail = f"{duration(abs(skew))} {side} the portal's; sessions go by the portal's"
    yield Check("Clock", NOTICE, detail)


def _certificates(app: App) -> Checks:
    """Certificates."""
    paths = ssl.get_default_verify_paths()
    own = app.store.cacert()
    system = app.env.get("SSL_CERT_FILE") or paths.cafile or paths.capath or "the system's"
    yield Check("Authorities", GOOD, f"{system}{f' and {own}' if own else ''}")


def _token(app: App) -> Checks:
    """Sign-in."""
    kind = f"the token in {VARIABLE}" if app.env.get(VARIABLE) else "a sign-in of this machine"
    me = app.portal().me()
    yield Check("Sign-in", GOOD, f"{me['email']}, by {kind}")
    for path in (app.store.directory, app.store.sign_ins, app.store.keys):
        if readable_by_others(path):
            yield Check("Files", BAD, f"others can read {path}: chmod go= {path}")


def _accounts(app: App) -> Checks:
    """Accounts."""
    for row in app.portal().accounts():
        running = row["running_session"] is not None
        result = GOOD if row["can_start"] or running else NOTICE
        detail = "running" if running else row["detail"] or "can start"
        yield Check(f"Account {row['slug']}", result, detail)


def _session(app: App) -> Checks:
    """Session."""
    for name in app.docker.overriding():
        yield Check("Environment", NOTICE, f"{name} is set, so docker ignores its context")
    current = app.docker.current()
    kept = record.load(app.store)
    if kept is None:
        lost = current == CONTEXT
        detail = f"{current}, of a session that is gone" if lost else current
        yield Check("Context", NOTICE if lost else GOOD, detail)
        yield Check("Session", GOOD, "none on this machine")
        return
    yield Check("Context", GOOD if kept.external or current == CONTEXT else NOTICE, current)
    session, _tag = app.portal(kept.portal).session(kept.session_id)
    yield Check("Session", GOOD, f"{session['id']}, {session['state']}")
    files = engine.files_of(app.store, kept.session_id)
    if not kept.external and engine.has_files(files):
        yield shake_hands_check(app, files)


def shake_hands_check(app: App, files: EngineFiles) -> Check:
    """Only TLS: a request to the engine would count as activity and be billed."""
    host = app.docker.host()
    why_not = shake_hands(host, files)
    if why_not:
        return Check("Engine's door", BAD, f"{host}: {why_not}")
    return Check("Engine's door", GOOD, f"{host} takes the session's certificate")


LOOKS = (_versions, _certificates, _portal, _token, _accounts, _session)
