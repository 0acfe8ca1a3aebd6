"""A thousand clients wait on one web process, as in production: nobody else notices."""

import json
import os
import selectors
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest

from offload_portal.common.open_files import allow_many_open_files
from tests.e2e import stack

pytestmark = [pytest.mark.postgresql, pytest.mark.redis]

CONNECTIONS = 8
WAIT = 60
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Stack]:
    more = {"WEB_CONNECTIONS": str(CONNECTIONS), "API_REQUESTS_PER_MINUTE": "100000"}
    folder = tmp_path_factory.mktemp("waiting")
    allow_many_open_files()
    with stack.production(folder, f"portal_waiting_{os.getpid()}", **more) as running:
        # No sweep: what wakes is the change or the clock.
        for name in ("beat", "worker"):
            running.parts[name].stop()
        yield running


@dataclass(eq=False)
class Waiting:
    """One client: a connection that has asked and has no answer yet."""

    session: str
    tag: str
    link: socket.socket
    asked: float
    answer: bytes = b""


@dataclass
class Clients:
    """All that wait, served by one thread of the test.

    Like real ones, they ask again when time was up and nothing has changed, while `going_on`.
    What has changed is in `news`, by session; `unchanged` counts the answers without news.
    """

    address: str
    token: str
    going_on: bool = True
    unchanged: int = 0
    news: dict[str, dict[str, Any]] = field(default_factory=dict)
    waiting: set[Waiting] = field(default_factory=set)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def wait(self, session: str, tag: str) -> None:
        place = urlsplit(self.address)
        link = socket.create_connection((str(place.hostname), int(place.port or 0)))
        link.sendall(
            f"GET /api/v1/sessions/{session}?wait={WAIT}&etag={quote(tag)} HTTP/1.1\r\n"
            f"Host: {place.netloc}\r\nAuthorization: Bearer {self.token}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        client = Waiting(session, tag, link, time.monotonic())
        self.waiting.add(client)
        self.selector.register(link, selectors.EVENT_READ, client)

    def listen(self, seconds: float = 0.0) -> None:
        """Take what comes within so many seconds."""
        for key, _events in self.selector.select(seconds):
            client: Waiting = key.data
            told = client.link.recv(65_536)
            client.answer += told
            if not told:
                self._drop(client)
                self._take(client)

    def listen_until(self, come: Callable[[], object]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not come() and time.monotonic() < until:
            self.listen(0.2)
        assert come()

    def close(self) -> None:
        for client in list(self.waiting):
            self._drop(client)
        self.selector.close()

    def _drop(self, client: Waiting) -> None:
        self.selector.unregister(client.link)
        client.link.close()
        self.waiting.discard(client)

    def _take(self, client: Waiting) -> None:
        head, _, body = client.answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), client.answer[:600]
        lines = (line.split(": ", 1) for line in head.decode().splitlines()[1:])
        tag = {name.lower(): value for name, value in lines}["etag"]
        if tag != client.tag:
            self.news[client.session] = {**json.loads(body), "tag": tag}
            return
        # Whoever is told nothing new has waited to the end: nobody is woken by others' news.
        assert time.monotonic() - client.asked >= WAIT
        self.unchanged += 1
        if self.going_on:
            self.wait(client.session, tag)


@pytest.fixture
def clients(portal: stack.Stack) -> Iterator[Clients]:
    made = Clients(portal.address, "")
    yield made
    made.close()


def call(portal: stack.Stack, token: str, path: str, body: Any = None) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{portal.address}/api/v1/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return {**json.load(answer), "tag": answer.headers["ETag"]}


def connections(portal: stack.Stack) -> int:
    """How many the portal has open."""
    with psycopg.connect(portal.values["DATABASE_URL"]) as link:
        row = link.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def server(portal: stack.Stack) -> Path:
    """The web process that answers: the one child of granian's own."""
    parent = portal.parts["web"].process
    assert parent is not None
    (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    return Path(f"/proc/{child}")


def memory_mb(portal: stack.Stack) -> int:
    status = (server(portal) / "status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def parked(portal: stack.Stack) -> int:
    return len(list((server(portal) / "task").iterdir()))


def everybody_is_parked(portal: stack.Stack, clients: Clients) -> int:
    """Wait until all are; gives the most connections that were open meanwhile."""
    most, until = 0, time.monotonic() + PATIENCE_SECONDS
    while parked(portal) < len(clients.waiting) and time.monotonic() < until:
        most = max(most, connections(portal))
        clients.listen(0.1)
    assert parked(portal) >= len(clients.waiting)
    return max(most, connections(portal))


def test_a_thousand_wait_and_nobody_else_notices(portal: stack.Stack, clients: Clients) -> None:
    code = "import sys; from tests.e2e import waiting_worlds as w; sys.stdout.write(w.make())"
    # The mails of its making stand before it.
    world = json.loads(portal.manage("shell", "--no-imports", "-c", code).splitlines()[-1])
    token, tags, by_clock = world["token"], world["tags"], world["clock"]
    clients.token = token
    before = memory_mb(portal)

    for session, tag in tags.items():
        clients.wait(session, tag)
        clients.listen()
    most = everybody_is_parked(portal, clients)
    sys.stdout.write(f"{before} MB, {memory_mb(portal)} MB with 1,000; {most} connections\n")
    assert most <= CONNECTIONS

    for _ in range(50):
        assert call(portal, token, "me")["email"] == "olga@waiting.example"
        clients.listen()
    assert len(clients.waiting) == 1_000
    assert connections(portal) <= CONNECTIONS

    seen = {"sequence": 1, "api_calls": 1}
    reported = call(portal, token, f"sessions/{by_clock}/activity", seen)
    clients.listen_until(lambda: clients.news)
    answer = clients.news.pop(by_clock)
    assert (answer["state"], answer["tag"]) == ("active", reported["tag"])

    # Nothing is written from here on: ten seconds later the clock makes it idle.
    clients.wait(by_clock, answer["tag"])
    clients.listen_until(lambda: clients.news)
    answer = clients.news.pop(by_clock)
    assert answer["state"] == "idle"
    assert answer["tag"] == call(portal, token, f"sessions/{by_clock}")["tag"]

    clients.going_on, clients.unchanged = False, 0
    clients.listen_until(lambda: not clients.waiting)
    assert clients.unchanged == 999
    assert clients.news == {}
    assert connections(portal) <= CONNECTIONS
    log = (portal.folder / "web.log").read_text()
    assert "Traceback" not in log, log
    assert "WARNING" not in log, log
