"""A thousand running sessions, for the test of those who wait; `manage.py shell` runs it there."""

import json

from django.utils import timezone

from offload_portal.api.etags import weak
from offload_portal.common.identifiers import uuid7
from offload_portal.common.periods import cut_to_second
from orgs.enums import Scope
from orgs.models import Membership, Person
from orgs.services.tokens import issue_token
from sessions.models import Pulse, Session
from sessions.selectors.versions import versions
from tests import factories
from tests.sessions.lives import start

CROWD = 998
# So long the crowd's sessions stay as they are by themselves.
HOURS = 7_200


def make() -> str:
    """JSON: the owner's token, and [id, tag] of the crowd's sessions and of two of their own."""
    at = cut_to_second(timezone.now())
    owner = factories.person("Olga Owner", "olga@waiting.example")
    acme = factories.subscribed_organization(owner, at=at)
    other = factories.subscribed_organization(owner, at=at, name="Other")
    own = start(acme, owner, at, idle_timeout_seconds=10)
    crowd = [Person(id=uuid7(), email=f"p{n}@waiting.example") for n in range(CROWD)]
    Person.objects.bulk_create(crowd)
    Membership.objects.bulk_create(
        Membership(organization=other, person=person, role="member", joined_at=at)
        for person in crowd
    )
    pattern = start(other, owner, at)
    kept = {field.attname: getattr(pattern, field.attname) for field in Session._meta.fields}
    kept |= {"idle_end_seconds": HOURS, "reserved_compute_seconds": 0}
    sessions = [Session(**{**kept, "id": uuid7(), "person_id": person.id}) for person in crowd]
    Session.objects.bulk_create(sessions)
    Pulse.objects.bulk_create(Pulse(session=one, organization=other) for one in sessions)
    token = issue_token(
        actor=factories.actor(owner), at=at, name="waiting",
        scopes=[str(Scope.SESSIONS), str(Scope.ORG_READ)], person=owner,
    ).value  # fmt: skip
    tags = versions([own.id, pattern.id, *(one.id for one in sessions)], at)
    told = {str(key): weak(f"{key}.{version.text}") for key, version in tags.items()}
    return json.dumps({"token": token, "clock": str(own.id), "tags": told})
