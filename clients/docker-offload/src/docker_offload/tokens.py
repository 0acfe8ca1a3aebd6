"""Bearer tokens: one from the environment, or the pair of a sign-in, refreshed under a lock."""

import urllib.parse
from collections.abc import Mapping
from typing import Any, Protocol

from docker_offload.clock import Clock, Patience
from docker_offload.failures import Failure, SignedOut, Unreachable
from docker_offload.files import locked
from docker_offload.store import Store
from docker_offload.transport import Answer, Transport

CLIENT = "docker-offload-cli"
VARIABLE = "DOCKER_OFFLOAD_TOKEN"
SIGN_IN = "Sign in with: docker offload login"
LOCK_PATIENCE = 60
# Shorter than the 30 s in which the portal gives the same answer once more.
REFRESH_PATIENCE = 20
REFRESH_TIMEOUT = 8


class Tokens(Protocol):
    def bearer(self) -> str:
        """The token to send; SignedOut where there is none."""

    def renew(self, failed: str) -> None:
        """The portal did not take `failed`: get another one, or raise SignedOut."""


class GivenToken:
    """From DOCKER_OFFLOAD_TOKEN, for scripts."""

    def __init__(self, token: str) -> None:
        self._token = token

    def bearer(self) -> str:
        return self._token

    def renew(self, failed: str) -> None:
        raise SignedOut(f"The portal does not take the token in {VARIABLE}.")


def form(
    transport: Transport, url: str, fields: Mapping[str, str], *, timeout: float = 20
) -> Answer:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    body = urllib.parse.urlencode(fields).encode()
    return transport.send("POST", url, headers=headers, body=body, timeout=timeout)


class SignIn:
    """The tokens of a device sign-in, shared by every shell of the user."""

    def __init__(self, store: Store, portal: str, transport: Transport, clock: Clock) -> None:
        self.store, self.portal, self.transport, self.clock = store, portal, transport, clock

    def bearer(self) -> str:
        token = self.store.sign_in(self.portal).get("access_token")
        if not token:
            raise SignedOut(f"You are not signed in at {self.portal}.", SIGN_IN)
        return str(token)

    def renew(self, failed: str) -> None:
        """Refresh, unless another shell did while this one waited for the lock."""
        with locked(self.store.sign_in_lock, self.clock, LOCK_PATIENCE) as held:
            if self.bearer() != failed:
                return
            if not held:
                raise Failure("Another docker offload command is refreshing the sign-in.")
            kept = self.store.sign_in(self.portal)
            answer = self._ask(kept)
            if answer.status == 200:
                self.store.keep_sign_in(self.portal, {**kept, **pair(answer.json())})
                return
            if answer.status in (400, 401):
                self.store.keep_sign_in(self.portal, None)
                raise SignedOut(f"Your sign-in at {self.portal} has ended.", SIGN_IN)
            raise Unreachable(f"{self.portal} could not refresh the sign-in ({answer.status}).")

    def _ask(self, kept: Mapping[str, Any]) -> Answer:
        """The same refresh token again where the answer was lost: the portal remembers it."""
        fields = {
            "grant_type": "refresh_token",
            "client_id": CLIENT,
            "refresh_token": str(kept.get("refresh_token", "")),
        }
        patience = Patience(self.clock, REFRESH_PATIENCE)
        while True:
            try:
                url = str(kept.get("token_endpoint", ""))
                answer = form(self.transport, url, fields, timeout=REFRESH_TIMEOUT)
            except Unreachable:
                if not patience.again():
                    raise
                continue
            passing = answer.status == 429 or answer.status >= 500
            if not passing or not patience.again(answer.retry_after):
                return answer


def pair(found: Any) -> dict[str, str]:
    """Access and refresh token of a token answer; Failure where it holds none."""
    names = ("access_token", "refresh_token")
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in names):
        raise Failure("The portal's answer holds no tokens.")
    return {name: found[name] for name in names}
