"""An organization of 20,000: the same statements, and the last page like the first."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orgs.models import (
    AuditEntry,
    Invitation,
    License,
    LicenseGrant,
    MemberRequest,
    Membership,
    Organization,
    Person,
    Team,
    TeamMember,
)
from tests.api.conftest import issue

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
MANY, HELD = 20_000, 5_000


@pytest.fixture
def crowd(place, at):
    """20,000 members, half of them in a team that has access, with 5,000 licenses."""
    team = Team.objects.create(organization=place, name="Everyone else", created_at=at)
    LicenseGrant.objects.create(organization=place, kind="team", team=team, granted_at=at)
    joined(place, team, range(MANY - 1), at)
    Organization.objects.filter(pk=place.pk).update(licenses=HELD, licenses_held=HELD)
    return team


def joined(place, team, numbers, at):
    """People with these numbers, every second of them in the team and with a license, or waiting.

    Each has been invited, has asked for something, stands in the audit log and has had a session.
    """
    people = Person.objects.bulk_create(
        (
            Person(email=f"p{number:05}@example.com", name=f"Person {number:05}", joined_at=at)
            for number in numbers
        ),
        batch_size=2_000,
    )
    half = [(number, person) for number, person in zip(numbers, people, strict=True)][::2]
    rows = [
        Membership(organization=place, person=person, joined_at=at + timedelta(seconds=number))
        for number, person in zip(numbers, people, strict=True)
    ]
    Membership.objects.bulk_create(rows, batch_size=2_000)
    TeamMember.objects.bulk_create(
        (
            TeamMember(organization=place, team=team, person=person, joined_at=at)
            for _number, person in half
        ),
        batch_size=2_000,
    )
    License.objects.bulk_create(
        (
            License(
                organization=place,
                person=person,
                state="held" if number < 2 * HELD else "queued",
                granted_at=at,
                held_since=at if number < 2 * HELD else None,
            )
            for number, person in half
        ),
        batch_size=2_000,
    )
    Invitation.objects.bulk_create(
        (
            Invitation(
                organization=place,
                email=f"i{number:05}@example.com",
                token_digest=f"{number:064}",
                created_at=at,
                sent_at=at,
                expires_at=at + timedelta(days=14),
            )
            for number in numbers
        ),
        batch_size=2_000,
    )
    MemberRequest.objects.bulk_create(
        (
            MemberRequest(organization=place, person=person, kind="access", created_at=at)
            for person in people
        ),
        batch_size=2_000,
    )
    AuditEntry.objects.bulk_create(
        (
            AuditEntry(
                organization_id=place.pk,
                at=at,
                actor_id=person.pk,
                event="member.joined",
                subject_kind="person",
                subject_id=person.pk,
            )
            for person in people
        ),
        batch_size=2_000,
    )


def statements(client, url):
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url)
    assert answer.status_code == 200, url
    return len(queries)


# Pages and endpoints of the API that list people, or what people made.
AUDIT = {"/organizations/{slug}/audit/", "/api/v1/organizations/{slug}/audit"}
LISTS = [
    "/organizations/{slug}/members/",
    "/organizations/{slug}/members/?access=none",
    "/organizations/{slug}/members/invitations/",
    "/organizations/{slug}/teams/",
    "/organizations/{slug}/teams/{team}/",
    "/organizations/{slug}/access/",
    "/organizations/{slug}/policy/",
    "/organizations/{slug}/requests/",
    "/organizations/{slug}/audit/",
    "/organizations/{slug}/webhooks/",
    "/organizations/{slug}/mail/",
    "/api/v1/accounts",
    "/api/v1/organizations/{slug}/members",
    "/api/v1/organizations/{slug}/teams",
    "/api/v1/organizations/{slug}/teams/{team}",
    "/api/v1/organizations/{slug}/licenses",
    "/api/v1/organizations/{slug}/licenses/pool",
    "/api/v1/organizations/{slug}/licenses/grants",
    "/api/v1/organizations/{slug}/invitations",
    "/api/v1/organizations/{slug}/policies",
    "/api/v1/organizations/{slug}/requests",
    "/api/v1/organizations/{slug}/audit",
    "/api/v1/organizations/{slug}/webhooks",
    "/api/v1/sessions?organization={slug}",
]
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


def test_each_list_takes_the_same_statements_for_1_20_and_20_000_people(
    place, owner, client_of, at
):
    """Of one person there is less to ask for, so that may be fewer; so it is where the newest
    entries of the audit log speak of nobody."""
    team = Team.objects.create(organization=place, name="Everyone else", created_at=at)
    LicenseGrant.objects.create(organization=place, kind="team", team=team, granted_at=at)
    browser, caller = (
        client_of(owner),
        Client(headers={"Authorization": f"Bearer {issue(owner, at)}"}),
    )
    names = {"slug": place.slug, "team": team.pk}

    def taken():
        return {
            path: statements(caller if path.startswith("/api") else browser, path.format(**names))
            for path in LISTS
        }

    taken()  # the first look at a page fills what is kept for all
    one = taken()
    joined(place, team, range(19), at)
    twenty = taken()
    joined(place, team, range(19, MANY - 1), at)
    many = taken()
    assert {path for path in LISTS if many[path] != twenty[path]} <= AUDIT
    assert all(many[path] <= twenty[path] for path in AUDIT)
    assert [path for path in LISTS if one[path] > twenty[path]] == []
    assert {path: count for path, count in twenty.items() if count > 15} == {}


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
