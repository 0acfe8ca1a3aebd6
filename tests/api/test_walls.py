"""Every route and every role, from inside and outside (targets R7): a route without a row fails."""

import re
import uuid

import pytest
from django.urls import URLPattern, get_resolver

from offload_portal.pages.api.documents import document
from orgs.models import PolicyOverride, Team
from orgs.services.overrides import OverrideChange, add_override
from tests.factories import actor

pytestmark = pytest.mark.django_db

TEAM = uuid.UUID("0199c2a1-3f6e-7cc0-9d5e-0123456789ab")
POLICY = {"name": "Long", "teams": [str(TEAM)], "terms": {"longest_session_seconds": 7_200}}
BODIES = {
    ("post", "/organizations"): {"name": "New"},
    ("patch", "/me/preferences"): {"language": "en"},
    ("patch", "/organizations/{slug}"): {"name": "New"},
    ("post", "/organizations/{slug}/invitations"): {"emails": ["new@example.com"]},
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
    ("get", "/organizations/{slug}/policies"): ALL,
    ("post", "/organizations/{slug}/policies"): OWNERS,
    ("get", "/organizations/{slug}/policies/{policy_id}"): (1, 1, 0, 1),
    ("put", "/organizations/{slug}/policies/{policy_id}"): OWNERS,
    ("delete", "/organizations/{slug}/policies/{policy_id}"): OWNERS,
    ("get", "/organizations/{slug}/members"): SEERS,
    ("get", "/organizations/{slug}/licenses"): SEERS,
    ("get", "/organizations/{slug}/invitations"): SEERS,
    ("post", "/organizations/{slug}/invitations"): OWNERS,
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
    Team.objects.create(id=TEAM, organization=organization, name="Nightly", created_at=at)
    add_override(actor=actor(owner), at=at, organization=organization, change=change)
    started = api(member).post("sessions", {"organization": organization.slug})
    return started.json()["id"]


def call(caller, route, slug, session_id):
    method, path = route
    policy = PolicyOverride.objects.order_by("id").first()
    address = path.removeprefix("/").format(
        slug=slug, session_id=session_id, policy_id=policy.pk if policy else uuid.uuid4()
    )
    return caller.call(method.upper(), address, BODIES.get(route))


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
    api, stranger, organization, session, route
):
    caller = api(stranger)
    foreign = call(caller, route, organization.slug, session)
    unknown = call(caller, route, "no-such-place", uuid.uuid4())
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content
    assert foreign.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("route", WALLED, ids=IDS)
def test_inside_the_wall_roles_hold(
    api, owner, editor, member, colleague, organization, session, route
):
    allowed = ROLES[route] or ()
    people = (owner, editor, colleague, member)
    for person, may in reversed(list(zip(people, allowed, strict=True))):
        answer = call(api(person), route, organization.slug, session)
        if may:
            assert answer.status_code in (200, 201, 204, NOT_NOW.get(route)), answer.content
        else:
            assert answer.status_code in (403, 404), (person, answer.content)


@pytest.mark.parametrize("route", list(ROLES), ids=str)
def test_nothing_answers_without_a_token(nobody, organization, session, route):
    answer = call(nobody, route, organization.slug, session)
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
    from orgs import services
    from tests.factories import actor

    caller = api(member)
    services.remove_member(actor=actor(owner), at=at, organization=organization, person=member)
    assert caller.get(f"organizations/{organization.slug}").status_code == 404
    assert caller.get(f"sessions/{session}").status_code == 404
    assert caller.get("sessions").json()["results"] == []
