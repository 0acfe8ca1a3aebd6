"""What a person prefers, on every organization's pages and for every client of theirs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import not_found
from orgs.models import Membership, Person
from orgs.services.checking import invalid
from orgs.zones import is_zone

FIELDS = ("default_organization", "idle_timeout_seconds", "language", "zone")


def update_preferences(
    *, actor: Actor, at: datetime, person: Person, changes: Mapping[str, Any]
) -> Person:
    """Set those of FIELDS that `changes` has; None takes a preference back.

    `default_organization` is the slug of one of the person's organizations (404 otherwise).
    """
    if actor.id != person.pk:
        raise not_found()
    values = dict(changes)
    if "default_organization" in values:
        slug = values.pop("default_organization")
        values["default_organization_id"] = None if slug is None else _own(person, slug)
    if values.get("zone") and not is_zone(values["zone"]):
        raise invalid("zone", _("There is no such time zone."))
    for name in ("language", "zone"):
        if name in values:
            values[name] = values[name] or ""
    with transaction.atomic():
        for name, value in values.items():
            setattr(person, name, value)
        if values:
            person.save(update_fields=list(values))
    return person


def _own(person: Person, slug: str) -> Any:
    rows = Membership.objects.filter(person=person, organization__addresses__slug=slug)
    found = rows.values_list("organization_id", flat=True).first()
    if found is None:
        raise not_found()
    return found
