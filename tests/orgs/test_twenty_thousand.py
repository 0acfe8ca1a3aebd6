"""An organization of 20,000: the same statements, and the last page like the first."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orgs.models import License, LicenseGrant, Membership, Organization, Person, Team, TeamMember

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
MANY, HELD = 20_000, 5_000


@pytest.fixture
def crowd(place, at):
    """20,000 members, half of them in a team that has access, with 5,000 licenses."""
    people = Person.objects.bulk_create(
        (
            Person(email=f"p{number:05}@example.com", name=f"Person {number:05}", joined_at=at)
            for number in range(MANY - 1)
        ),
        batch_size=2_000,
    )
    Membership.objects.bulk_create(
        (
            Membership(organization=place, person=person, joined_at=at + timedelta(seconds=number))
            for number, person in enumerate(people)
        ),
        batch_size=2_000,
    )
    team = Team.objects.create(organization=place, name="Everyone else", created_at=at)
    TeamMember.objects.bulk_create(
        (
            TeamMember(organization=place, team=team, person=person, joined_at=at)
            for person in people[::2]
        ),
        batch_size=2_000,
    )
    LicenseGrant.objects.create(organization=place, kind="team", team=team, granted_at=at)
    License.objects.bulk_create(
        (
            License(
                organization=place,
                person=person,
                state="held" if number < HELD else "queued",
                granted_at=at,
                held_since=at if number < HELD else None,
            )
            for number, person in enumerate(people[::2])
        ),
        batch_size=2_000,
    )
    Organization.objects.filter(pk=place.pk).update(licenses=HELD, licenses_held=HELD)
    return team


def statements(client, url):
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url)
    assert answer.status_code == 200, url
    return len(queries)


PATHS = [
    "members/",
    "members/?sort=-last_session&used=never",
    "members/?sort=last_sign_in&access=held",
    "members/?q=person+19",
    "teams/",
    "teams/{team}/",
    "access/",
    "members/invitations/",
]


def test_lists_and_acts_of_an_organization_of_twenty_thousand(
    crowd, place, owner, client_of, django_assert_max_num_queries
):
    client, here = client_of(owner), f"/organizations/{place.slug}/"
    for path in PATHS:
        url = here + path.format(team=crowd.pk)
        assert statements(client, url) <= 15, path
    walk(client, f"{here}members/", django_assert_max_num_queries)
    act_on_all(client, f"{here}members/act/")


def walk(client, url, at_most):
    """A thousand members by twenty pages: each once, each page for the same price."""
    seen: set[uuid.UUID] = set()
    query = "?q=person+0&sort=joined"
    while len(seen) < 1_000:
        with at_most(15):
            page = client.get(url + query).context["page"]
        ids = {row.person_id for row in page.rows}
        assert not ids & seen
        seen |= ids
        query = page.next_url


def act_on_all(client, url):
    """Everyone who matches a filter: seen first, then done, in a fixed number of statements."""
    asked = {"everyone": "yes", "query": "access=queued", "act": "role", "role": "editor"}
    look = client.post(url, {**asked, "chosen": "yes"})
    assert look.context["count"] == MANY // 2 - HELD
    assert Membership.objects.filter(role="editor").count() == 0
    done = client.post(url, {**asked, "confirmed": look.context["step"].seal})
    assert done.status_code == 302
    assert Membership.objects.filter(role="editor").count() == MANY // 2 - HELD
