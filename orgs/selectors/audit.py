"""Reading the audit log (product.md rule 7): newest first, by keys, with names beside them."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from orgs.enums import Event
from orgs.models import AuditEntry, Invitation, Membership, Organization, Person, Team
from orgs.selectors.access import PersonRef, reference

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What was asked for; empty fields mean everything. `by_portal` is what no person ordered."""

    event: str = ""
    actor_id: uuid.UUID | None = None
    by_portal: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One value before and after; "" where it was not there."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry as the page shows it. `actor` is None for the portal itself."""

    id: uuid.UUID
    at: datetime
    event: str
    label: str
    actor: str | None
    subject_kind: str
    subject: str
    differences: tuple[Difference, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Rows newest first; `newer` and `older` are the keys of the pages beside it."""

    rows: tuple[AuditRow, ...]
    newer: uuid.UUID | None
    older: uuid.UUID | None


def audit_page(
    organization: Organization,
    wanted: AuditFilter,
    *,
    older_than: uuid.UUID | None = None,
    newer_than: uuid.UUID | None = None,
    size: int = PAGE_SIZE,
) -> AuditPage:
    """One page. The keys are identifiers of entries; a foreign one gives the first page."""
    entries = _matching(organization, wanted)
    backwards = newer_than is not None
    wanted_key = newer_than or older_than
    key = entries.filter(pk=wanted_key).first() if wanted_key else None
    if key is None:
        found, beyond = _take(entries.order_by("-at", "-id"), size)
        return _page(found, newer=False, older=beyond)
    if backwards:
        later = entries.filter(Q(at__gt=key.at) | Q(at=key.at, id__gt=key.pk))
        found, beyond = _take(later.order_by("at", "id"), size)
        return _page(found[::-1], newer=beyond, older=True)
    earlier = entries.filter(Q(at__lt=key.at) | Q(at=key.at, id__lt=key.pk))
    found, beyond = _take(earlier.order_by("-at", "-id"), size)
    return _page(found, newer=True, older=beyond)


def _matching(organization: Organization, wanted: AuditFilter) -> QuerySet[AuditEntry]:
    entries = AuditEntry.objects.filter(organization_id=organization.pk)
    if wanted.event:
        entries = entries.filter(event=wanted.event)
    if wanted.actor_id is not None:
        entries = entries.filter(actor_id=wanted.actor_id)
    if wanted.by_portal:
        entries = entries.filter(actor_id=None)
    return entries


def _take(entries: QuerySet[AuditEntry], size: int) -> tuple[list[AuditEntry], bool]:
    found = list(entries[: size + 1])
    return found[:size], len(found) > size


def _page(entries: Sequence[AuditEntry], *, newer: bool, older: bool) -> AuditPage:
    names = _names(entries)
    return AuditPage(
        rows=tuple(_row(entry, names) for entry in entries),
        newer=entries[0].pk if newer and entries else None,
        older=entries[-1].pk if older and entries else None,
    )


def _names(entries: Iterable[AuditEntry]) -> Mapping[uuid.UUID, str]:
    """Names of those whom the entries speak of and who still exist: three statements."""
    by_kind: dict[str, set[uuid.UUID]] = {}
    for entry in entries:
        if entry.actor_id:
            by_kind.setdefault("person", set()).add(entry.actor_id)
        if entry.subject_id:
            by_kind.setdefault(entry.subject_kind, set()).add(entry.subject_id)
    people = Person.objects.filter(pk__in=by_kind.get("person", ()))
    teams = Team.objects.filter(pk__in=by_kind.get("team", ()))
    invitations = Invitation.objects.filter(pk__in=by_kind.get("invitation", ()))
    return {
        **{person.pk: person.shown_name for person in people},
        **{team.pk: team.name for team in teams},
        **{invitation.pk: invitation.email for invitation in invitations},
    }


def _row(entry: AuditEntry, names: Mapping[uuid.UUID, str]) -> AuditRow:
    actor = names.get(entry.actor_id, str(entry.actor_id)) if entry.actor_id else None
    subject = names.get(entry.subject_id, "") if entry.subject_id else ""
    return AuditRow(
        id=entry.pk,
        at=entry.at,
        event=entry.event,
        label=str(Event(entry.event).label) if entry.event in Event.values else entry.event,
        actor=actor,
        subject_kind=entry.subject_kind,
        subject=subject,
        differences=tuple(_differences(entry.before, entry.after, names)),
        origin=entry.origin,
    )


def _differences(
    before: Mapping[str, Any], after: Mapping[str, Any], names: Mapping[uuid.UUID, str]
) -> Iterable[Difference]:
    for name in sorted({*before, *after}):
        old, new = _text(before.get(name), names), _text(after.get(name), names)
        if old != new:
            yield Difference(name.replace("_", " "), old, new)


def _text(value: Any, names: Mapping[uuid.UUID, str]) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_text(each, names) for each in value)
    try:
        return names.get(uuid.UUID(str(value)), str(value))
    except ValueError:
        return str(value)


def audit_actors(organization: Organization) -> tuple[PersonRef, ...]:
    """Members, by name: whom the log can be filtered by."""
    rows = Membership.objects.filter(organization=organization).select_related("person")
    return tuple(
        reference(row.person) for row in rows.order_by("person__name", "person__email", "id")
    )
