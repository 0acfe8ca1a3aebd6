"""Refresh tokens: rotated, and a reused one revokes its family (api.md, "Who is calling").

allauth deletes a refresh token once it is used, so that a reuse looks like any unknown token.
Here it stays as spent, with the answer that it was given. For 30 seconds the same answer can be
fetched again, since an answer may be lost on its way; afterwards a reuse means that a token was
stolen, and everything that came from it is revoked. The answer is kept encrypted with the spent
token itself, of which the portal holds only a digest.
"""

import base64
import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from allauth.idp.oidc import app_settings
from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.internal.oauthlib.request_validator import OAuthLibRequestValidator
from allauth.idp.oidc.internal.oauthlib.server import (
    generate_access_token,
    generate_refresh_token,
)
from allauth.idp.oidc.models import Token
from cryptography.fernet import Fernet, InvalidToken
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from oauthlib.common import Request
from oauthlib.oauth2.rfc8628.grant_types import DeviceCodeGrant
from oauthlib.openid import Server

from orgs.devices import Poll

GRACE = timedelta(seconds=30)


class PortalValidator(OAuthLibRequestValidator):  # type: ignore[misc]  # allauth has no types
    """Marks a used refresh token as spent, and every token with the family it belongs to."""

    family: str | None = None
    approved: Poll | None = None

    def validate_device_code(self, client_id: str, code: str, request: Request) -> str | None:
        """The poll took the code out before; oauthlib 4 asks here, and allauth has no answer."""
        if self.approved is None:
            return None
        request.user = self.approved.person
        request.scopes = list(self.approved.record["scope"] or request.client.get_default_scopes())
        return str(DeviceCodeGrant.DEVICE_CODE_AUTHORIZED)

    def _prep_refresh_token(self, ctx: Any, refresh_token: str, request: Request) -> Token:
        spent: Token | None = ctx.refresh_token
        if spent is not None:
            ctx.granted_resources = spent.get_resources()
            if not ctx.email and "email" in request.scopes:
                ctx.email = spent.get_scope_email()
            self.family = _family_of(spent)
            _spend(spent, self.family)
        lifetime = app_settings.REFRESH_TOKEN_EXPIRES_IN
        token = Token(
            client=request.client,
            user=request.user,
            type=Token.Type.REFRESH_TOKEN,
            hash=get_adapter().hash_token(refresh_token),
            expires_at=timezone.now() + timedelta(seconds=lifetime) if lifetime else None,
            data={"family": self._family()},
        )
        if ctx.granted_resources:
            token.set_resources(ctx.granted_resources)
        return token

    def _prep_access_token(self, ctx: Any, token: dict[str, Any], request: Request) -> Token:
        access: Token = super()._prep_access_token(ctx, token, request)
        access.data = {**(access.data or {}), "family": self._family()}
        return access

    def _family(self) -> str:
        self.family = self.family or uuid.uuid4().hex
        return self.family

    def revoke_token(
        self, token: str, token_type_hint: str | None, request: Request, *args: Any, **kwargs: Any
    ) -> None:
        """Signing out revokes the refresh token and the access tokens that came from it."""
        for found in Token.objects.by_value(token).filter(client=request.client):
            revoke_family(found)


def portal_server(approved: Poll | None = None) -> Server:
    """allauth's server with our validator; `approved` is the device code that was taken out."""
    validator = PortalValidator()
    validator.approved = approved
    return Server(
        token_generator=generate_access_token,
        refresh_token_generator=generate_refresh_token,
        request_validator=validator,
        token_expires_in=app_settings.ACCESS_TOKEN_EXPIRES_IN,
    )


def _family_of(token: Token) -> str:
    known = token.data.get("family") if isinstance(token.data, dict) else None
    return str(known or uuid.uuid4().hex)


def _spend(token: Token, family: str) -> None:
    """It stays for the reuse to be seen; expired, so that nothing takes it for a good one."""
    now = timezone.now()
    token.data = {**(token.data or {}), "family": family, "spent_at": now.isoformat()}
    token.expires_at = now
    token.save(update_fields=["data", "expires_at"])


def revoke_family(token: Token) -> None:
    family = token.data.get("family") if isinstance(token.data, dict) else None
    rows = Token.objects.filter(client_id=token.client_id, user_id=token.user_id)
    if family:
        rows.filter(data__family=family).delete()
    Token.objects.filter(pk=token.pk).delete()


def refresh(request: HttpRequest, answer: Callable[[], HttpResponse]) -> HttpResponse | None:
    """The answer to a refresh, fresh or fetched again; None where the family was just revoked.

    The row is locked, so that of two who refresh at once the second finds it spent.
    """
    value = request.POST.get("refresh_token", "")
    with transaction.atomic():
        token = (
            Token.objects.select_for_update()
            .by_value(value)
            .filter(type=Token.Type.REFRESH_TOKEN, client_id=request.POST.get("client_id"))
            .order_by("pk")
            .first()
        )
        spent_at = _spent_at(token)
        if token is None or spent_at is None:
            response = answer()
            if token is not None and response.status_code == 200:
                _keep_answer(token.pk, value, response)
            return response
        kept = _kept_answer(token, value)
        if kept is not None and timezone.now() <= spent_at + GRACE:
            return kept
        revoke_family(token)
    return None


def _spent_at(token: Token | None) -> datetime | None:
    if token is None or not isinstance(token.data, dict) or "spent_at" not in token.data:
        return None
    return datetime.fromisoformat(token.data["spent_at"])


def _cipher(value: str) -> Fernet:
    digest = hashlib.sha256(b"portal.refresh.answer:" + value.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def _keep_answer(token_pk: int, value: str, response: HttpResponse) -> None:
    token = Token.objects.get(pk=token_pk)
    token.data = {**(token.data or {}), "answer": _cipher(value).encrypt(response.content).decode()}
    token.save(update_fields=["data"])


def _kept_answer(token: Token, value: str) -> HttpResponse | None:
    try:
        body = _cipher(value).decrypt(token.data["answer"].encode())
    except (KeyError, InvalidToken):
        return None
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return HttpResponse(body, content_type="application/json", headers=headers)
