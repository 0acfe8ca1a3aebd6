"""Whose token it is, in one statement for each request of the API (targets P5)."""

from datetime import datetime

from allauth.idp.oidc.models import Token as AccessToken

from offload_portal.common.rows import Columns, instant_value, one_row
from orgs.enums import TokenKind
from orgs.models import Organization, Person, Token

_PERSON = Columns(Person, "person")
_TOKEN = Columns(Token, "token")
_ORGANIZATION = Columns(Organization, "organization")
_ACCESS = Columns(AccessToken, "token")

_OF_PERSON = (
    f"SELECT {_TOKEN.sql}, {_PERSON.sql} FROM {Token._meta.db_table} AS token "  # noqa: S608
    f"JOIN {Person._meta.db_table} AS person ON person.id = token.person_id "
    "WHERE token.digest = %s"
)
_OF_ORGANIZATION = (
    f"SELECT {_TOKEN.sql}, {_ORGANIZATION.sql} "  # noqa: S608 - names of columns
    f"FROM {Token._meta.db_table} AS token "
    f"JOIN {Organization._meta.db_table} AS organization "
    "ON organization.id = token.organization_id "
    "WHERE token.digest = %s"
)
_BY_HASH = (
    f"SELECT {_ACCESS.sql}, {_PERSON.sql} "  # noqa: S608 - names of columns
    f"FROM {AccessToken._meta.db_table} AS token "
    f"JOIN {Person._meta.db_table} AS person ON person.id = token.user_id "
    "WHERE token.hash = %s AND token.type = %s AND token.client_id IS NOT NULL "
    "AND (token.expires_at IS NULL OR token.expires_at > %s)"
)


def token_by_digest(digest: str, kind: TokenKind) -> Token | None:
    """A token of ours with its person or organization, good or not. Its beginning tells the kind.

    None where it is of another kind than it says.
    """
    personal = kind == TokenKind.PERSONAL
    row = one_row(_OF_PERSON if personal else _OF_ORGANIZATION, [digest])
    token = _TOKEN.made(row[: len(_TOKEN)]) if row else None
    if row is None or token is None or token.kind != kind:
        return None
    if personal:
        token.person = _PERSON.made(row[len(_TOKEN) :])
    else:
        token.organization = _ORGANIZATION.made(row[len(_TOKEN) :])
    return token


def access_token_by_hash(value: str, at: datetime) -> tuple[AccessToken, Person] | None:
    """An access token of the OpenID provider that holds at the instant, and whose it is."""
    row = one_row(_BY_HASH, [value, AccessToken.Type.ACCESS_TOKEN.value, instant_value(at)])
    if row is None:
        return None
    token, person = _ACCESS.made(row[: len(_ACCESS)]), _PERSON.made(row[len(_ACCESS) :])
    return None if token is None or person is None else (token, person)
