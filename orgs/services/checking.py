"""What every door's input must pass before it is stored. Sentences name the field's fault."""

import re
import unicodedata
import uuid
from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from offload_portal.common.refusals import Refusal, not_found
from orgs.enums import PrivacyMode
from orgs.models import Membership, Organization
from orgs.zones import is_zone

MOST_ADDRESS_LETTERS = 254
MOST_NAME_LETTERS = 80
MOST_SLUG_LETTERS = 48
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
# Addresses that mean something else, or could pass for the portal's own.
RESERVED_SLUGS = frozenset(
    {
        "account",
        "accounts",
        "admin",
        "api",
        "development",
        "docker",
        "docs",
        "health",
        "healthz",
        "help",
        "identity",
        "invitations",
        "me",
        "new",
        "offload",
        "offload-portal",
        "operators",
        "organizations",
        "portal",
        "readyz",
        "root",
        "security",
        "settings",
        "sign-in",
        "sign-up",
        "static",
        "status",
        "styleguide",
        "support",
        "system",
        "www",
    }
)


def invalid(field: str, sentence: str) -> Refusal:
    """400 with the field that is to blame."""
    return Refusal("invalid", sentence, 400, errors={field: [sentence]})


def clean_name(name: str, field: str = "name") -> str:
    """A name of 1 to 80 characters that show something, in composed form."""
    text = unicodedata.normalize("NFC", name).strip()
    if not any(unicodedata.category(letter)[0] in "LNSP" for letter in text):
        raise invalid(field, _("Give a name of at least one letter."))
    if len(text) > MOST_NAME_LETTERS:
        sentence = _("A name has at most %(most)s characters; this one has %(count)s.")
        raise invalid(field, sentence % {"most": MOST_NAME_LETTERS, "count": len(text)})
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text):
        raise invalid(field, _("A name is one line without control characters."))
    return text


def clean_slug(slug: str) -> str:
    """An address of small letters, digits and hyphens that isn't reserved."""
    text = slug.strip().lower()
    if len(text) > MOST_SLUG_LETTERS or not SLUG.fullmatch(text):
        sentence = _(
            "An address has 1 to %(most)s small letters (a–z), digits and hyphens, and begins "
            "and ends with a letter or digit."
        )
        raise invalid("slug", sentence % {"most": MOST_SLUG_LETTERS})
    if text in RESERVED_SLUGS:
        raise invalid("slug", _("The portal needs this address itself. Choose another."))
    return text


def clean_contact(address: str) -> str:
    """An e-mail address in small letters, or nothing."""
    text = address.strip().lower()
    try:
        if text:
            validate_email(text)
    except ValidationError:
        raise invalid("billing_contact", _("This is no e-mail address.")) from None
    if len(text) > MOST_ADDRESS_LETTERS:
        raise invalid("billing_contact", _("This address is too long."))
    return text


def clean_zone(zone: str) -> str:
    if not is_zone(zone):
        raise invalid("zone", _("Choose one of the time zones in the list."))
    return zone


def clean_privacy(privacy: str) -> str:
    if privacy not in PrivacyMode.values:
        raise invalid("privacy", _("Choose one of the ways in the list."))
    return privacy


def members_among(organization: Organization, persons: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """The persons in the order of joining; 404 where one is no member (rule 2)."""
    rows = Membership.objects.filter(organization=organization, person_id__in=persons)
    found = list(rows.order_by("joined_at", "id").values_list("person_id", flat=True))
    if len(found) != len(set(persons)):
        raise not_found()
    return found
