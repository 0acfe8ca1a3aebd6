"""Reading the audit log (product.md rule 7): newest first, by keys, with names beside them."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from orgs import chain
from orgs.enums import Event, PrivacyMode
from orgs.models import AuditEntry, AuditSeal, AuditText, Membership, Organization, Person, Team
from orgs.selectors.access import PersonRef, reference

PAGE_SIZE = 50
EXPORT_BATCH = 500
MOST_MATCHES = 1_000
OF_SESSIONS = (Event.SESSION_STARTED, Event.SESSION_ENDED, Event.ENGINE_KEY_GIVEN)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What was asked for; empty fields mean everything. `by_portal` is what no person ordered.

    `text` is looked for in names, addresses, events and values; `since` is included, `until` not.
    """

    event: str = ""
    actor_id: uuid.UUID | None = None
    by_portal: bool = False
    subject_id: uuid.UUID | None = None
    subject_kind: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_narrowed(self) -> bool:
        return self != AuditFilter()


@dataclass(frozen=True, slots=True)
class Difference:
    """One value before and after; "" where it was not there."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry with the names that its identifiers and digests stand for.

    `actor` is None for the portal itself; `number` is its place in the chain, None until it is
    sealed; `before` and `after` are the values with texts for digests.
    """

    id: uuid.UUID
    at: datetime
    event: str
    label: str
    actor_id: uuid.UUID | None
    actor: str | None
    actor_email: str
    subject_kind: str
    subject_id: uuid.UUID | None
    subject: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    differences: tuple[Difference, ...]
    origin: str
    number: int | None


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
    entries = audit_entries(organization, wanted)
    backwards = newer_than is not None
    wanted_key = newer_than or older_than
    own = AuditEntry.objects.filter(organization_id=organization.pk)
    key = own.filter(pk=wanted_key).first() if wanted_key else None
    if key is None:
        found, beyond = _take(entries.order_by("-at", "-id"), size)
        return _page(found, newer=False, older=beyond)
    if backwards:
        later = entries.filter(Q(at__gt=key.at) | Q(at=key.at, id__gt=key.pk))
        found, beyond = _take(later.order_by("at", "id"), size)
        return _page(found[::-1], newer=beyond, older=True)
    found, beyond = _take(_earlier(entries, key).order_by("-at", "-id"), size)
    return _page(found, newer=True, older=beyond)


def audit_export(organization: Organization, wanted: AuditFilter) -> Iterator[AuditRow]:
    """Every entry that matches, newest first; read in batches by key, so that few are held."""
    entries = audit_entries(organization, wanted).order_by("-at", "-id")
    batch = list(entries[:EXPORT_BATCH])
    while batch:
        yield from audit_rows(batch)
        batch = list(_earlier(entries, batch[-1])[:EXPORT_BATCH])


def _earlier(entries: QuerySet[AuditEntry], key: AuditEntry) -> QuerySet[AuditEntry]:
    return entries.filter(at__lte=key.at).filter(Q(at__lt=key.at) | Q(at=key.at, id__lt=key.pk))


def audit_entries(organization: Organization, wanted: AuditFilter) -> QuerySet[AuditEntry]:
    """The organization's entries that match, in no order.

    Where insights don't show who ran which session, entries that would are kept and not shown.
    """
    entries = AuditEntry.objects.filter(organization_id=organization.pk)
    if organization.privacy != PrivacyMode.NAMED:
        entries = entries.exclude(event__in=OF_SESSIONS)
    exact = {
        "event": wanted.event or None,
        "actor_id": wanted.actor_id,
        "subject_id": wanted.subject_id,
        "subject_kind": wanted.subject_kind or None,
        "at__gte": wanted.since,
        "at__lt": wanted.until,
    }
    entries = entries.filter(**{name: value for name, value in exact.items() if value is not None})
    if wanted.by_portal:
        entries = entries.filter(actor_id=None)
    return _with_text(organization, entries, wanted.text.strip()) if wanted.text else entries


def _with_text(
    organization: Organization, entries: QuerySet[AuditEntry], text: str
) -> QuerySet[AuditEntry]:
    """Entries that the text speaks of: their people, their names and addresses, their values."""
    if not text:
        return entries
    people = Person.objects.filter(Q(name__icontains=text) | Q(email__icontains=text))
    texts = AuditText.objects.filter(organization_id=organization.pk, text__icontains=text)
    digests = list(texts.order_by("digest").values_list("digest", flat=True)[:MOST_MATCHES])
    low = text.lower()
    events = [value for value, label in Event.choices if low in value or low in str(label).lower()]
    found = (
        Q(actor_id__in=people.values("pk"))
        | Q(subject_id__in=people.values("pk"))
        | Q(event__in=events)
        | Q(subject_name__in=digests)
        | Q(origin__in=digests)
        | Q(origin__icontains=text)
    )
    # SQLite keeps letters beyond ASCII escaped, PostgreSQL as they are.
    for form in {text, json.dumps(text)[1:-1]}:
        found |= Q(before_text__icontains=form) | Q(after_text__icontains=form)
    for digest in digests[:20]:
        found |= Q(before_text__contains=digest) | Q(after_text__contains=digest)
    identifier = _identifier(text)
    if identifier:
        found |= Q(subject_id=identifier) | Q(actor_id=identifier) | Q(pk=identifier)
    as_text = {f"{name}_text": Cast(name, TextField()) for name in ("before", "after")}
    return entries.alias(**as_text).filter(found)


def _take(entries: QuerySet[AuditEntry], size: int) -> tuple[list[AuditEntry], bool]:
    found = list(entries[: size + 1])
    return found[:size], len(found) > size


def _page(entries: Sequence[AuditEntry], *, newer: bool, older: bool) -> AuditPage:
    return AuditPage(
        rows=audit_rows(entries),
        newer=entries[0].pk if newer and entries else None,
        older=entries[-1].pk if older and entries else None,
    )


@dataclass(frozen=True, slots=True)
class _Names:
    """What identifiers and digests stand for; one that nothing stands for was erased."""

    people: Mapping[uuid.UUID, Person]
    teams: Mapping[uuid.UUID, str]
    texts: Mapping[str, str]
    numbers: Mapping[uuid.UUID, int]

    def person(self, identifier: uuid.UUID) -> str:
        person = self.people.get(identifier)
        return person.shown_name if person and not person.is_erased else _("Erased person")

    def text(self, value: str) -> str:
        return self.texts.get(value, _("erased")) if chain.is_digest(value) else value

    def plain(self, value: Any) -> Any:
        """The value with texts for digests."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        return value

    def shown(self, value: Any) -> str:
        """The value as a person reads it: names for the identifiers of people and teams, too."""
        if value is None:
            return ""
        if isinstance(value, list):
            return ", ".join(self.shown(each) for each in value)
        identifier = _identifier(value)
        if identifier in self.people:
            return self.person(identifier)
        if identifier in self.teams:
            return self.teams[identifier]
        return str(self.plain(value))


def audit_rows(entries: Sequence[AuditEntry]) -> tuple[AuditRow, ...]:
    """The entries with their names, in four statements."""
    names = _names(entries)
    return tuple(_row(entry, names) for entry in entries)


def _names(entries: Sequence[AuditEntry]) -> _Names:
    values = [value for entry in entries for value in _values(entry)]
    ids = {each for each in map(_identifier, values) if each}
    ids |= {each for entry in entries for each in (entry.actor_id, entry.subject_id) if each}
    digests = {value for value in values if chain.is_digest(value)}
    seals = AuditSeal.objects.filter(entry_id__in=[entry.pk for entry in entries])
    return _Names(
        people=Person.objects.in_bulk(ids),
        teams=dict(Team.objects.filter(pk__in=ids).values_list("pk", "name")),
        texts=dict(AuditText.objects.filter(pk__in=digests).values_list("digest", "text")),
        numbers=dict(seals.values_list("entry_id", "number")),
    )


def _values(entry: AuditEntry) -> Iterator[Any]:
    yield entry.origin
    yield entry.subject_name
    for side in (entry.before, entry.after):
        for value in side.values():
            yield from value if isinstance(value, list) else (value,)


def _identifier(value: Any) -> Any:
    """The identifier that a value is, or None."""
    if not isinstance(value, str) or len(value) != 36:
        return None
    try:
        return uuid.UUID(value)
    except ValueError:
        return None


def _row(entry: AuditEntry, names: _Names) -> AuditRow:
    actor = names.people.get(entry.actor_id) if entry.actor_id else None
    return AuditRow(
        id=entry.pk,
        at=entry.at,
        event=entry.event,
        label=str(Event(entry.event).label) if entry.event in Event.values else entry.event,
        actor_id=entry.actor_id,
        actor=names.person(entry.actor_id) if entry.actor_id else None,
        actor_email=actor.email if actor and not actor.is_erased else "",
        subject_kind=entry.subject_kind,
        subject_id=entry.subject_id,
        subject=_subject(entry, names),
        before={name: names.plain(value) for name, value in entry.before.items()},
        after={name: names.plain(value) for name, value in entry.after.items()},
        differences=tuple(_differences(entry, names)),
        origin=names.text(entry.origin),
        number=names.numbers.get(entry.pk),
    )


def _subject(entry: AuditEntry, names: _Names) -> str:
    """The name that the subject had then; a person's is the one they have now."""
    if entry.subject_name:
        return names.text(entry.subject_name)
    if entry.subject_id is None:
        return ""
    if entry.subject_kind == "person":
        return names.person(entry.subject_id)
    return names.teams.get(entry.subject_id, "")


def _differences(entry: AuditEntry, names: _Names) -> Iterable[Difference]:
    for name in sorted({*entry.before, *entry.after}):
        old, new = names.shown(entry.before.get(name)), names.shown(entry.after.get(name))
        if old != new:
            yield Difference(name.replace("_", " "), old, new)


def audit_actors(organization: Organization) -> tuple[PersonRef, ...]:
    """Members, by name: whom the log can be filtered by; at most as many as a list can show."""
    rows = Membership.objects.filter(organization=organization).select_related("person")
    ordered = rows.order_by("person__name", "person__email", "id")
    return tuple(reference(row.person) for row in ordered[:MOST_MATCHES])
