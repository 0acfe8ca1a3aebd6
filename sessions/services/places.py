"""A place on an engine host for a session, or one in the queue for it (rule 26)."""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.locks import lock_alone
from offload_portal.common.refusals import Refusal
from orgs.models import Organization, Person
from sessions.engines.announcements import announced_capacity
from sessions.models import Engine, Session, StartTicket
from sessions.models.engine import ASK_AGAIN_SECONDS, PATIENCE

EXTERNAL, LOCAL = "external", "local"
# Everybody who wants a place on a host comes through one at a time.
QUEUE = uuid.UUID("00000000-0000-7000-8000-656e67696e65")


class NoPlaceError(Exception):
    """Every engine host is full, or none lives."""


def provider_now(at: datetime) -> str:
    """Who provides the engine of a session that starts now."""
    if settings.ENGINE_PROVIDER == "auto":
        return EXTERNAL if announced_capacity(at) is None else LOCAL
    return str(settings.ENGINE_PROVIDER)


def claim(*, at: datetime, organization: Organization, person: Person) -> None:
    """Make sure of a place until the transaction ends, or raise NoPlaceError.

    Those who were told to come again go first, in the order in which they first asked.
    """
    lock_alone(QUEUE)
    capacity = announced_capacity(at) or 0
    taken = Engine.objects.there().count()
    if capacity - taken <= _ahead(at, organization, person):
        raise NoPlaceError
    StartTicket.objects.filter(organization=organization, person=person).delete()


def _waiting(at: datetime) -> list[StartTicket]:
    return list(StartTicket.objects.still_asking(at).order_by("asked_at", "id"))


def _ahead(at: datetime, organization: Organization, person: Person) -> int:
    """How many wait before this person; all of them where they have no ticket yet."""
    waiting = _waiting(at)
    for place, ticket in enumerate(waiting):
        if ticket.person_id == person.pk and ticket.organization_id == organization.pk:
            return place
    return len(waiting)


@transaction.atomic
def queue_up(*, at: datetime, organization: Organization, person: Person) -> Refusal:
    """Keep a place in the queue; gives the refusal that tells it."""
    lock_alone(QUEUE)
    StartTicket.objects.filter(seen_at__lte=at - PATIENCE).delete()
    StartTicket.objects.update_or_create(
        organization=organization,
        person=person,
        defaults={"seen_at": at},
        create_defaults={"asked_at": at, "seen_at": at},
    )
    place = _ahead(at, organization, person) + 1
    sentence = _(
        "Every engine is in use. You are number %(place)s in the queue; ask again in %(seconds)s "
        "seconds and the place is kept."
    ) % {"place": place, "seconds": ASK_AGAIN_SECONDS}
    return Refusal(
        "engine_unavailable",
        sentence,
        503,
        {"queue_place": place},
        retry_after=ASK_AGAIN_SECONDS,
    )


def want_engine(session: Session, at: datetime) -> None:
    """From here on the engine host sees that an engine is wanted."""
    Engine.objects.create(
        session=session,
        organization_id=session.organization_id,
        provider=session.provider,
        asked_at=at,
    )
