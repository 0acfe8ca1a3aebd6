"""A person's own account."""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from orgs.enums import Event
from orgs.models import Person
from orgs.services import audit
from orgs.services.checking import clean_name, clean_zone, invalid


def update_person(
    *, actor: Actor, at: datetime, person: Person, name: str, language: str = "", zone: str = ""
) -> Person:
    """Change one's own name, language and zone; empty ones follow browser and organization.

    It concerns no organization, so it writes no audit entry.
    """
    if language and language not in dict(settings.LANGUAGES):
        raise invalid("language", _("Choose one of the languages in the list."))
    with transaction.atomic():
        person.name = clean_name(name)
        person.language = language
        person.zone = clean_zone(zone) if zone else ""
        person.save(update_fields=["name", "language", "zone"])
    return person


def note_export(*, actor: Actor, at: datetime, person: Person) -> None:
    """Write down that somebody downloads the person's data: they themselves, as a rule."""
    with transaction.atomic():
        audit.record(
            event=Event.PERSON_EXPORTED,
            actor=actor,
            at=at,
            organization_id=None,
            subject=("person", person.pk),
        )
