"""News in the portal, what of it comes by e-mail, and mail that could not be sent."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from orgs.enums import ALWAYS_BY_MAIL, FOR_OWNERS, NewsKind, Role
from orgs.models import DeclinedMail, Membership, Notification, Organization, OutgoingMail, Person

PAGE_SIZE = 30
MOST_COUNTED = 99
MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class NewsRow:
    """One piece of news; its words are made from `kind` and `facts` when it is shown."""

    id: uuid.UUID
    kind: NewsKind
    facts: Mapping[str, Any]
    organization: str
    at: datetime
    read: bool


@dataclass(frozen=True, slots=True)
class NewsPage:
    """Newest first; `older` is the identifier after which the next page begins."""

    rows: tuple[NewsRow, ...]
    older: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class MailKind:
    """A kind of news and whether it comes by e-mail; `fixed` says that one can't decline it."""

    kind: NewsKind
    by_mail: bool
    fixed: bool


@dataclass(frozen=True, slots=True)
class TroubledMail:
    """A message that could not be sent. `next_attempt_at` is None once it was given up."""

    id: uuid.UUID
    kind: NewsKind
    to: str
    created_at: datetime
    attempts: int
    next_attempt_at: datetime | None
    last_error: str


def unread_count(person: Person) -> int:
    """How many news the person has not read, counted up to 99."""
    rows = Notification.objects.filter(person=person).unread().order_by()
    return rows.values("pk").order_by("pk")[:MOST_COUNTED].count()


def news_page(person: Person, after: uuid.UUID | None = None) -> NewsPage:
    """A page of the person's news, at most 30."""
    rows = Notification.objects.of_person(person).select_related("organization")
    last = Notification.objects.filter(person=person, pk=after).first() if after else None
    if last is not None:
        rows = rows.filter(Q(at__lt=last.at) | Q(at=last.at, id__lt=last.pk))
    found = list(rows[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    older = shown[-1].pk if len(found) > PAGE_SIZE else None
    return NewsPage(tuple(_row(each) for each in shown), older)


def _row(row: Notification) -> NewsRow:
    return NewsRow(
        id=row.pk,
        kind=NewsKind(row.kind),
        facts=row.facts,
        organization=row.organization.name if row.organization else "",
        at=row.at,
        read=row.read_at is not None,
    )


def mail_kinds(person: Person) -> tuple[MailKind, ...]:
    """Every kind that may concern the person, and whether it comes by e-mail."""
    declined = set(
        DeclinedMail.objects.filter(person=person).order_by("id").values_list("kind", flat=True)
    )
    owner = Membership.objects.filter(person=person, role=Role.OWNER).exists()
    return tuple(
        MailKind(kind, kind not in declined or kind in ALWAYS_BY_MAIL, kind in ALWAYS_BY_MAIL)
        for kind in NewsKind
        if owner or kind not in FOR_OWNERS
    )


def troubled_mail(organization: Organization) -> tuple[TroubledMail, ...]:
    """The organization's messages that could not be sent so far, newest first, at most 100."""
    rows = OutgoingMail.objects.troubled().filter(organization=organization)
    return tuple(
        TroubledMail(
            id=row.pk,
            kind=NewsKind(row.kind),
            to=row.to,
            created_at=row.created_at,
            attempts=row.attempts,
            next_attempt_at=row.next_attempt_at if row.state == "waiting" else None,
            last_error=row.last_error,
        )
        for row in rows[:MOST_SHOWN]
    )


def troubled_count(organization: Organization) -> int:
    return OutgoingMail.objects.troubled().filter(organization=organization).count()
