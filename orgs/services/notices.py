"""Who is told when licenses are given, waited for and lost (product.md rules 4 and 5)."""

from collections.abc import Iterable, Iterator, Sequence

from django.conf import settings

from orgs.models import Membership, Organization, Person
from orgs.services.licensing import Settled
from orgs.services.mails import Letter, portal_link, send_after_commit


def tell(organization: Organization, done: Settled) -> None:
    """Tell everyone concerned once the change is committed; owners learn who waits."""
    if done.given or done.queued or done.lost or done.back_to_queue:
        send_after_commit(lambda: _letters(organization, done))


def _letters(organization: Organization, done: Settled) -> Iterator[Letter]:
    concerned = (
        ("license_given", done.given),
        ("license_queued", done.queued),
        ("license_lost", [*done.lost, *done.back_to_queue]),
    )
    people = Person.objects.in_bulk({key for _name, keys in concerned for key in keys})
    back = set(done.back_to_queue)
    for name, keys in concerned:
        for key in keys:
            if key in people:
                yield _letter(name, organization, people[key], waits=key in back)
    waiting = [people[key] for key in (*done.queued, *done.back_to_queue) if key in people]
    yield from _to_owners(organization, waiting)


def _letter(name: str, organization: Organization, person: Person, *, waits: bool) -> Letter:
    context = {
        "organization": organization.name,
        "person": person.shown_name,
        "waits": waits,
        "link": settings.PORTAL_URL,
    }
    return Letter(name, person.email, person.language, context)


def _to_owners(organization: Organization, waiting: Sequence[Person]) -> Iterable[Letter]:
    if not waiting:
        return
    owners = Membership.objects.for_organization(organization).owners().select_related("person")
    context = {
        "organization": organization.name,
        "count": len(waiting),
        "names": [person.shown_name for person in waiting[:10]],
        "more": max(len(waiting) - 10, 0),
        "licenses": organization.licenses,
        "link": portal_link("orgs:access", organization.slug),
    }
    for owner in owners:
        person = owner.person
        yield Letter("licenses_wanted", person.email, person.language, context)
