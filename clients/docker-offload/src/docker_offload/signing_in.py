"""The device authorization grant (RFC 8628) and signing out (RFC 7009)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from docker_offload.clock import Clock, Patience
from docker_offload.failures import Failure, Unreachable
from docker_offload.tokens import CLIENT, form, pair
from docker_offload.transport import Answer, Transport
from docker_offload.words import clean

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SCOPES = "openid sessions org:read usage:read"
DISCOVERY = "/.well-known/openid-configuration"
ENDPOINTS = ("device_authorization_endpoint", "token_endpoint", "revocation_endpoint")
SLOWER = 5


@dataclass(frozen=True)
class DeviceCode:
    """`device_code` is a secret; the person reads `user_code` at `address`."""

    device_code: str
    user_code: str
    address: str
    full_address: str
    expires_in: float
    interval: float


def discover(portal: str, transport: Transport) -> dict[str, str]:
    """The portal's own endpoints; none may leave https."""
    answer = transport.send("GET", portal + DISCOVERY, headers={"Accept": "application/json"})
    found = answer.json()
    if answer.status != 200 or not isinstance(found, dict):
        raise Failure(f"{portal} is no Offload Portal{_moved(answer)}.")
    endpoints = {name: str(found[name]) for name in ENDPOINTS if name in found}
    if "device_authorization_endpoint" not in endpoints or "token_endpoint" not in endpoints:
        raise Failure(f"{portal} does not offer to sign in from a terminal.")
    for address in endpoints.values():
        allowed = ("https://",) if portal.startswith("https://") else ("https://", "http://")
        if not address.startswith(allowed):
            raise Failure(f"{portal} names an endpoint that is not safe: {clean(address)}.")
    return endpoints


def _moved(answer: Answer) -> str:
    where = answer.headers.get("Location")
    return f"; it sends you on to {clean(where)}" if 300 <= answer.status < 400 and where else ""


def ask_for_code(endpoints: dict[str, str], transport: Transport) -> DeviceCode:
    answer = form(
        transport,
        endpoints["device_authorization_endpoint"],
        {"client_id": CLIENT, "scope": SCOPES},
    )
    found = answer.json()
    if answer.status != 200 or not isinstance(found, dict):
        raise Failure(f"The portal gave no code to sign in with ({answer.status}).")
    shown = clean(found)
    try:
        address = _address(shown["verification_uri"])
        return DeviceCode(
            device_code=str(found["device_code"]),
            user_code=str(shown["user_code"]),
            address=address,
            full_address=_address(shown.get("verification_uri_complete") or address),
            expires_in=float(found.get("expires_in", 300)),
            interval=max(1.0, float(found.get("interval", SLOWER))),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Failure("The portal's answer holds no code to sign in with.") from error


def _address(text: str) -> str:
    """Only what a browser may open; a file or a script is none of it."""
    if not text.startswith(("https://", "http://")):
        raise ValueError(text)
    return text


def wait_for_approval(
    code: DeviceCode,
    endpoints: dict[str, str],
    transport: Transport,
    clock: Clock,
    waiting: Callable[[], None],
) -> dict[str, str]:
    """Poll at the pace that the portal asks for until the person decides or the code expires."""
    interval, until = code.interval, clock.seconds() + code.expires_in
    fields = {"grant_type": GRANT, "client_id": CLIENT, "device_code": code.device_code}
    while clock.seconds() < until:
        waiting()
        clock.sleep(interval)
        try:
            answer = form(transport, endpoints["token_endpoint"], fields)
        except Unreachable:
            # RFC 8628, 3.5: after a connection that failed, go slower.
            interval = min(interval * 2, 60)
            continue
        if answer.status == 200:
            return pair(answer.json())
        interval += _verdict(answer)
    raise _expired()


def _verdict(answer: Answer) -> float:
    """How much slower to go on; an error that ends it is raised."""
    found = answer.json()
    error = found.get("error") if isinstance(found, dict) else None
    if error == "authorization_pending":
        return 0
    if error == "slow_down":
        return SLOWER
    if answer.status == 429 or answer.status >= 500:
        return answer.retry_after or SLOWER
    if error == "access_denied":
        raise Failure("The sign-in was denied in the browser.")
    if error in ("expired_token", "invalid_grant"):
        raise _expired()
    raise Failure(f"The portal refuses the sign-in ({clean(str(error or answer.status))}).")


def _expired() -> Failure:
    return Failure("The code has expired.", "Run docker offload login again for another one.")


def revoke(kept: dict[str, Any], transport: Transport, clock: Clock) -> bool:
    """Take the refresh token back, and with it everything that came from it."""
    endpoint = kept.get("revocation_endpoint")
    if not endpoint:
        return False
    fields = {"client_id": CLIENT, "token": str(kept.get("refresh_token", ""))}
    patience = Patience(clock, 10)
    while True:
        try:
            return form(transport, str(endpoint), fields).status == 200
        except Unreachable:
            if not patience.again():
                return False
