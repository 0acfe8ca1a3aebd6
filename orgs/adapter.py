"""How allauth's flows fit the portal."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from orgs.language import remember_language

INVITED_EMAIL = "invited_email"
MOST_ADDRESS_LETTERS = 254


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Signing up and in with an e-mail address."""

    def clean_email(self, email: str) -> str:
        """An address that fits its column."""
        if len(email) > MOST_ADDRESS_LETTERS:
            sentence = _("An e-mail address has at most %(most)s characters.")
            raise ValidationError(sentence % {"most": MOST_ADDRESS_LETTERS})
        return email

    def is_email_verified(self, request: HttpRequest, email: str) -> bool:
        """Who opened an invitation's link has its mailbox, and confirms nothing again.

        allauth's own way would give the invited address to whatever account is made next.
        """
        return str(request.session.get(INVITED_EMAIL, "")).lower() == email.lower()

    def post_login(self, request: HttpRequest, user: Any, **options: Any) -> HttpResponse:
        """Speak the person's language from the first page on."""
        response: HttpResponse = super().post_login(request, user, **options)
        if user.language and user.language in dict(settings.LANGUAGES):
            remember_language(response, user.language)
        return response
