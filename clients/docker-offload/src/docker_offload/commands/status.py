"""`docker offload status`: once, or again and again with questions answered."""

import json
from dataclasses import dataclass
from typing import Any

from docker_offload import CONTEXT, record
from docker_offload.app import App
from docker_offload.bar import lines_of
from docker_offload.commands.watching import watch
from docker_offload.files import locked
from docker_offload.lifecycle import Lifecycle
from docker_offload.options import Given
from docker_offload.portal import Portal
from docker_offload.words import STATES, UNKNOWN, duration, money, why_ended

SCHEMA = 1
SESSION_FIELDS = (
    "id", "organization", "state", "end_reason", "engine_size", "gpu", "labels", "created_at",
    "ready_at", "idle_since", "ended_at", "idle_timeout_seconds", "seconds_until_idle",
    "seconds_until_end", "elapsed_seconds", "active_seconds", "idle_seconds", "billed_seconds",
    "compute_seconds", "cost_microusd", "container_count", "images", "prompt", "keep_alive",
    "notices", "as_of",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What status shows. `tag` is the session's, to wait for its change."""

    portal: Portal
    session: dict[str, Any] | None
    account: dict[str, Any] | None
    here: bool  # the session belongs to this machine
    tag: str = ""


def status(app: App, given: Given) -> int:
    seen = look(app, given["account"])
    if given["watch"]:
        return watch(app, seen, given)
    show(app, seen, given["format"])
    answer = given["answer"]
    if answer and seen.session and seen.session["prompt"]:
        seen.portal.answer(seen.session["id"], answer)
        app.terminal.note(f"Answered: {answer}.")
    return 0


def look(app: App, account: str | None) -> Seen:
    """The session of this machine, else the person's own that runs, else the one that ended."""
    kept, session = _settled(app)
    portal = app.portal(kept.portal if kept else "")
    accounts = portal.accounts()
    here = kept is not None and account in (None, kept.organization, kept.name)
    if not here:
        elsewhere = _running(accounts, account)
        if elsewhere or kept is not None or (session and account not in (None, _payer(session))):
            session = elsewhere
    chosen = _account(accounts, session, account)
    return Seen(portal, session, chosen, here)


def _settled(app: App) -> tuple[record.Record | None, dict[str, Any] | None]:
    """Tidy up after the last command, unless another one is at work just now."""
    with locked(app.store.session_lock, app.clock, 0) as held:
        if held:
            return Lifecycle(app).settle()
    kept = record.load(app.store)
    if kept is None or not kept.session_id:
        return None, None
    return kept, app.portal(kept.portal).session(kept.session_id)[0]


def _running(accounts: list[dict[str, Any]], wanted: str | None) -> dict[str, Any] | None:
    rows = (row for row in accounts if wanted in (None, row["slug"], row["name"]))
    return next((row["running_session"] for row in rows if row["running_session"]), None)


def _payer(session: dict[str, Any]) -> str:
    return str(session["organization"])


def _account(
    accounts: list[dict[str, Any]], session: dict[str, Any] | None, wanted: str | None
) -> dict[str, Any] | None:
    slug = session["organization"] if session else wanted
    found = [row for row in accounts if slug in (row["slug"], row["name"])]
    found += [] if slug else [row for row in accounts if row.get("is_default")]
    if not found and not slug and len(accounts) == 1:
        return accounts[0]
    return found[0] if found else None


def show(app: App, seen: Seen, how: str) -> None:
    if how == "json":
        app.terminal.say(json.dumps(as_json(app, seen), ensure_ascii=False, indent=2))
        return
    for line in lines(app, seen):
        app.terminal.say(line)


def as_json(app: App, seen: Seen) -> dict[str, Any]:
    """Stable: names are only added (README)."""
    session, account = seen.session, seen.account
    current = app.docker.current()
    return {
        "schema": SCHEMA,
        "portal": seen.portal.address,
        "state": session["state"] if session else "not_started",
        "account": {"slug": account["slug"], "name": account["name"]} if account else None,
        "session": {name: session.get(name) for name in SESSION_FIELDS} if session else None,
        "on_this_machine": seen.here,
        "context": {"current": current, "is_offload": current == CONTEXT},
        "allowance": account["allowance"] if account else None,
    }


def lines(app: App, seen: Seen) -> list[str]:
    account, session = seen.account, seen.session
    shown = [f"  Account: {account['name']} ({account['slug']})" if account else "  Account: N/A"]
    shown += _session_lines(session) if session else ["  State: Not started"]
    if session and session["state"] not in ("ended", "failed") and not seen.here:
        shown.append("  On this machine: no, docker does not use it")
    if account:
        shown += ["", *(f"  {line}" for line in lines_of(account["allowance"], app.terminal))]
    return shown


def _session_lines(session: dict[str, Any]) -> list[str]:
    size = session["engine_size"]
    over = session["state"] in ("ended", "failed")
    rows = [
        f"  State: {STATES.get(session['state'], session['state'])}",
        f"  Session started: {session['created_at']}",
        f"  Duration: {duration(session['elapsed_seconds'])}",
    ]
    if over:
        rows.append(f"  Ended: {why_ended(session)}")
    else:
        rows.append(f"  Time until idle: {duration(session['seconds_until_idle'])}")
        rows.append(f"  Time until end: {duration(session['seconds_until_end'])}")
    kept = session.get("keep_alive")
    if kept and not over:
        rows.append(f"  Kept alive by: the job {kept['label']}, until {kept['until']}")
    rows.append(f"  Engine size: {size}")
    rows.append(f"  GPU: {'yes' if session['gpu'] else 'no'}")
    rows.append(f"  Cost so far: {money(session['cost_microusd'])}")
    rows += [f"  {line}" for line in notice_lines(session)]
    if session["prompt"] and not over:
        rows.append("  Asks: are you still working? docker offload stay, or docker offload idle")
    return rows


def notice_lines(session: dict[str, Any]) -> list[str]:
    """What the portal wants its user to know; `Soon` is urgent."""
    return [
        f"{'Soon' if notice.get('urgent') else 'Notice'}: {_notice(notice)}"
        for notice in session.get("notices") or ()
    ]


def _notice(notice: dict[str, Any]) -> str:
    """The portal's sentence where it gives one."""
    for name in ("sentence", "detail", "text"):
        if notice.get(name):
            return str(notice[name])
    rest = ", ".join(f"{name} {value}" for name, value in notice.items() if name != "kind")
    return f"{notice.get('kind', UNKNOWN)}{': ' if rest else ''}{rest}"
