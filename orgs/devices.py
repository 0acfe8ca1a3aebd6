"""Device codes (RFC 8628) without a lost approval.

allauth keeps one record in the cache that a poll reads and writes back, so an approval that lands
between the two is lost: the page says approved, the client waits forever. Here a record is
written once, and what changes lies beside it: the decision, made once with `cache.add`, and the
instant of the last poll. Nothing is read and written back. Taking the record out hands the tokens
to one poll only.
"""

import re
import time
from dataclasses import dataclass
from typing import Any

from allauth.account.internal.userkit import str_to_user_id, user_id_to_str
from allauth.idp.oidc.internal.clientkit import lookup_public_client
from allauth.idp.oidc.internal.oauthlib import device_codes
from allauth.idp.oidc.models import Client
from django.core.cache import cache
from django.http import HttpRequest
from oauthlib.oauth2.rfc6749.errors import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    UnsupportedGrantTypeError,
)
from oauthlib.oauth2.rfc8628.errors import AccessDenied, AuthorizationPendingError, SlowDownError

from orgs.models import Person

# A poll that set out on time may arrive a little early.
TOLERANCE = 0.5


@dataclass(frozen=True, slots=True)
class Poll:
    """An approved code that was taken out: whose tokens, and what the client had asked for."""

    person: Person
    record: dict[str, Any]


def _decision_key(device_code: str) -> str:
    return f"portal.device.decision[{device_code}]"


def _poll_key(device_code: str) -> str:
    return f"portal.device.poll[{device_code}]"


def normal_user_code(text: str) -> str:
    """What a person typed, as codes are written: `BCDF-GHJK`."""
    letters = re.sub(r"[^A-Za-z0-9]", "", text).upper()
    half = (len(letters) + 1) // 2
    return f"{letters[:half]}-{letters[half:]}"


def record_of(device_code: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = cache.get(device_codes.cache_device_code_key(device_code))
    return found


def is_decided(device_code: str) -> bool:
    return cache.get(_decision_key(device_code)) is not None


def scopes_asked(device_code: str, client: Client) -> list[str]:
    record = record_of(device_code) or {}
    return list(record.get("scope") or client.get_default_scopes())


def decide(person: Person, device_code: str, *, approve: bool) -> bool:
    """Approve or deny, once: False where somebody did already or the code has expired."""
    record = record_of(device_code)
    if record is None:
        return False
    timeout = int(record["expires_at"] - time.time())
    if timeout <= 0:
        return False
    decision = {"approve": approve, "person": user_id_to_str(person)}
    # A little longer than the record, so that a decided code never looks undecided.
    return bool(cache.add(_decision_key(device_code), decision, timeout=timeout + 60))


def poll(request: HttpRequest) -> Poll:
    """The approved code, or the error that tells the client to wait, to slow down or to stop."""
    client_id = request.POST.get("client_id")
    device_code = request.POST.get("device_code")
    if not client_id or not device_code:
        raise InvalidRequestError
    _check_client(client_id)
    record = record_of(device_code)
    if record is None or record["client_id"] != client_id or record["expires_at"] <= time.time():
        raise InvalidGrantError
    _check_pace(device_code, record)
    decision = cache.get(_decision_key(device_code))
    if decision is None:
        raise AuthorizationPendingError
    if not decision["approve"]:
        raise AccessDenied
    if not cache.delete(device_codes.cache_device_code_key(device_code)):
        raise InvalidGrantError
    person = Person.objects.filter(pk=str_to_user_id(decision["person"])).first()
    if person is None or not person.is_active:
        raise AccessDenied
    return Poll(person, record)


def _check_client(client_id: str) -> None:
    client = lookup_public_client(client_id)
    if client is None:
        raise InvalidClientError
    if Client.GrantType.DEVICE_CODE not in client.get_grant_types():
        raise UnsupportedGrantTypeError


def _check_pace(device_code: str, record: dict[str, Any]) -> None:
    """One poll in an interval goes on; another one is told to slow down.

    The instant is compared here, not left to the cache's expiry, which is coarse in a database.
    """
    interval = int(record["device"]["interval"])
    now = time.time()
    last = cache.get(_poll_key(device_code), 0.0)
    if now < last + interval - TOLERANCE:
        raise SlowDownError
    cache.set(_poll_key(device_code), now, timeout=2 * interval)
