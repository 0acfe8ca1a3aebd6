"""Sessions end within seconds of the one in which nothing is left (product.md rule 19)."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions import services
from sessions.services import metering
from tests import factories
from tests.sessions import worlds
from tests.sessions.lives import later, start
from tests.usage.worlds import leave
from usage.models import Allowance

pytestmark = pytest.mark.django_db
# Two minutes between sweeps, and an idle gap as long as the usual terms allow.
REACH = 120 + 300 + 300


@pytest.fixture
def working(organization, member, at):
    """A session that is active for a day."""
    session = start(organization, member, at)
    worlds.keep_awake(session, 86_400)
    worlds.report(session, at, 1)
    return session


@pytest.mark.parametrize(("left", "near"), [(REACH - 1, 1), (REACH, 1), (REACH + 1, 0)])
def test_who_could_use_up_what_is_left_before_the_next_sweep_is_near(
    organization, member, at, left, near
):
    start(organization, member, at)
    leave(organization, left)
    assert services.meet_bounds(at=later(at, 4)).metered == near


def test_an_end_is_found_within_seconds_at_its_exact_second(organization, working, at):
    leave(organization, 100)
    for passed in range(4, 104, 4):
        assert services.meet_bounds(at=later(at, passed)).ended == 0
    assert services.meet_bounds(at=later(at, 104)).ended == 1
    working.refresh_from_db()
    assert (working.ended_at, working.end_reason) == (later(at, 100), "allowance_exhausted")


def test_a_limit_that_comes_into_force_ends_at_its_instant_though_much_was_left(
    organization, owner, member, at
):
    session = start(organization, member, at)
    worlds.report(session, at, 1)
    due = later(at, 200)
    Allowance.objects.filter(pk=organization.pk).update(sessions_end_at=due)
    assert services.meet_bounds(at=later(at, 199)).metered == 0
    assert services.meet_bounds(at=due).metered == 1


def test_those_without_a_limit_or_without_a_session_are_left_alone(organization, owner, member, at):
    leave(organization, 10)
    assert services.meet_bounds(at=later(at, 4)).metered == 0, "nobody works"
    worlds.without_limit(organization, owner, at)
    start(organization, member, at)
    assert services.meet_bounds(at=later(at, 8)).metered == 0, "nothing can run out"


def test_twice_in_a_second_meters_once_and_one_failure_does_not_stop_the_rest(
    organization, member, at, monkeypatch
):
    other_owner = factories.person("Olaf Other")
    other = factories.subscribed_organization(other_owner, at=at, name="Other")
    for place, person in ((organization, member), (other, other_owner)):
        start(place, person, at)
        leave(place, 100)
    whole, broken = metering.meter_organization, min(organization.pk, other.pk)

    def failing(*, organization_id, at):
        if organization_id == broken:
            raise RuntimeError("broken")
        return whole(organization_id=organization_id, at=at)

    monkeypatch.setattr(metering, "meter_organization", failing)
    tick = services.meet_bounds(at=later(at, 4))
    assert (tick.metered, tick.failed) == (1, 1)
    monkeypatch.undo()
    assert services.meet_bounds(at=later(at, 4)).metered == 1, "only the one that failed"
    assert services.meet_bounds(at=later(at, 4)).metered == 0


def test_looking_costs_one_statement(organization, member, at):
    start(organization, member, at)
    leave(organization, 300_000)
    with CaptureQueriesContext(connection) as queries:
        services.meet_bounds(at=at + timedelta(seconds=4))
    assert len(queries) == 1
