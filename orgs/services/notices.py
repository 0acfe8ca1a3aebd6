"""Who is told when licenses are given, waited for and lost (product.md rules 4 and 5)."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orgs.enums import NewsKind
from orgs.models import Invitation, Membership, Organization, Person
from orgs.selectors.access import standing
from orgs.services.licensing import Settled
from orgs.services.mails import portal_link
from orgs.services.news import notify


def tell(organization: Organization, done: Settled) -> None:
    """Tell everyone concerned, in the transaction of the change; owners learn who waits."""
    if done.at is None:
        return
    keys = {*done.given, *done.queued, *done.lost, *done.back_to_queue}
    if not keys:
        return
    people = Person.objects.in_bulk(keys)
    back = set(done.back_to_queue)

    def facts(person: Person) -> Mapping[str, Any]:
        return {
            "organization": organization.name,
            "person": person.shown_name,
            "waits": person.pk in back,
            "link": portal_link("pages:overview", organization.slug)
            if person.pk not in done.lost
            else portal_link("pages:organizations"),
        }

    for kind, told in (
        (NewsKind.LICENSE_GIVEN, done.given),
        (NewsKind.LICENSE_QUEUED, done.queued),
        (NewsKind.LICENSE_LOST, [*done.lost, *done.back_to_queue]),
    ):
        chosen = _chosen(people, told)
        notify(kind=kind, at=done.at, organization=organization, people=chosen, context=facts)
    _tell_owners(organization, done, _chosen(people, [*done.queued, *done.back_to_queue]))


def _chosen(people: Mapping[uuid.UUID, Person], keys: Sequence[uuid.UUID]) -> list[Person]:
    return [people[key] for key in keys if key in people]


def tell_inviter(
    organization: Organization, invitation: Invitation, person: Person, at: datetime
) -> None:
    """Who invited learns that it was accepted, and what became of the license (rule 3)."""
    if invitation.invited_by_id is None:
        return
    inviters = Membership.objects.for_organization(organization).filter(
        person_id=invitation.invited_by_id
    )
    told = [row.person for row in inviters.exclude(person=person).select_related("person")]
    if not told:
        return
    found = standing(organization, person, at)
    facts = {
        "organization": organization.name,
        "person": person.shown_name,
        "role": invitation.role,
        "wanted": invitation.with_license,
        "state": found.license_state,
        "place": found.queue_place,
        "link": portal_link("pages:member", organization.slug, person.pk),
    }
    notify(
        kind=NewsKind.INVITATION_ACCEPTED,
        at=at,
        organization=organization,
        people=told,
        context=lambda _person: facts,
        about=person.pk,
    )


def owners_of(organization: Organization) -> list[Person]:
    """Those who are told what only owners can change."""
    rows = Membership.objects.for_organization(organization).owners().select_related("person")
    return [row.person for row in rows]


def _tell_owners(organization: Organization, done: Settled, waiting: Sequence[Person]) -> None:
    if not waiting or done.at is None:
        return
    context = {
        "organization": organization.name,
        "count": len(waiting),
        "names": [person.shown_name for person in waiting[:10]],
        "more": max(len(waiting) - 10, 0),
        "licenses": organization.licenses,
        "link": portal_link("orgs:access", organization.slug),
    }
    notify(
        kind=NewsKind.LICENSES_WANTED,
        at=done.at,
        organization=organization,
        people=owners_of(organization),
        context=lambda _person: context,
        in_portal={"names": [], "more": 0},
    )
