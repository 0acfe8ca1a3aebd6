"""Every route of the portal for every role (targets R7): one without a row in the table fails.

`tests/routes.txt` has the status that each gets; bodies and worlds are in `route_worlds`.
"""

import pytest

from orgs.models import Organization
from tests import factories
from tests.api.conftest import Api
from tests.pages import route_worlds
from tests.pages.route_worlds import ROLES, Caller

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
NOT_ALLOWED = 405


@pytest.fixture
def world(at, settings):
    settings.API_REQUESTS_PER_MINUTE = 1_000_000
    return route_worlds.make(at)


def test_no_route_is_missing_from_the_table_and_none_stands_there_that_is_none():
    written = {route for _method, route in route_worlds.read()}
    assert set(route_worlds.patterns(records=False)) == written


@pytest.mark.parametrize("role", ROLES)
def test_every_route_answers_each_role_by_the_table(world, role):
    caller = Caller(world.people[role], world.tokens[role])
    place = ROLES.index(role)
    wrong = []
    for row, statuses in route_worlds.read().items():
        found = caller.ask(row, world.names_of(row[1]))
        if found.status != statuses[place]:
            wrong.append(f"{row[0]} {row[1]}: {found.status}, not {statuses[place]}")
        if found.status == 302 and role == "signed-out" and "/organizations/{slug}" in row[1]:
            assert found.location.startswith("/account/login/"), row
        if found.status == 401:
            assert found.challenge.startswith("Bearer"), row
    assert wrong == []


def test_a_method_without_a_row_is_not_allowed(world):
    """To those who may see the place at all; others learn nothing of what stands there."""
    rows = route_worlds.read()
    caller = Caller(world.people["owner"], world.tokens["owner"])
    answers = {
        (method, route): caller.ask((method, route), world.names_of(route)).status
        for route in route_worlds.patterns(records=False)
        for method in route_worlds.METHODS
        if (method, route) not in rows
    }
    assert {row: status for row, status in answers.items() if status != NOT_ALLOWED} == {}


@pytest.mark.parametrize("role", ["owner", "editor", "member"])
def test_an_organization_that_asks_for_a_second_factor_opens_nothing_without_one(world, role):
    """Reads included, whoever it is. One's own running session goes on; others' do not open."""
    Organization.objects.update(requires_second_factor=True)
    caller = Caller(world.people[role], world.tokens[role])
    for row, statuses in route_worlds.read().items():
        inside = "/organizations/{slug}" in row[1] or row[1].startswith("/api/v1/sessions/")
        own = role == "member" and row[1].startswith("/api/v1/sessions/")
        if not inside or own or statuses[ROLES.index(role)] == 404:
            continue
        found = caller.ask(row, world.names_of(row[1]))
        assert found.status == 403, row
        if route_worlds.speaks_with_token(row[1]):
            assert b'"code": "second_factor_required"' in found.content, row
            assert b'"name": "Olga Owner"' in found.content, row


def test_without_the_second_factor_lists_and_accounts_still_explain(world):
    Organization.objects.update(requires_second_factor=True)
    owner, member = Api(world.tokens["owner"]), Api(world.tokens["member"])
    assert owner.get("sessions").json()["results"] == []
    assert owner.get("me").status_code == 200
    assert owner.get("accounts").json()["results"][0]["code"] == "second_factor_required"
    (running,) = member.get("sessions").json()["results"]
    factories.second_factor(world.people["owner"])
    assert len(owner.get("sessions").json()["results"]) == 1
    assert member.post(f"sessions/{running['id']}/stop", {}).status_code == 200


@pytest.mark.parametrize("role", ["outsider", "removed", "staff"])
def test_outside_the_wall_an_unknown_organization_looks_the_same(world, role):
    caller = Caller(world.people[role], world.tokens[role])
    nothing = dict.fromkeys(world.names, "01900000-0000-7000-8000-00000000dead")
    for row in route_worlds.read():
        if "/organizations/{slug}" not in row[1]:
            continue
        foreign = caller.ask(row, world.names_of(row[1]))
        unknown = caller.ask(row, {**nothing, "slug": "no-such-place"})
        assert (foreign.status, unknown.status) == (404, 404), row
        named = world.organization.slug.encode()
        assert foreign.content.replace(named, b"") == unknown.content.replace(
            b"no-such-place", b""
        ), row


@pytest.mark.parametrize("role", [role for role in ROLES if role != "staff"])
def test_the_records_of_operators_open_for_nobody_else(world, role):
    caller = Caller(world.people[role], world.tokens[role])
    for route in route_worlds.patterns(records=True):
        found = caller.ask(("GET", route), world.names)
        assert found.status in (302, 403, 404), route
        if found.status == 302 and not route.endswith("/logout/"):
            assert "/login/" in found.location, route
