"""A month of work at one organization, and a worker that does it until it is killed.

Every step is a request with an `Idempotency-Key` of its own at an instant of its own, so that
whoever comes after a killed worker does the step again. What was answered is written to a file in
one line; nothing else is remembered.
"""

import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import time_machine
from django.db import connection

from sessions import services
from tests.api.conftest import Api

BEGIN = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)
STEPS, MOST_APART = 400, 5 * 3_600  # a month and a bit


@dataclass(frozen=True)
class Step:
    """`who` calls; `kind` is what they do. Seconds are since BEGIN."""

    number: int
    seconds: int
    who: int
    kind: str

    @property
    def at(self) -> datetime:
        return BEGIN + timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class Answer:
    """What was answered to a step: status, body, and the session that it was about."""

    number: int
    status: int
    body: str
    session: str | None


def plan(seed: int) -> list[Step]:
    """Bursts of work, days apart: starts, reports, stops, idle ends, purchases, limits."""
    chance = random.Random(seed)
    steps, seconds = [], 0
    kinds = ["start"] * 3 + ["report"] * 8 + ["stop"] * 2 + ["top-up", "limit", "cap", "sweep"]
    for number in range(STEPS):
        apart = chance.choice([1, 20, 60, 120, 200, 280, 400, 700, MOST_APART])
        seconds += chance.randint(0, apart)
        steps.append(Step(number, seconds, chance.randrange(2), chance.choice(kinds)))
    return steps


def answered(file: Path) -> list[Answer]:
    """A line that was cut off by the kill is none."""
    if not file.exists():
        return []
    lines = file.read_text().splitlines(keepends=True)
    return [Answer(**json.loads(line)) for line in lines if line.endswith("\n")]


@dataclass
class Office:
    """Where the month happens: tokens of two people, one of them an owner, and the address."""

    tokens: tuple[str, str]
    slug: str
    member: str

    def do(self, step: Step, sessions: dict[int, str | None]) -> Answer:
        """The step, now that it is its instant."""
        with time_machine.travel(step.at, tick=False):
            if step.kind == "sweep":
                services.sweep(at=step.at)
                return Answer(step.number, 200, "", None)
            path, method, body = self._request(step, sessions)
            if path is None:
                return Answer(step.number, 0, "", None)
            caller = Api(self.tokens[0 if method == "PUT" or step.kind == "top-up" else step.who])
            key = {"Idempotency-Key": f"step-{step.number}"}
            answer = caller.call(method, path, body, **key)
        found = answer.json().get("id") if step.kind == "start" else None
        session = found if answer.status_code == 201 else None
        return Answer(step.number, answer.status_code, answer.content.decode(), session)

    def _request(
        self, step: Step, sessions: dict[int, str | None]
    ) -> tuple[str | None, str, dict[str, Any]]:
        here, own = f"organizations/{self.slug}", sessions.get(step.who)
        limit = {"mode": "limited", "limit_microusd": 1_000_000 + step.number}
        cap = {"scope": "person", "subject": self.member, "limit_compute_seconds": 90_000}
        found: dict[str, tuple[str | None, str, dict[str, Any]]] = {
            "start": ("sessions", "POST", {"organization": self.slug}),
            "top-up": (f"{here}/top-ups", "POST", {"compute_seconds": 600}),
            "limit": (f"{here}/limits", "PUT", limit),
            "cap": (f"{here}/caps", "PUT", cap),
        }
        if step.kind in found:
            return found[step.kind]
        if own is None:
            return None, "POST", {}
        seen = {"sequence": step.number + 1, "running_containers": 1}
        if step.kind == "stop":
            return f"sessions/{own}/stop", "POST", {}
        return f"sessions/{own}/activity", "POST", seen


def newest(done: list[Answer], steps: list[Step]) -> dict[int, str | None]:
    """The session that each of the two started last."""
    found: dict[int, str | None] = {}
    for answer in done:
        if answer.session is not None:
            found[steps[answer.number].who] = answer.session
    return found


def work(office: Office, steps: list[Step], file: Path) -> None:
    """Every step that has no answer yet, one after the other."""
    done = answered(file)
    sessions = newest(done, steps)
    with file.open("a") as out:
        for step in steps[len(done) :]:
            answer = office.do(step, sessions)
            if answer.session is not None:
                sessions[step.who] = answer.session
            out.write(json.dumps(asdict(answer)) + "\n")
            out.flush()


def meter(office: Office, steps: list[Step], file: Path) -> None:
    """A second worker: it sweeps at the instant of what was answered last, again and again."""
    while True:
        done = answered(file)
        if done:
            at = steps[done[-1].number].at
            with time_machine.travel(at, tick=False):
                services.sweep(at=at)
        time.sleep(0.01)


def forked(job: Callable[[], None]) -> int:
    """The job in a process of its own, with a connection of its own; its identifier."""
    connection.close()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        job()
        code = 0
    finally:
        os._exit(code)
