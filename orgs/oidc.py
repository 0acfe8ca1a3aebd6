"""The identity provider for people's clients."""

from allauth.idp.oidc.adapter import DefaultOIDCAdapter


class OIDCAdapter(DefaultOIDCAdapter):  # type: ignore[misc]  # allauth has no types
    """Scopes and claims of the portal's own."""
