"""How allauth's flows fit the portal."""

import uuid
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _

from offload_portal.common import sealing
from offload_portal.common.periods import cut_to_second
from orgs.language import remember_language
from orgs.services.news import post_account_mail

UNKNOWN = "account/email/unknown_account"
NOBODY = uuid.UUID(int=0)
# As long as a real one, which the key is made of.
UNUSABLE = "argon2$" + "x" * 90
INVITED_EMAIL = "invited_email"
MOST_ADDRESS_LETTERS = 254
FACTORS = "second factors"


def _as_long_as_for_a_known_one(email: str) -> None:
    """What a known address costs on the way to its mail: a look at its addresses, and a key."""
    list(EmailAddress.objects.filter(user_id=NOBODY).order_by("pk").values_list("email", flat=True))
    nobody = get_user_model()(pk=NOBODY, email=email, password=UNUSABLE)
    default_token_generator.make_token(nobody)


def _html_of(message: EmailMessage) -> str:
    pages = [part[0] for part in getattr(message, "alternatives", ()) if part[1] == "text/html"]
    return str(pages[0]) if pages else ""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Signing up and in with an e-mail address."""

    def clean_email(self, email: str) -> str:
        """An address that fits its column."""
        if len(email) > MOST_ADDRESS_LETTERS:
            sentence = _("An e-mail address has at most %(most)s characters.")
            raise ValidationError(sentence % {"most": MOST_ADDRESS_LETTERS})
        return email

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """allauth's mails go out the way all mail does."""
        if template_prefix == UNKNOWN:
            _as_long_as_for_a_known_one(email)
        site = get_current_site(self.request)
        whole = {"request": self.request, "email": email, "current_site": site, **context}
        message = self.render_mail(template_prefix, email, whole)
        post_account_mail(
            at=cut_to_second(timezone.now()),
            to=email,
            subject=str(message.subject),
            text=str(message.body),
            html=_html_of(message),
        )

    def send_account_already_exists_mail(self, email: str) -> None:
        """Signing up with a known address takes as long as with a new one: a password is hashed."""
        make_password(get_random_string(20))
        super().send_account_already_exists_mail(email)

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


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Second factors' secrets lie sealed: who reads the database alone can't sign in with them."""

    def encrypt(self, text: str) -> str:
        return sealing.seal(text, FACTORS)

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.unseal(encrypted_text, FACTORS)
