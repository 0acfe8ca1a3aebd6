"""`docker offload status --watch`: shows each change, asks what the portal asks."""

import dataclasses
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from docker_offload.app import App
from docker_offload.failures import Refused
from docker_offload.options import Given
from docker_offload.words import PROMPTS, duration, why_ended

if TYPE_CHECKING:
    from docker_offload.commands.status import Seen

PAUSE, WAIT = 5, 5
# A restart of the portal, or a lid that was closed for lunch.
PATIENCE = 600.0
OVER = ("ended", "failed")
QUESTION = "Are you still working? [s]tay, [i]dle now: "


def watch(app: App, seen: "Seen", given: Given) -> int:
    """Until the session ends or the person interrupts; returns 0 when it ended."""
    screen = _Screen(app, given["format"])
    screen.draw(seen)
    while seen.session is not None and seen.session["state"] not in OVER:
        if seen.session["prompt"]:
            _answer(app, seen, given["answer"])
        seen = _next(app, seen)
        screen.draw(seen)
    if seen.session is not None:
        app.terminal.note(f"The session has ended. {why_ended(seen.session)}")
        _settle(app)
    return 0


def _next(app: App, seen: "Seen") -> "Seen":
    """The session once it changed, or a few seconds later; the bar as the portal has it then."""
    assert seen.session is not None  # noqa: S101 - the loop holds it
    if not seen.tag:
        app.clock.sleep(PAUSE)
    session, tag = seen.portal.session(
        seen.session["id"], wait=WAIT, etag=seen.tag, patience=PATIENCE
    )
    account = seen.account
    if account is not None and tag != seen.tag:
        rows = [row for row in seen.portal.accounts() if row["slug"] == account["slug"]]
        account = rows[0] if rows else account
    return dataclasses.replace(seen, session=session, account=account, tag=tag)


def _settle(app: App) -> None:
    from docker_offload.lifecycle import Lifecycle

    with app.alone():
        Lifecycle(app).settle()


def _answer(app: App, seen: "Seen", given: str | None) -> None:
    """By the flag, or by asking where somebody can be asked; otherwise the portal decides."""
    assert seen.session is not None  # noqa: S101 - the loop holds it
    prompt = seen.session["prompt"]
    answer = given
    if answer is None and app.terminal.is_interactive:
        left = seconds_to_answer(prompt, seen.session["as_of"])
        text = PROMPTS.get(prompt["kind"], "")
        app.terminal.note(f"{text} Without an answer it is idle in {duration(left)}.")
        app.terminal.note(QUESTION)
        answer = _word(app.terminal.typed_within(min(left, PAUSE * 2)))
    if answer is None:
        return
    try:
        seen.portal.answer(seen.session["id"], answer)
    except Refused as refusal:
        app.terminal.note(str(refusal))
    else:
        app.terminal.note(f"Answered: {answer}.")


def _word(typed: str | None) -> str | None:
    letter = (typed or "").strip().lower()[:1]
    return {"s": "stay", "i": "idle"}.get(letter)


def seconds_to_answer(prompt: dict[str, Any], as_of: str) -> int:
    """By the portal's two instants; this machine's clock may be wrong."""
    left = datetime.fromisoformat(prompt["answer_by"]) - datetime.fromisoformat(as_of)
    return max(0, int(left.total_seconds()))


class _Screen:
    """Draws in place on a terminal; elsewhere a block, or a line of JSON, for each change."""

    def __init__(self, app: App, how: str) -> None:
        self.app, self.how = app, how
        self.height, self.last = 0, ""

    def draw(self, seen: "Seen") -> None:
        from docker_offload.commands import status

        terminal = self.app.terminal
        if self.how == "json":
            self._line(json.dumps(status.as_json(self.app, seen), ensure_ascii=False), seen)
            return
        rows = status.lines(self.app, seen)
        if terminal.is_live:
            up = f"\x1b[{self.height}A\x1b[J" if self.height else ""
            terminal.say(up + "\n".join(rows))
            self.height = len(rows)
        else:
            self._line("\n".join(rows), seen)

    def _line(self, text: str, seen: "Seen") -> None:
        """Only what changed: seconds that tick are no news where nobody watches."""
        session = seen.session or {}
        prompt = session.get("prompt") or {}
        key = json.dumps([session.get("state"), prompt.get("due_at"), session.get("notices")])
        if key != self.last:
            self.last = key
            self.app.terminal.say(text)
