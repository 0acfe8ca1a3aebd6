"""How allauth's flows fit the portal."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from orgs.views.account import remember_language


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Signing up and in with an e-mail address."""

    def post_login(self, request: HttpRequest, user: Any, **options: Any) -> HttpResponse:
        """Speak the person's language from the first page on."""
        response: HttpResponse = super().post_login(request, user, **options)
        if user.language and user.language in dict(settings.LANGUAGES):
            remember_language(response, user.language)
        return response
