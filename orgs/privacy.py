"""Insights without surveillance: how an organization shows what its people did.

Named shows people as they are, and keeps a note in the audit log of who looked. Pseudonymous gives
each person a code that stays the same in this organization and means nothing elsewhere. Aggregate
shows sums alone, and none of fewer than LEAST_GROUP people. Everyone always sees themselves.
"""

import hmac
import uuid
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from orgs.enums import PrivacyMode

LEAST_GROUP = 5
# No letter that is read as a digit, and no vowel that would make words.
_LETTERS = "23456789BCDFGHJKLMNPQRSTVWXZ"
CODE_LETTERS = 6


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """Stands for a person in one organization: an identifier, and a code such as `K7Q-F2M`."""

    id: uuid.UUID
    code: str

    @property
    def name(self) -> str:
        return _("Person %(code)s") % {"code": self.code}


def pseudonym_of(organization_id: uuid.UUID, person_id: uuid.UUID) -> Pseudonym:
    """Always the same for both; nobody without the portal's key finds the person from it."""
    key = hmac.digest(settings.AUDIT_KEY.encode(), b"portal:pseudonyms", "sha256")
    digest = hmac.digest(key, organization_id.bytes + person_id.bytes, "sha256")
    number = int.from_bytes(digest[16:24])
    letters = ""
    for _place in range(CODE_LETTERS):
        number, rest = divmod(number, len(_LETTERS))
        letters += _LETTERS[rest]
    half = CODE_LETTERS // 2
    # Version 5 is for identifiers that are digests of names, which these are.
    identifier = uuid.UUID(bytes=digest[:16], version=5)
    return Pseudonym(identifier, f"{letters[:half]}-{letters[half:]}")


def is_veiled(mode: str, person_id: uuid.UUID, viewer_id: uuid.UUID | None) -> bool:
    """Whether the viewer may not know who this is."""
    return mode != PrivacyMode.NAMED and person_id != viewer_id


def is_enough(people: int) -> bool:
    """Whether a group of so many people may be shown in aggregate."""
    return people >= LEAST_GROUP
