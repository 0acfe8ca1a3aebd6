"""Telling people: in the portal, and by e-mail where they want it. One function does both."""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import not_found
from orgs.enums import ALWAYS_BY_MAIL, NewsKind
from orgs.models import DeclinedMail, Notification, Organization, Person
from orgs.services.mails import Words, html_of_text, plain, sealed_letter, sealed_words
from orgs.services.outbox import Letter, post

Context = Mapping[str, Any]


def notify(
    *,
    kind: NewsKind,
    at: datetime,
    organization: Organization | None,
    people: Sequence[Person],
    context: Callable[[Person], Context],
    about: uuid.UUID | None = None,
    in_portal: Context | None = None,
) -> None:
    """Tell each of the people, inside the transaction of the change.

    `context` gives each person's facts for the text of the kind, `link` among them, absolute.
    `about` is the person whom the news names; `in_portal` replaces facts that only the mail has,
    since the portal keeps its copy longer.
    """
    reached = [person for person in people if person.is_active]
    if not reached:
        return
    silent = _declined(kind, reached)
    key = organization.pk if organization else None
    news, letters = [], []
    for person in reached:
        facts = context(person)
        news.append(_notification(kind, at, key, person, {**facts, **(in_portal or {})}, about))
        if person.pk not in silent:
            sealed = sealed_letter(kind, person.language, facts)
            letters.append(Letter(kind, person.email, sealed, key, person.pk))
    Notification.objects.bulk_create(news)
    post(letters, at)


def copy_to_billing_contact(
    *,
    kind: NewsKind,
    at: datetime,
    organization: Organization,
    people: Sequence[Person],
    facts: Context,
) -> None:
    """The same mail to the organization's billing contact, unless one of `people` has the address.

    It is nobody's account: there is no copy in the portal and nothing to decline.
    """
    to = organization.billing_contact
    if not to or any(person.email.lower() == to for person in people):
        return
    sealed = sealed_letter(kind, "", facts)
    post([Letter(kind, to, sealed, organization.pk)], at)


def _declined(kind: NewsKind, people: Sequence[Person]) -> Collection[uuid.UUID]:
    if kind in ALWAYS_BY_MAIL:
        return ()
    rows = DeclinedMail.objects.filter(person_id__in=[person.pk for person in people], kind=kind)
    return set(rows.order_by("id").values_list("person_id", flat=True))


def _notification(
    kind: NewsKind,
    at: datetime,
    organization_id: uuid.UUID | None,
    person: Person,
    facts: Context,
    about: uuid.UUID | None,
) -> Notification:
    link = str(facts.get("link", "")).removeprefix(settings.PORTAL_URL.rstrip("/"))
    return Notification(
        organization_id=organization_id,
        person=person,
        about_id=about,
        kind=kind,
        facts=plain(facts),
        link=link if link.startswith("/") else "/",
        at=at,
    )


def post_account_mail(*, at: datetime, to: str, subject: str, text: str, html: str = "") -> None:
    """Mail about somebody's account, whose words allauth has made; text alone gets our look."""
    page = html or html_of_text(subject, text)
    with transaction.atomic():
        post([Letter(NewsKind.ACCOUNT, to, sealed_words(Words(subject, text, page)))], at)


def read_one(*, actor: Actor, at: datetime, person: Person, notification_id: uuid.UUID) -> str:
    """Mark one's own news as read; the path that it leads to."""
    found = Notification.objects.of_person(person).filter(pk=notification_id).first()
    if found is None:
        raise not_found()
    Notification.objects.filter(pk=found.pk, read_at=None).update(read_at=at)
    return found.link


def read_all(*, actor: Actor, at: datetime, person: Person) -> int:
    """Mark all of one's news up to the instant as read; how many were not."""
    return Notification.objects.of_person(person).unread().filter(at__lte=at).update(read_at=at)


def choose_mail(
    *, actor: Actor, at: datetime, person: Person, by_mail: Collection[NewsKind]
) -> None:
    """Of the kinds that may be declined, those in `by_mail` come by e-mail and the others don't."""
    with transaction.atomic():
        DeclinedMail.objects.filter(person=person).delete()
        DeclinedMail.objects.bulk_create(
            DeclinedMail(person=person, kind=kind)
            for kind in NewsKind
            if kind not in ALWAYS_BY_MAIL and kind not in by_mail
        )


def decline_mail(*, actor: Actor, at: datetime, person_id: uuid.UUID, kind: NewsKind) -> None:
    """One kind of news no longer comes by e-mail."""
    if kind in ALWAYS_BY_MAIL or not Person.objects.filter(pk=person_id).exists():
        raise not_found()
    DeclinedMail.objects.get_or_create(person_id=person_id, kind=kind)
