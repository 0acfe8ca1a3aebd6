"""The identity provider for people's clients (api.md, "Who is calling")."""

from typing import Any

from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from allauth.idp.oidc.models import Client

from orgs.enums import Scope


class OIDCAdapter(DefaultOIDCAdapter):  # type: ignore[misc]  # allauth has no types
    """Scopes of the portal's own, published and explained."""

    scope_display = {
        **DefaultOIDCAdapter.scope_display,
        **{scope.value: scope.label for scope in Scope},
    }

    def populate_server_metadata(self, data: dict[str, Any]) -> None:
        """Only what public clients may use here: no implicit flow, no secrets."""
        data["scopes_supported"] = [*data["scopes_supported"], *Scope.values]
        data["response_types_supported"] = [Client.ResponseType.CODE.value]
        data["grant_types_supported"] = [
            Client.GrantType.AUTHORIZATION_CODE.value,
            Client.GrantType.DEVICE_CODE.value,
            Client.GrantType.REFRESH_TOKEN.value,
        ]
        data["token_endpoint_auth_methods_supported"] = [Client.AuthenticationMethod.NONE.value]
