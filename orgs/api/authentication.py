"""Who is calling: `Authorization: Bearer` with a token of ours or of the OpenID provider.

No token and a bad one are 401, never 403. Each way costs one statement; a mistyped token none.
"""

from typing import Any

from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.contrib.rest_framework.authentication import TokenAuthentication
from allauth.idp.oidc.internal.resources import is_resources_subset
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from offload_portal.api.callers import Caller
from offload_portal.common.periods import cut_to_second
from orgs.enums import TokenKind
from orgs.selectors.tokens import access_token_by_hash, token_by_digest
from orgs.services import tokens

LONGEST_TOKEN = 512


class OrganizationUser:
    """Stands where a person would, for an organization's token: it is nobody."""

    pk = None
    is_authenticated = True
    is_active = True
    is_anonymous = False


class BearerAuthentication(TokenAuthentication):  # type: ignore[misc]  # allauth has no types
    """allauth's own class answers 403 and asks three times; this one doesn't."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        value = _bearer(request)
        if value is None:
            return None
        if tokens.is_ours(value):
            return _by_own_token(value)
        return _by_access_token(request, value)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _bearer(request: Request) -> str | None:
    scheme, _space, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    value = value.strip()
    if not value or len(value) > LONGEST_TOKEN or not value.isascii():
        raise AuthenticationFailed
    return value


def _by_own_token(value: str) -> tuple[Any, Caller]:
    if not tokens.is_well_formed(value):
        raise AuthenticationFailed
    token = token_by_digest(tokens.digest(value), tokens.kind_of(value))
    at = cut_to_second(timezone.now())
    if token is None or not token.is_good(at):
        raise AuthenticationFailed
    scopes = frozenset(token.scopes)
    if token.kind == TokenKind.ORGANIZATION:
        tokens.note_use(at=at, token=token)
        name = f"organization:{token.organization_id}"
        return OrganizationUser(), Caller(name, str(token.id), scopes, token.organization)
    if token.person is None or not token.person.is_active:
        raise AuthenticationFailed
    tokens.note_use(at=at, token=token)
    return token.person, Caller(f"person:{token.person_id}", str(token.id), scopes)


def _by_access_token(request: Request, value: str) -> tuple[Any, Caller]:
    found = access_token_by_hash(get_adapter().hash_token(value), timezone.now())
    if found is None:
        raise AuthenticationFailed
    token, person = found
    granted = token.get_resources()
    if not person.is_active or (granted and not _is_for(request, granted)):
        raise AuthenticationFailed
    return person, Caller(f"person:{person.pk}", f"oidc:{token.pk}", frozenset(token.get_scopes()))


def _is_for(request: Request, granted: list[str]) -> bool:
    """Whether the token was asked for a resource that the request's address belongs to."""
    here = request.build_absolute_uri(request.path)
    return bool(is_resources_subset([here], granted))
