"""A portal on the loopback that keeps to the contract, a clock that only tests move, a terminal."""

import io
import json
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from docker_offload.clock import Clock

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----\n"
SOURCE = {
    "total_compute_seconds": 0, "used_compute_seconds": 0, "reserved_compute_seconds": 0,
    "left_compute_seconds": 0, "total_microusd": None, "used_microusd": 0,
    "reserved_microusd": 0, "left_microusd": None,
}  # fmt: skip
USE = {"seconds": 0, "compute_seconds": 0, "cost_microusd": 0}
Answer = tuple[int, Any, dict[str, str]]


class TestClock(Clock):
    """Sleeping takes no time but moves the clock; `waits` says how long each sleep was."""

    __test__ = False

    def __init__(self) -> None:
        self.now, self.waits = 1000.0, list[float]()
        self.on_sleep: Callable[[], None] = lambda: None

    def seconds(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += max(seconds, 0.001)
        self.on_sleep()


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def allowance(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "committed": {**SOURCE, "total_compute_seconds": 180_000, "used_compute_seconds": 45_000},
        "top_up": dict(SOURCE),
        "on_demand": {
            **SOURCE, "total_compute_seconds": 36_000, "total_microusd": 20_000_000,
        },
        "on_demand_mode": "limited", "over_limit_compute_seconds": 0, "over_limit_microusd": 0,
        "left_compute_seconds": 171_000, "reserved_compute_seconds": 3_600,
        "forecast_compute_seconds": 90_000, "rate_microusd": 100,
    }  # fmt: skip
    return {**found, **changes}


def account(slug: str, name: str, **changes: Any) -> dict[str, Any]:
    policy = {
        "idle_timeout_least_seconds": 10, "idle_timeout_most_seconds": 600,
        "engine_sizes": ["standard", "large"],
    }  # fmt: skip
    found = {
        "slug": slug, "name": name, "role": "member", "is_default": False, "can_start": True,
        "code": None, "detail": None, "policy": policy, "allowance": allowance(),
    }  # fmt: skip
    return {**found, **changes}


def problem(status: int, code: str, detail: str, **extra: Any) -> Answer:
    return status, {"status": status, "code": code, "detail": detail, **extra}, {}


class FakePortal:
    """State that tests set and read. `scripted` answers go first: by method and path."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any, dict[str, str]]] = []
        self.scripted: dict[tuple[str, str], list[Answer | None]] = {}
        self.lock = threading.RLock()
        self.people = [account("acme", "Acme")]
        self.sessions: dict[str, dict[str, Any]] = {}
        self.kept: dict[str, Answer] = {}
        self.preferences: dict[str, Any] = {"default_organization": None}
        self.preferences["idle_timeout_seconds"] = None
        self.access, self.refresh, self.spent = "access-1", "refresh-1", dict[str, Any]()
        self.polls: list[str] = []
        self.ready_after, self.looks = 2, 0
        self.beginning: dict[str, Any] = {}
        self.external, self.bearer, self.key_given_to = False, "", ""
        self.ca, self.certificate, self.key = PEM, PEM, KEY
        self.engine_host = "tcp://localhost:2376"
        self.server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def session(self) -> dict[str, Any]:
        return next(reversed(self.sessions.values()))

    def calls(self, method: str, end: str) -> list[Any]:
        return [body for how, path, body, _ in self.requests if how == method and end in path]

    def answer(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer | None:
        """None: the connection is closed without an answer, after the work was done."""
        with self.lock:
            self.requests.append((method, path, body, headers))
            self.bearer = headers.get("authorization", "")
            parts = urlsplit(path)
            script = self.scripted.get((method, parts.path))
            lost = False
            if script:
                first = script.pop(0)
                if first is not None:
                    return first
                lost = True
            found = self._answer(method, parts.path, body, headers, parse_qs(parts.query))
            return None if lost else found

    def _answer(
        self, method: str, path: str, body: Any, headers: dict[str, str], query: dict[str, Any]
    ) -> Answer:
        if not path.startswith("/api/v1/"):
            return self._identity(path, body)
        if headers.get("authorization") not in (f"Bearer {self.access}", "Bearer opat_script"):
            return problem(401, "not_authenticated", "The token is not valid.")
        key = headers.get("idempotency-key")
        if key in self.kept:
            return self.kept[key]
        found = self._api(method, path.removeprefix("/api/v1/"), body, query)
        if key and found[0] < 500:
            self.kept[key] = found
        return found

    def _identity(self, path: str, body: Any) -> Answer:
        if path == "/.well-known/openid-configuration":
            here = self.address
            return 200, {
                "device_authorization_endpoint": f"{here}/o/code",
                "token_endpoint": f"{here}/o/token",
                "revocation_endpoint": f"{here}/o/revoke",
            }, {}  # fmt: skip
        if path == "/o/code":
            return 200, {
                "device_code": "secret-device-code", "user_code": "BCDF-GHJK", "expires_in": 300,
                "interval": 5, "verification_uri": f"{self.address}/device",
            }, {}  # fmt: skip
        if path == "/o/revoke":
            self.access = self.refresh = ""
            return 200, {}, {}
        return self._token(body)

    def _token(self, body: dict[str, str]) -> Answer:
        if body["grant_type"] == "refresh_token":
            return self._refreshed(body["refresh_token"])
        error = self.polls.pop(0) if self.polls else ""
        return (400, {"error": error}, {}) if error else (200, self._pair(), {})

    def _refreshed(self, token: str) -> Answer:
        """Rotated; the same answer once more to one whose answer was lost."""
        if token in self.spent:
            return 200, self.spent[token], {}
        if token != self.refresh:
            return 400, {"error": "invalid_grant"}, {}
        number = int(token.rpartition("-")[2]) + 1
        self.access, self.refresh = f"access-{number}", f"refresh-{number}"
        self.spent[token] = self._pair()
        return 200, self._pair(), {}

    def _pair(self) -> dict[str, str]:
        return {"access_token": self.access, "refresh_token": self.refresh}

    def _api(self, method: str, path: str, body: Any, query: dict[str, Any]) -> Answer:
        if path == "me":
            person = {"id": "1", "name": "Ada", "email": "ada@example.com"}
            return 200, {**person, "preferences": self.preferences}, {}
        if path == "me/preferences":
            self.preferences.update(body)
            return 200, self.preferences, {}
        if path == "accounts":
            return 200, {"results": [self._account(row) for row in self.people]}, {}
        if path == "sessions":
            return self._sessions(method, body, query)
        session_id, _, act = path.removeprefix("sessions/").partition("/")
        if session_id not in self.sessions:
            return problem(404, "not_found", "It does not exist, or it is not yours to see.")
        return self._act(self.sessions[session_id], act, body)

    def _account(self, row: dict[str, Any]) -> dict[str, Any]:
        mine = [s for s in self._running() if s["organization"] == row["slug"]]
        return {**row, "running_session": mine[0] if mine else None}

    def _running(self) -> list[dict[str, Any]]:
        return [s for s in self.sessions.values() if s["state"] not in ("ended", "failed")]

    def _sessions(self, method: str, body: Any, query: dict[str, Any]) -> Answer:
        if method == "GET":
            rows = self._running() if "state" in query else list(self.sessions.values())
            slug = query.get("organization", [None])[0]
            return 200, {"results": [s for s in rows if slug in (None, s["organization"])]}, {}
        if "dry_run" in query:
            return 200, {
                "would_start": True, "engine_size": "standard", "multiplier": 1, "refusal": None,
                "idle_timeout_seconds": 300, "source": "committed",
                "rate_microusd_per_second": 0, "affordable_seconds": 171_000,
            }, {}  # fmt: skip
        if self._running():
            return problem(409, "session_already_running", "You have a session already.")
        session = {**new_session(body), **self.beginning}
        self.sessions[session["id"]] = session
        return 201, session, {}

    def _act(self, session: dict[str, Any], act: str, body: Any) -> Answer:
        tag = {"ETag": f'W/"{session["id"]}.{session["state"]}"'}
        if act == "":
            self.looks += 1
            if session["state"] == "starting" and self.looks >= self.ready_after:
                session.update(state="idle", ready_at="2026-11-24T10:00:05Z")
            return 200, session, tag
        if act == "engine":
            return self._engine()
        if act == "stop" and session["state"] not in ("ended", "failed"):
            session.update(state="ended", end_reason="stopped")
        if act == "prompt":
            session.update(prompt=None, state="active" if body["answer"] == "stay" else "idle")
        if act == "insights":
            return 200, insights(session), {}
        return 200, session, tag

    def _engine(self) -> Answer:
        if self.external:
            return problem(409, "engine_is_external", "The engine is the client's own.")
        # Given to one caller; the same one may fetch a lost answer again.
        self.key_given_to = self.key_given_to or self.bearer
        key = self.key if self.key_given_to == self.bearer else None
        return 200, {
            "host": self.engine_host, "server_name": "localhost", "ca": self.ca,
            "certificate": self.certificate, "key": key, "expires_at": "2026-11-25T10:00:00Z",
        }, {}  # fmt: skip


def new_session(wish: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()), "organization": wish["organization"], "state": "starting",
        "end_reason": None, "failure": "", "engine_size": wish.get("engine_size", "standard"),
        "gpu": wish.get("gpu", False), "labels": wish.get("labels", {}),
        "client": wish.get("client", {}), "created_at": "2026-11-24T10:00:00Z", "ready_at": None,
        "idle_since": None, "ended_at": None, "idle_timeout_seconds": 300,
        "seconds_until_idle": None, "seconds_until_end": 300, "elapsed_seconds": 3_725,
        "active_seconds": 3_600, "idle_seconds": 125, "billed_seconds": 3_600,
        "compute_seconds": 3_600, "cost_microusd": 1_234_567, "container_count": 1,
        "images": ["hello-world"], "prompt": None, "notices": [],
        "keep_alive": None,
        "as_of": "2026-11-24T11:02:05Z",
    }  # fmt: skip


def insights(session: dict[str, Any]) -> dict[str, Any]:
    run = {
        "id": "f2b1d0c4e6a8", "name": "web\x1b[31m", "image": "nginx:1.27", "exit_code": 3,
        "started_at": "2026-11-24T10:01:00Z", "exited_at": "2026-11-24T10:02:00Z",
    }  # fmt: skip
    timeline = [
        {"kind": "starting", "seconds": 5, "billed": False},
        {"kind": "active", "seconds": 3_600, "billed": True},
        {"kind": "idle", "seconds": 120, "billed": False},
    ]
    costs = {"committed": {**USE, "compute_seconds": 3_600}, "on_demand": USE}
    return {
        "session": session, "timeline": timeline, "containers": [run], "cost_by_source": costs,
        "kept_alive_by": ["running_containers"], "samples": [], "events": [],
    }  # fmt: skip


def serve(portal: FakePortal) -> ThreadingHTTPServer:
    """On a free port of the loopback, in threads of its own; the caller shuts it down."""

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body: Any = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = self.headers.get("Content-Type", "")
            if "json" in kind:
                body = json.loads(body)
            elif "form" in kind:
                body = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            found = portal.answer(self.command, self.path, body, headers)
            if found is None:
                self.close_connection = True
                return
            status, value, more = found
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, text in {"Content-Length": str(len(data)), **more}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _handle  # noqa: N815 - the library's names

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    portal.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    portal.server.daemon_threads = True
    threading.Thread(target=portal.server.serve_forever, args=(0.02,), daemon=True).start()
    return portal.server
