"""Digests and hashes of the audit log: pure functions of values and the settings' AUDIT_KEY.

    digest = digest_of("192.0.2.7", organization_id, person_id)     # "hmac:5f…"
    link = link_of(chain_id, 7, previous, entry)                    # 64 hex digits

Both are keyed, so that who can read or write the database alone neither guesses what a digest
stands for nor forges a chain.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from django.conf import settings

PREFIX = "hmac:"
CHAIN_OF_NONE = uuid.UUID(int=0)


class Entry(Protocol):
    """What of an entry the chain binds."""

    id: Any
    organization_id: Any
    at: datetime
    actor_id: Any
    event: str
    subject_kind: str
    subject_id: Any
    subject_name: str
    before: Any
    after: Any
    origin: str


def _key(purpose: str) -> bytes:
    return hmac.digest(settings.AUDIT_KEY.encode(), f"portal:audit:{purpose}".encode(), "sha256")


def key_id() -> str:
    """Which key this is, without telling it: 8 hex digits."""
    return hashlib.sha256(_key("identifier")).hexdigest()[:8]


def digest_of(text: str, organization_id: uuid.UUID | None, person_id: uuid.UUID | None) -> str:
    """The text's keyed digest; another one for another person or organization, so nothing links."""
    whole = _canonical([_plain(organization_id), _plain(person_id), text])
    return PREFIX + hmac.new(_key("text"), whole, "sha256").hexdigest()[:40]


def is_digest(value: object) -> bool:
    return isinstance(value, str) and value.startswith(PREFIX)


def chain_of(organization_id: uuid.UUID | None) -> uuid.UUID:
    return organization_id or CHAIN_OF_NONE


def link_of(chain_id: uuid.UUID, number: int, previous: str, entry: Entry) -> str:
    """The hash of an entry at its place in the chain."""
    content: Mapping[str, Any] = {
        "chain": _plain(chain_id),
        "number": number,
        "previous": previous,
        "id": _plain(entry.id),
        "organization": _plain(entry.organization_id),
        "at": entry.at.astimezone(UTC).isoformat(),
        "actor": _plain(entry.actor_id),
        "event": entry.event,
        "subject": [entry.subject_kind, _plain(entry.subject_id), entry.subject_name],
        "before": entry.before,
        "after": entry.after,
        "origin": entry.origin,
    }
    return hmac.new(_key("chain"), _canonical(content), "sha256").hexdigest()


def _plain(identifier: uuid.UUID | None) -> str:
    return str(identifier) if identifier else ""


def _canonical(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # A lone surrogate can't be stored, but must not stop a check either.
    return text.encode("utf-8", "surrogatepass")
