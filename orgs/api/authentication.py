"""Who is calling: `Authorization: Bearer` with a token of ours or of the OpenID provider.

No token and a bad one are 401, never 403. Each way costs one statement; a mistyped token none.
"""

from typing import Any

from allauth.idp.oidc.contrib.rest_framework.authentication import TokenAuthentication
from allauth.idp.oidc.internal.resources import is_resources_subset
from allauth.idp.oidc.models import Token as AccessToken
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from offload_portal.api.callers import Caller
from offload_portal.common.periods import cut_to_second
from orgs.enums import TokenKind
from orgs.models import Token
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
    rows = Token.objects.select_related("person", "organization")
    token = rows.filter(digest=tokens.digest(value)).first()
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
    rows = AccessToken.objects.valid().by_value(value).select_related("user", "client")
    token = rows.filter(type=AccessToken.Type.ACCESS_TOKEN).first()
    if token is None or token.client is None or token.user is None or not token.user.is_active:
        raise AuthenticationFailed
    here = request.build_absolute_uri(request.path)
    if not is_resources_subset([here], token.get_resources()):
        raise AuthenticationFailed
    return token.user, Caller(
        f"person:{token.user_id}", f"oidc:{token.pk}", frozenset(token.get_scopes())
    )
