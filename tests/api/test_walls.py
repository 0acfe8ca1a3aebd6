"""Every route and every role, from inside and outside (targets R7): a route without a row fails."""

import re
import uuid

import pytest
from django.urls import URLPattern, get_resolver

from offload_portal.pages.api.documents import document
from orgs import services
from orgs.models import LicenseGrant, MemberRequest, Organization, PolicyOverride, Team
from orgs.services.overrides import OverrideChange, add_override
from orgs.services.requests import make_request
from tests import factories
from tests.factories import actor

pytestmark = pytest.mark.django_db

TEAM = uuid.UUID("0199c2a1-3f6e-7cc0-9d5e-0123456789ab")
POLICY = {"name": "Long", "teams": [str(TEAM)], "terms": {"longest_session_seconds": 7_200}}
BODIES = {
    ("post", "/organizations"): {"name": "New"},
    ("patch", "/me/preferences"): {"language": "en"},
    ("patch", "/organizations/{slug}"): {"name": "New"},
    ("post", "/organizations/{slug}/invitations"): {"emails": ["new@example.com"]},
    ("post", "/organizations/{slug}/members/actions"): {
        "act": "role",
        "role": "member",
        "persons": ["{person_id}"],
    },
    ("patch", "/organizations/{slug}/members/{person_id}"): {"role": "editor"},
    ("post", "/organizations/{slug}/teams"): {"name": "New"},
    ("patch", "/organizations/{slug}/teams/{team_id}"): {"name": "New"},
    ("post", "/organizations/{slug}/licenses/grants"): {"to": "all"},
    ("post", "/organizations/{slug}/subscription"): {"plan": "team"},
    ("patch", "/organizations/{slug}/subscription"): {"cancelled": True},
    ("post", "/organizations/{slug}/top-ups"): {"compute_seconds": 3_600},
    ("put", "/organizations/{slug}/limits"): {"mode": "unlimited"},
    ("post", "/sessions/{session_id}/activity"): {"sequence": 1, "api_calls": 1},
    ("post", "/sessions/{session_id}/prompt"): {"answer": "stay"},
    ("post", "/sessions/{session_id}/keep-alive"): {
        "label": "nightly",
        "until": "2026-03-11T13:00:00Z",
    },
}
BODIES[("post", "/organizations/{slug}/policies")] = POLICY
BODIES[("post", "/organizations/{slug}/requests")] = {"kind": "hours"}
BODIES[("patch", "/organizations/{slug}/requests/{request_id}")] = {"state": "declined"}
BODIES[("put", "/organizations/{slug}/policies/{policy_id}")] = POLICY
# (owner, editor, member, the session's own user); None: the route knows no roles.
OWNERS, SEERS, ALL = (1, 0, 0, 0), (1, 1, 0, 0), (1, 1, 1, 1)
ROLES = {
    ("get", "/me"): None,
    ("patch", "/me/preferences"): None,
    ("get", "/accounts"): None,
    ("get", "/plans"): None,
    ("post", "/organizations"): None,
    ("get", "/sessions"): None,
    ("post", "/sessions"): None,
    ("get", "/organizations/{slug}"): ALL,
    ("patch", "/organizations/{slug}"): OWNERS,
    ("get", "/organizations/{slug}/policy"): ALL,
    ("get", "/organizations/{slug}/requests"): ALL,
    ("post", "/organizations/{slug}/requests"): ALL,
    ("get", "/organizations/{slug}/requests/{request_id}"): (1, 1, 0, 1),
    ("patch", "/organizations/{slug}/requests/{request_id}"): OWNERS,
    ("get", "/organizations/{slug}/policies"): ALL,
    ("post", "/organizations/{slug}/policies"): OWNERS,
    ("get", "/organizations/{slug}/policies/{policy_id}"): (1, 1, 0, 1),
    ("put", "/organizations/{slug}/policies/{policy_id}"): OWNERS,
    ("delete", "/organizations/{slug}/policies/{policy_id}"): OWNERS,
    ("get", "/organizations/{slug}/members"): SEERS,
    ("get", "/organizations/{slug}/members.csv"): SEERS,
    ("post", "/organizations/{slug}/members/actions"): OWNERS,
    ("post", "/organizations/{slug}/members/actions/{change_id}/undo"): OWNERS,
    ("get", "/organizations/{slug}/members/{person_id}"): (1, 1, 0, 1),
    ("patch", "/organizations/{slug}/members/{person_id}"): OWNERS,
    # Everyone may leave.
    ("delete", "/organizations/{slug}/members/{person_id}"): (1, 0, 0, 1),
    ("get", "/organizations/{slug}/teams"): SEERS,
    ("post", "/organizations/{slug}/teams"): OWNERS,
    ("get", "/organizations/{slug}/teams/{team_id}"): SEERS,
    ("patch", "/organizations/{slug}/teams/{team_id}"): OWNERS,
    ("delete", "/organizations/{slug}/teams/{team_id}"): OWNERS,
    ("get", "/organizations/{slug}/licenses"): SEERS,
    ("get", "/organizations/{slug}/licenses/pool"): SEERS,
    ("get", "/organizations/{slug}/licenses/grants"): SEERS,
    ("post", "/organizations/{slug}/licenses/grants"): OWNERS,
    ("delete", "/organizations/{slug}/licenses/grants/{grant_id}"): OWNERS,
    ("get", "/organizations/{slug}/invitations"): SEERS,
    ("post", "/organizations/{slug}/invitations"): OWNERS,
    ("delete", "/organizations/{slug}/invitations/{invitation_id}"): OWNERS,
    ("post", "/organizations/{slug}/invitations/{invitation_id}/resend"): OWNERS,
    ("get", "/organizations/{slug}/audit"): SEERS,
    ("get", "/organizations/{slug}/audit.csv"): SEERS,
    ("get", "/organizations/{slug}/allowance"): ALL,
    ("get", "/organizations/{slug}/subscription"): ALL,
    ("post", "/organizations/{slug}/subscription"): OWNERS,
    ("patch", "/organizations/{slug}/subscription"): OWNERS,
    ("post", "/organizations/{slug}/top-ups"): OWNERS,
    ("get", "/organizations/{slug}/limits"): SEERS,
    ("put", "/organizations/{slug}/limits"): OWNERS,
    ("get", "/organizations/{slug}/limits/history"): SEERS,
    ("get", "/organizations/{slug}/usage"): ALL,
    ("get", "/organizations/{slug}/usage.csv"): ALL,
    ("get", "/organizations/{slug}/sessions.csv"): ALL,
    ("post", "/organizations/{slug}/sessions/stop-all"): OWNERS,
    ("get", "/sessions/{session_id}"): (1, 1, 0, 1),
    ("get", "/sessions/{session_id}/insights"): (1, 1, 0, 1),
    ("get", "/sessions/{session_id}/engine"): (0, 0, 0, 1),
    ("post", "/sessions/{session_id}/activity"): (0, 0, 0, 1),
    ("post", "/sessions/{session_id}/prompt"): (0, 0, 0, 1),
    ("post", "/sessions/{session_id}/keep-alive"): (0, 0, 0, 1),
    ("post", "/sessions/{session_id}/stop"): (1, 0, 0, 1),
}
# What the caller may do but the world doesn't allow just now.
NOT_NOW = {
    ("get", "/sessions/{session_id}/engine"): 409,
    ("post", "/organizations/{slug}/subscription"): 409,
    ("post", "/sessions/{session_id}/prompt"): 409,
}
WALLED = [route for route, roles in ROLES.items() if roles is not None]
IDS = [f"{method} {path}" for method, path in WALLED]


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
    Team.objects.create(id=TEAM, organization=organization, name="Nightly", created_at=at)
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


def call(caller, route, slug, named):
    method, path = route
    address = path.removeprefix("/").format(slug=slug, **named)
    if method == "delete" and any(word in path for word in ("/members/", "/teams/", "/grants/")):
        address += "?dry_run=true"  # so that the next one finds it, too
    return caller.call(method.upper(), address, _filled(BODIES.get(route), named))


def _filled(body, named):
    if isinstance(body, dict) and "persons" in body:
        return {**body, "persons": [text.format(**named) for text in body["persons"]]}
    return body


def test_every_documented_route_has_a_row():
    documented = {
        (method, path.removeprefix("/api/v1"))
        for path, operations in document()["paths"].items()
        for method in operations
    }
    assert documented == set(ROLES)


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


@pytest.mark.parametrize("route", WALLED, ids=IDS)
def test_outside_the_wall_foreign_and_unknown_say_the_same(
    api, stranger, organization, things, nothing, route
):
    caller = api(stranger)
    foreign = call(caller, route, organization.slug, things)
    unknown = call(caller, route, "no-such-place", nothing)
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content
    assert foreign.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("route", WALLED, ids=IDS)
def test_inside_the_wall_roles_hold(
    api, owner, editor, member, colleague, organization, things, route
):
    allowed = ROLES[route] or ()
    people = (owner, editor, colleague, member)
    for person, may in reversed(list(zip(people, allowed, strict=True))):
        answer = call(api(person), route, organization.slug, things)
        if may:
            assert answer.status_code in (200, 201, 204, NOT_NOW.get(route)), answer.content
        else:
            assert answer.status_code in (403, 404), (person, answer.content)


def test_an_organization_that_asks_for_a_second_factor_opens_nothing_without_one(
    api, owner, member, organization, things
):
    """Reads included, whoever it is; one's own running session goes on, others' do not open."""
    Organization.objects.update(requires_second_factor=True)
    for route in WALLED:
        own = route[1].startswith("/sessions/")
        for person in (owner, member):
            if own and (person == member or not (ROLES[route] or OWNERS)[0]):
                continue
            answer = call(api(person), route, organization.slug, things)
            found = (
                answer.status_code,
                answer.json()["code"],
                answer.json()["contacts"][0]["name"],
            )
            assert found == (403, "second_factor_required", "Olga Owner"), (route, person)
    assert api(owner).get("sessions").json()["results"] == []
    assert api(owner).get("me").status_code == 200
    assert api(owner).get("accounts").json()["results"][0]["code"] == "second_factor_required"
    assert len(api(member).get("sessions").json()["results"]) == 1
    factories.second_factor(owner)
    assert len(api(owner).get("sessions").json()["results"]) == 1
    assert api(member).post(f"sessions/{things['session_id']}/stop", {}).status_code == 200


@pytest.mark.parametrize("route", list(ROLES), ids=str)
def test_nothing_answers_without_a_token(nobody, organization, things, route):
    answer = call(nobody, route, organization.slug, things)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


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
