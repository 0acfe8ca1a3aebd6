"""What is another organization's is unknown, wherever it is named (targets R7).

Every route for every role: tests/pages/test_routes.py.
"""

import re
import uuid

import pytest
from django.urls import URLPattern, get_resolver

from offload_portal.pages.api.documents import document
from orgs import services
from orgs.models import LicenseGrant, MemberRequest, PolicyOverride
from orgs.services.overrides import OverrideChange, add_override
from orgs.services.requests import make_request
from tests.factories import actor
from tests.pages import route_worlds

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(api, owner, member, organization, at):
    """A session of the member's, for whom there is a policy too."""
    change = OverrideChange("Long", {"longest_session_seconds": 3_600}, (), [member.pk])
    add_override(actor=actor(owner), at=at, organization=organization, change=change)
    make_request(
        actor=actor(member),
        at=at,
        organization=organization,
        person=member,
        kind="session_length",
        wanted_seconds=2 * 3_600,
    )
    started = api(member).post("sessions", {"organization": organization.slug})
    return started.json()["id"]


@pytest.fixture
def things(session, organization, owner, member, at):
    """What paths and bodies name, by its name there."""
    order = {"actor": actor(owner), "at": at, "organization": organization}
    people = [member.pk]
    team = services.create_team(name="Web", person_ids=people, **order)
    invited = services.invite(emails=["invited@example.com"], **order)
    change = services.add_many_to_team(person_ids=[owner.pk], team_id=team.pk, **order)
    return {
        "session_id": session,
        "policy_id": PolicyOverride.objects.get(organization=organization).pk,
        "request_id": MemberRequest.objects.get(organization=organization).pk,
        "person_id": member.pk,
        "team_id": team.pk,
        "change_id": change.undo_id,
        "invitation_id": invited.sent[0].invitation.pk,
        "grant_id": LicenseGrant.objects.get(organization=organization, person=member).pk,
    }


@pytest.fixture
def nothing(things):
    """The same names for what does not exist."""
    return {name: uuid.uuid4() for name in things}


def test_every_documented_route_has_its_rows_in_the_table_of_routes():
    documented = {
        (method.upper(), path)
        for path, operations in document()["paths"].items()
        for method in operations
    }
    rows = {row for row in route_worlds.read() if row[1].startswith("/api/v1/")}
    undocumented = {"/api/v1/", "/api/v1/schema", "/api/v1/docs"}
    assert {row for row in rows if row[1] not in undocumented} == documented


def test_every_route_is_documented():
    resolver = get_resolver("offload_portal.pages.api.urls")
    found = {str(route.pattern) for route in flat(resolver.url_patterns)}
    paths = {path.removeprefix("/api/v1/") for path in document()["paths"]}
    known = {path.replace("<slug:slug>", "{slug}") for path in found}
    known = {re.sub(r"<uuid:(\w+)>", r"{\1}", path) for path in known}
    assert known - paths == {"schema", "docs", ""}


def flat(patterns):
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        else:
            yield from flat(pattern.url_patterns)


def test_starting_in_a_foreign_organization_is_404(api, stranger, organization):
    caller = api(stranger)
    foreign = caller.post("sessions", {"organization": organization.slug})
    unknown = caller.post("sessions", {"organization": "no-such-place"})
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content


def test_preferring_a_foreign_organization_is_404(api, stranger, organization):
    caller = api(stranger)
    for slug in (organization.slug, "no-such-place"):
        answer = caller.patch("me/preferences", {"default_organization": slug})
        assert answer.status_code == 404


def test_who_was_removed_sees_nothing_any_more(api, owner, member, organization, session, at):
    caller = api(member)
    services.remove_member(actor=actor(owner), at=at, organization=organization, person=member)
    assert caller.get(f"organizations/{organization.slug}").status_code == 404
    assert caller.get(f"sessions/{session}").status_code == 404
    assert caller.get("sessions").json()["results"] == []


FOREIGN = [
    ("get", "teams/{team_id}", None),
    ("patch", "teams/{team_id}", {"name": "Mine"}),
    ("delete", "teams/{team_id}", None),
    ("delete", "licenses/grants/{grant_id}", None),
    ("delete", "invitations/{invitation_id}", None),
    ("post", "invitations/{invitation_id}/resend", None),
    ("post", "members/actions/{change_id}/undo", None),
    ("get", "members/{person_id}", None),
    ("patch", "members/{person_id}", {"role": "owner"}),
    ("delete", "members/{person_id}", None),
    ("get", "policies/{policy_id}", None),
    ("delete", "policies/{policy_id}", None),
    ("get", "requests/{request_id}", None),
    ("patch", "requests/{request_id}", {"state": "declined"}),
    ("post", "teams", {"name": "Mine", "persons": ["{person_id}"]}),
    ("post", "members/actions", {"act": "remove", "persons": ["{person_id}"]}),
    ("post", "members/actions", {"act": "take", "persons": ["{person_id}"]}),
    ("post", "licenses/grants", {"to": "team", "team": "{team_id}"}),
    ("post", "licenses/grants", {"to": "persons", "persons": ["{person_id}"]}),
    ("post", "invitations", {"emails": ["a@example.com"], "team": "{team_id}"}),
]


@pytest.mark.parametrize(("method", "path", "body"), FOREIGN, ids=str)
def test_another_organizations_identifiers_are_unknown_in_ones_own(
    api, stranger, things, nothing, at, method, path, body
):
    """An owner who names what is another organization's, in the path or in the body."""
    own = services.create_organization(actor=actor(stranger), at=at, person=stranger, name="Other")
    answers = []
    for named in (things, nothing):
        filled = {
            key: [text.format(**named) for text in value]
            if isinstance(value, list)
            else value.format(**named)
            for key, value in (body or {}).items()
        }
        address = f"organizations/{own.slug}/{path.format(**named)}"
        answers.append(api(stranger).call(method.upper(), address, filled or None))
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_a_foreign_team_as_a_filter_does_not_tell_who_is_in_it(
    api, stranger, owner, member, organization, things, at
):
    own = services.create_organization(actor=actor(stranger), at=at, person=stranger, name="Other")
    order = {"actor": actor(stranger), "at": at, "organization": own}
    token = services.invite(emails=[member.email], **order).sent[0].token
    services.accept_invitation(actor=actor(member), at=at, token=token, person=member)
    found = api(stranger).get(f"organizations/{own.slug}/members?team={things['team_id']}")
    assert found.json()["results"] == []
    here = api(owner).get(f"organizations/{organization.slug}/members?team={things['team_id']}")
    assert len(here.json()["results"]) == 2
