"""What a change of policies, teams or members does to what holds for single people.

`following` compares before and after: whoever gets other terms gets a new version, and who has a
license and is switched off has lost access (rules 6 and 14).
"""

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from offload_portal.common.actors import PORTAL
from orgs.enums import Event, NewsKind, OffloadSwitch
from orgs.models import (
    AccessLoss,
    License,
    Organization,
    Person,
    Policy,
    PolicyMark,
    PolicyOverride,
)
from orgs.selectors.policies import own_values
from orgs.services import audit
from orgs.services.locking import lock
from orgs.services.mails import portal_link
from orgs.services.news import notify

logger = logging.getLogger(__name__)

# Only this switch takes access away: `disabled` is the client's default, which its user may turn.
SWITCHED_OFF = OffloadSwitch.ALWAYS_DISABLED
ONE_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Held:
    """What holds for everyone, and for those who have terms of their own."""

    base: Mapping[str, Any]
    own: Mapping[uuid.UUID, Mapping[str, Any]]

    def of(self, person_id: uuid.UUID) -> Mapping[str, Any]:
        return self.own.get(person_id, self.base)

    def is_off(self, person_id: uuid.UUID) -> bool:
        return bool(self.of(person_id)["offload"] == SWITCHED_OFF)


def held(organization: Organization, at: datetime) -> Held:
    return Held(*own_values(organization, at))


@contextmanager
def following(organization: Organization, at: datetime) -> Iterator[None]:
    """Around a change within the locked organization."""
    before = held(organization, at)
    yield
    compare(organization, at, before, held(organization, at))


def compare(organization: Organization, at: datetime, before: Held, after: Held) -> None:
    """Give new versions to those whose terms changed; write losses of access down, at `at`."""
    concerned = {*before.own, *after.own}
    changed = [person for person in concerned if before.of(person) != after.of(person)]
    if before.base != after.base:
        # Everyone's version rises with the organization's policy.
        changed = []
    _mark(organization, changed)
    _lose_access(organization, at, before, after)


def next_version(organization: Organization) -> int:
    """The next number of the organization's counter; the organization is locked."""
    policy = Policy.objects.select_for_update().get(organization=organization)
    policy.last_version += 1
    policy.save(update_fields=["last_version"])
    return policy.last_version


def _mark(organization: Organization, people: list[uuid.UUID]) -> None:
    if not people:
        return
    version = next_version(organization)
    PolicyMark.objects.bulk_create(
        [
            PolicyMark(organization=organization, person_id=person, version=version)
            for person in sorted(people)
        ],
        update_conflicts=True,
        unique_fields=["organization", "person"],
        update_fields=["version"],
    )


def switched_off(organization: Organization, before: Held, after: Held) -> list[uuid.UUID]:
    """License holders who may work before and not after, in order of grant."""
    if before == after:
        return []
    holders = License.objects.held().filter(organization=organization)
    people = holders.order_by("granted_at", "id").values_list("person_id", flat=True)
    return [person for person in people if after.is_off(person) and not before.is_off(person)]


def _lose_access(organization: Organization, at: datetime, before: Held, after: Held) -> None:
    lost = switched_off(organization, before, after)
    AccessLoss.objects.bulk_create(
        AccessLoss(organization=organization, person_id=person, at=at, cause="policy_off")
        for person in lost
    )
    if not lost:
        return
    people = Person.objects.in_bulk(lost)
    facts = {
        "organization": organization.name,
        "link": portal_link("orgs:own_policy", organization.slug),
    }
    notify(
        kind=NewsKind.OFFLOAD_OFF,
        at=at,
        organization=organization,
        people=[people[key] for key in lost if key in people],
        context=lambda person: {**facts, "person": person.shown_name},
    )


def end_overrides(organization: Organization, at: datetime) -> None:
    """Write down the overrides of the locked organization that have ended by `at`.

    Each counts from its own instant, however late this is.
    """
    due = list(PolicyOverride.objects.filter(organization=organization).ended(at))
    for instant in sorted({each.until for each in due if each.until}):
        before = held(organization, instant - ONE_INSTANT)
        after = held(organization, instant)
        PolicyOverride.objects.filter(organization=organization, until=instant).update(ended_at=at)
        compare(organization, instant, before, after)
    audit.record_many(
        event=Event.POLICY_ENDED,
        actor=PORTAL,
        at=at,
        organization_id=organization.pk,
        subjects=[("policy", each.pk) for each in due],
    )


def end_overrides_everywhere(*, at: datetime) -> int:
    """Write down every override that has ended by now; in how many organizations.

    Runs with each sweep; twice, late or from two workers at once changes nothing.
    """
    due = PolicyOverride.objects.all().ended(at).order_by("organization_id")
    done = 0
    for organization_id in due.values_list("organization_id", flat=True).distinct():
        try:
            with transaction.atomic():
                end_overrides(lock(organization_id), at)
            done += 1
        except Exception:  # one organization's fault must not stop the others
            logger.exception("Policies of organization %s could not be ended", organization_id)
    return done
