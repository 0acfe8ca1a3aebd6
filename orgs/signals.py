"""What allauth tells of second factors becomes audit entries (rule 7)."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from offload_portal.api.views import origin_of
from offload_portal.common.actors import Actor
from offload_portal.common.periods import cut_to_second
from orgs.enums import Event
from orgs.models import Person
from orgs.services import audit


@receiver(authenticator_added)
def added(request: HttpRequest, user: Person, authenticator: Authenticator, **more: Any) -> None:
    _note(Event.SECOND_FACTOR_ADDED, request, user, authenticator)


@receiver(authenticator_removed)
def removed(request: HttpRequest, user: Person, authenticator: Authenticator, **more: Any) -> None:
    _note(Event.SECOND_FACTOR_REMOVED, request, user, authenticator)


def _note(event: Event, request: HttpRequest, person: Person, authenticator: Authenticator) -> None:
    audit.record(
        event=event,
        actor=Actor(person.pk, origin_of(request)),
        at=cut_to_second(timezone.now()),
        organization_id=None,
        subject=("person", person.pk),
        after={"kind": str(authenticator.type)},
    )
