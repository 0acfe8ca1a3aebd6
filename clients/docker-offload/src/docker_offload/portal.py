"""The portal's API: authorized, repeated where that is safe, its refusals as sentences."""

import json
import urllib.parse
import uuid
from collections.abc import Mapping
from typing import Any

from docker_offload.clock import Clock, Patience
from docker_offload.failures import Failure, Refused, SignedOut, Unreachable
from docker_offload.tokens import Tokens
from docker_offload.transport import Answer, Transport
from docker_offload.words import clean

PATIENCE = 20.0
TIMEOUT = 20.0
ENGINE_TIMEOUT = 8.0
PASSING = frozenset({429, 502, 503, 504})
# Seconds until the next question to a portal that can't hold it.
BUSY_PAUSE = 5
# 503 of this code is an answer: the one who starts waits in the queue.
ANSWERS = frozenset({"engine_unavailable"})
IN_USE = "idempotency_key_in_use"


class Portal:
    """`address` is the portal's, without `/api/v1`."""

    def __init__(self, address: str, transport: Transport, tokens: Tokens, clock: Clock) -> None:
        self.address, self.transport, self.tokens, self.clock = address, transport, tokens, clock

    # --- What the commands ask ---

    def me(self) -> dict[str, Any]:
        return self._get("me")

    def accounts(self, *, patience: float = PATIENCE) -> list[dict[str, Any]]:
        answer = self._call("GET", "accounts", patience=patience)
        return list(_object(answer)["results"])

    def start(
        self, wish: Mapping[str, Any], key: str = "", *, patience: float = PATIENCE
    ) -> dict[str, Any]:
        return self._change("POST", "sessions", wish, key=key, patience=patience)

    def try_start(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        return self._change("POST", "sessions?dry_run=true", wish)

    def session(
        self, session_id: str, *, wait: int = 0, etag: str = "", patience: float = PATIENCE
    ) -> tuple[dict[str, Any], str]:
        """The session and its tag; given one, the answer comes once it changes or after `wait`.

        A portal that holds as many as it can answers at once; then the pause is made here.
        """
        query = {"wait": str(wait), "etag": etag} if wait and etag else {}
        path = f"sessions/{session_id}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        begun = self.clock.seconds()
        answer = self._call("GET", path, timeout=TIMEOUT + wait, patience=patience)
        tag = str(answer.headers.get("ETag", ""))
        if query and tag == etag and self.clock.seconds() - begun < 1:
            self.clock.sleep(min(wait, BUSY_PAUSE))
        return _object(answer), tag

    def running_sessions(self, organization: str = "") -> list[dict[str, Any]]:
        query = [("user", "me"), *(("state", name) for name in ("starting", "idle", "active"))]
        if organization:
            query.append(("organization", organization))
        return list(self._get(f"sessions?{urllib.parse.urlencode(query)}")["results"])

    def last_session(self) -> dict[str, Any] | None:
        rows = self._get("sessions?user=me&page_size=1")["results"]
        return dict(rows[0]) if rows else None

    def engine(self, session_id: str) -> dict[str, Any]:
        """How to reach the engine, as the portal wrote it: certificates keep their lines.

        Asked again soon: the portal gives the key of a lost answer once more for 30 s only.
        """
        path = f"sessions/{session_id}/engine"
        return _object(self._call("GET", path, timeout=ENGINE_TIMEOUT), cleaned=False)

    def stop(self, session_id: str, *, patience: float = PATIENCE) -> dict[str, Any]:
        return self._change("POST", f"sessions/{session_id}/stop", patience=patience)

    def answer(self, session_id: str, answer: str) -> dict[str, Any]:
        return self._change("POST", f"sessions/{session_id}/prompt", {"answer": answer})

    def insights(self, session_id: str) -> dict[str, Any]:
        return self._get(f"sessions/{session_id}/insights")

    def prefer(self, **changes: Any) -> dict[str, Any]:
        return self._change("PATCH", "me/preferences", changes)

    # --- How they are sent ---

    def _get(self, path: str) -> dict[str, Any]:
        return _object(self._call("GET", path))

    def _change(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        patience: float = PATIENCE,
    ) -> dict[str, Any]:
        return _object(
            self._call(method, path, body, key=key or str(uuid.uuid4()), patience=patience)
        )

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
    ) -> Answer:
        """Each request may be repeated: a read by itself, a change by its idempotency key."""
        tries, renewed = Patience(self.clock, patience), False
        while True:
            token = self.tokens.bearer()
            try:
                answer = self._send(method, path, body, token, key, timeout)
            except Unreachable:
                if not tries.again():
                    raise
                continue
            if answer.status == 401 and not renewed:
                self.tokens.renew(token)
                renewed = True
            elif not _is_passing(answer) or not tries.again(answer.retry_after):
                return _checked(answer)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        token: str,
        key: str,
        timeout: float,
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        elif method != "GET":
            data = b""
        url = f"{self.address}/api/v1/{path}"
        return self.transport.send(method, url, headers=headers, body=data, timeout=timeout)


def _problem(answer: Answer) -> dict[str, Any]:
    found = clean(answer.json())
    return found if isinstance(found, dict) else {}


def _is_passing(answer: Answer) -> bool:
    code = _problem(answer).get("code") if answer.status >= 400 else None
    return code == IN_USE or (answer.status in PASSING and code not in ANSWERS)


def _checked(answer: Answer) -> Answer:
    if 200 <= answer.status < 300:
        return answer
    if 300 <= answer.status < 400:
        where = clean(answer.headers.get("Location", "elsewhere"))
        raise Failure(f"The portal sends you on to {where}; sign in there.")
    if answer.status == 401:
        sentence = _problem(answer).get("detail") or "The portal does not take your token."
        raise SignedOut(str(sentence), "Sign in with: docker offload login")
    raise Refused(answer.status, _problem(answer), answer.retry_after)


def _object(answer: Answer, *, cleaned: bool = True) -> dict[str, Any]:
    found = answer.json()
    if not isinstance(found, dict):
        raise Failure("The portal's answer is no JSON object; is it an Offload Portal?")
    return dict(clean(found)) if cleaned else found
