"""Tokens for scripts (api.md, "Who is calling"): made, shown once, kept as a digest, revoked.

A token is a prefix, 32 random characters of base 62 and 6 more that check them, so that a typo
fails without a look-up: `opat_` for a person, `ooat_` for an organization.
"""

import hashlib
import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import Refusal
from orgs.enums import Event, Scope, TokenKind
from orgs.models import Organization, Person, Token
from orgs.services import audit

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PREFIXES = {TokenKind.PERSONAL: "opat_", TokenKind.ORGANIZATION: "ooat_"}
PREFIX_LENGTH, RANDOM_LENGTH, CHECK_LENGTH = 5, 32, 6
HINT_LENGTH = PREFIX_LENGTH + 4
# A report each 45 seconds must not write this row as well, or hardly ever.
USE_IS_NOTED_EVERY = timedelta(minutes=15)
LONGEST_EXPIRY_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token; `value` is shown once and kept nowhere."""

    token: Token
    value: str


def checksum(text: str) -> str:
    """Six characters of base 62 that change with any typo."""
    number = zlib.crc32(text.encode())
    found = ""
    for _place in range(CHECK_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        found = ALPHABET[digit] + found
    return found


def new_value(kind: TokenKind) -> str:
    text = PREFIXES[kind] + "".join(secrets.choice(ALPHABET) for _n in range(RANDOM_LENGTH))
    return text + checksum(text)


def is_ours(value: str) -> bool:
    """Whether it looks like a token of the portal's own, good or mistyped."""
    return value.startswith(tuple(PREFIXES.values()))


def kind_of(value: str) -> TokenKind:
    """What its beginning says, of a well-formed one."""
    return next(kind for kind, prefix in PREFIXES.items() if value.startswith(prefix))


def is_well_formed(value: str) -> bool:
    """Whether its check matches; a typo fails here, before any look-up."""
    if len(value) != PREFIX_LENGTH + RANDOM_LENGTH + CHECK_LENGTH or not value.isascii():
        return False
    return is_ours(value) and checksum(value[:-CHECK_LENGTH]) == value[-CHECK_LENGTH:]


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def issue_token(
    *,
    actor: Actor,
    at: datetime,
    name: str,
    scopes: Sequence[str],
    person: Person | None = None,
    organization: Organization | None = None,
    expires_at: datetime | None = None,
) -> IssuedToken:
    """A token of the person, or of the organization where it is given (its owner's doing).

    400 for an unknown scope, none at all, or an expiry that has passed.
    """
    _check(at, name, scopes, expires_at, of_organization=organization is not None)
    kind = TokenKind.PERSONAL if organization is None else TokenKind.ORGANIZATION
    value = new_value(kind)
    with transaction.atomic():
        token = Token.objects.create(
            kind=kind,
            digest=digest(value),
            hint=value[:HINT_LENGTH],
            name=name.strip(),
            person=person,
            organization=organization,
            scopes=sorted(set(scopes)),
            created_at=at,
            expires_at=expires_at,
        )
        audit.record(
            event=Event.TOKEN_CREATED,
            actor=actor,
            at=at,
            organization_id=organization.pk if organization else None,
            subject=("token", token.id),
            after={"kind": str(kind), "scopes": token.scopes},
        )
    return IssuedToken(token, value)


def _check(
    at: datetime,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    *,
    of_organization: bool,
) -> None:
    known = {str(scope) for scope in Scope}
    if of_organization:
        known = {str(Scope.ORG_READ), str(Scope.USAGE_READ)}
    unknown = sorted(set(scopes) - known)
    if unknown or not scopes:
        sentence = _("Choose scopes out of %(known)s.") % {"known": ", ".join(sorted(known))}
        raise Refusal("invalid", sentence, 400, errors={"scopes": [sentence]})
    if not name.strip() or len(name) > 80:
        sentence = _("Give the token a name of up to 80 characters.")
        raise Refusal("invalid", sentence, 400, errors={"name": [sentence]})
    if expires_at is not None and expires_at <= at:
        sentence = _("The expiry has passed already.")
        raise Refusal("invalid", sentence, 400, errors={"expires_at": [sentence]})


def revoke_token(*, actor: Actor, at: datetime, token: Token) -> None:
    """From now on it opens nothing; revoking twice changes nothing."""
    with transaction.atomic():
        if not Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=at):
            return
        audit.record(
            event=Event.TOKEN_REVOKED,
            actor=actor,
            at=at,
            organization_id=token.organization_id,
            subject=("token", token.id),
        )


def note_use(*, at: datetime, token: Token) -> None:
    """Write down that it was used, at most every quarter of an hour."""
    if token.last_used_at is not None and at < token.last_used_at + USE_IS_NOTED_EVERY:
        return
    Token.objects.filter(pk=token.pk).update(last_used_at=at)
