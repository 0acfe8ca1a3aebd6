"""A session made from what a real Docker engine said (tests/recordings), through the API."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from orgs.enums import Scope
from orgs.services.tokens import issue_token
from tests import factories
from tests.replay import RECORDINGS, lines, reports
from usage.models import LedgerEntry

IDLE_TIMEOUT = 10
FIRST, LAST = 1_795_551_380, 1_795_551_501
STOP = LAST + 4
# The last container's exit and the first call after the pause, and the exit before the clearing up.
LAST_EXIT, NEXT_START = 1_795_551_461, 1_795_551_476
EXIT_BEFORE_CLEARING = 1_795_551_481


@dataclass(frozen=True)
class Told:
    """What the portal answers after the replay."""

    session: dict[str, Any]
    insights: dict[str, Any]


@dataclass
class Caller:
    client: Client
    token: str

    def post(self, path: str, body: dict[str, Any], status: int) -> dict[str, Any]:
        answer = self.client.post(
            f"/api/v1{path}", body, content_type="application/json", headers=self._headers
        )
        assert answer.status_code == status, answer.content
        return dict(answer.json())

    def get(self, path: str) -> dict[str, Any]:
        answer = self.client.get(f"/api/v1{path}", headers=self._headers)
        assert answer.status_code == 200, answer.content
        return dict(answer.json())

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


def instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def text(second: int) -> str:
    return f"{instant(second):%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def told(db: None, client: Client) -> Told:
    before = instant(FIRST) - timedelta(hours=1)
    owner = factories.person("Olga Owner")
    organization = factories.subscribed_organization(owner, at=before)
    token = issue_token(
        actor=factories.actor(owner),
        at=before,
        name="replay",
        scopes=[str(Scope.SESSIONS)],
        person=owner,
    ).value
    caller = Caller(client, token)
    with time_machine.travel(instant(FIRST), tick=False) as clock:
        wish = {"organization": organization.slug, "idle_timeout_seconds": IDLE_TIMEOUT}
        started = caller.post("/sessions", wish, 201)
        path = f"/sessions/{started['id']}"
        for report in reports(every_seconds=started["next_report_seconds"]):
            clock.move_to(report.at)
            caller.post(f"{path}/activity", report.body, 200)
        clock.move_to(instant(STOP))
        caller.post(f"{path}/stop", {}, 200)
        return Told(caller.get(path), caller.get(f"{path}/insights"))


def test_it_shows_five_image_references_of_four_repositories(told: Told) -> None:
    images = told.session["images"]
    assert sorted(images) == [
        "acme/api:1.0",
        "acme/db:1.0",
        "acme/web:1.0",
        "acme/web:1.1",
        "hello-world",
    ]
    assert len({image.partition(":")[0] for image in images}) == 4
    assert told.insights["images"] == images


def test_it_shows_the_seven_runs_with_their_true_start_and_end(told: Told) -> None:
    runs = {run["id"]: run for run in told.insights["containers"]}
    assert told.session["container_count"] == len(told.insights["containers"]) == len(runs) == 7
    seen = 0
    for event in lines(RECORDINGS, "engine-events.ndjson"):
        if event["Type"] == "container" and event["Action"] in ("start", "die"):
            name = "started_at" if event["Action"] == "start" else "exited_at"
            assert runs[event["id"]][name] == text(event["time"])
            seen += 1
    assert seen == 14


def test_it_shows_the_run_that_failed(told: Told) -> None:
    failed = [run for run in told.insights["containers"] if run["exit_code"]]
    assert [(run["image"], run["exit_code"]) for run in failed] == [("acme/api:1.0", 3)]


def test_it_shows_the_pause_as_an_idle_gap_and_bills_it(told: Told) -> None:
    # Rule 9: idle ten seconds after the last activity. Rule 15: a gap that was resumed is billed.
    gaps = [
        (segment["start"], segment["end"], segment["billed"])
        for segment in told.insights["timeline"]
        if segment["kind"] == "idle"
    ]
    assert gaps == [
        (text(LAST_EXIT + IDLE_TIMEOUT), text(NEXT_START), True),
        (text(EXIT_BEFORE_CLEARING + IDLE_TIMEOUT), text(LAST), True),
    ]


def test_every_second_from_the_first_activity_to_the_stop_is_billed_once(told: Told) -> None:
    gap = NEXT_START - LAST_EXIT - IDLE_TIMEOUT
    clearing = LAST - EXIT_BEFORE_CLEARING - IDLE_TIMEOUT
    assert told.session["billed_seconds"] == STOP - FIRST
    assert told.session["idle_seconds"] == gap + clearing
    assert told.session["active_seconds"] == STOP - FIRST - gap - clearing
    entries = LedgerEntry.objects.filter(session_id=told.session["id"])
    assert sum(entry.seconds for entry in entries) == STOP - FIRST
    assert sum(entry.lump_seconds for entry in entries) == gap + clearing


def test_it_shows_what_the_engine_used(told: Told) -> None:
    samples = told.insights["samples"]
    assert len(samples) == len(lines(RECORDINGS, "stats.ndjson")) // 3
    assert max(sample["memory_bytes"] for sample in samples) == 237_031_424
