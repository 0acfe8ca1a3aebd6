"""Caps as pages, the API and alerts show them (product.md rule 19)."""

import uuid
from collections.abc import Sequence

from django.utils.translation import gettext as _

from orgs.models import Person, Team
from usage.enums import CapScope
from usage.models import Cap


def cap_names(caps: Sequence[Cap]) -> dict[uuid.UUID, str]:
    """Whose each cap is. At most two statements."""
    teams = [cap.subject_id for cap in caps if cap.scope == CapScope.TEAM]
    people = [cap.subject_id for cap in caps if cap.scope == CapScope.PERSON]
    names: dict[uuid.UUID, str] = {}
    if teams:
        names.update(Team.objects.filter(pk__in=teams).order_by("pk").values_list("pk", "name"))
    if people:
        rows = Person.objects.filter(pk__in=people).order_by("pk")
        names.update({person.pk: person.shown_name for person in rows})
    return {cap.id: names.get(cap.subject_id) or _gone(cap) for cap in caps}


def _gone(cap: Cap) -> str:
    return _("A team that is gone") if cap.scope == CapScope.TEAM else _("Somebody who is gone")
