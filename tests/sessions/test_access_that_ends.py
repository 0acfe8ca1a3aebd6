"""A session ends at the instant at which its user's access ends, whoever looks when (rule 5)."""

from datetime import timedelta

import pytest

from offload_portal.common.refusals import Refusal
from orgs import services as orgs_services
from sessions import services
from sessions.models import Session
from sessions.selectors import find_session, view_by_id
from sessions.services.starting import StartRequest
from tests import factories
from tests.factories import actor

SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def started(organization, owner, at):
    """A session of somebody whose access ends a minute later."""
    person = factories.colleague(organization, at=at)
    orgs_services.grant_to_person(
        actor=actor(owner),
        at=at,
        organization=organization,
        person=person,
        until=at + 60 * SECOND,
    )
    return services.start(
        actor=actor(person),
        at=at,
        person=person,
        organization=organization,
        request=StartRequest(),
    )


def test_the_end_is_true_before_anything_is_written_down(started, at):
    before = view_by_id(started.pk, at + 59 * SECOND)
    on = view_by_id(started.pk, at + 60 * SECOND)
    assert before.state != "ended"
    assert (on.state, on.end_reason, on.ended_at) == ("ended", "access_revoked", at + 60 * SECOND)


@pytest.mark.parametrize("late", [0, 1, 45])
def test_a_sweep_writes_the_very_instant_down(started, at, late):
    services.sweep(at=at + timedelta(seconds=60 + late))
    session = Session.objects.get(pk=started.pk)
    assert (session.ended_at, session.end_reason) == (at + 60 * SECOND, "access_revoked")


def test_metering_first_and_sweeping_later_gives_the_same(started, organization, at):
    services.meter_organization(organization_id=organization.pk, at=at + 90 * SECOND)
    services.sweep(at=at + 120 * SECOND)
    assert Session.objects.get(pk=started.pk).ended_at == at + 60 * SECOND


def test_a_longer_grant_in_time_keeps_it_running(started, organization, owner, at):
    orgs_services.grant_to_person(
        actor=actor(owner),
        at=at + 59 * SECOND,
        organization=organization,
        person=started.person,
        until=None,
    )
    assert view_by_id(started.pk, at + 60 * SECOND).state != "ended"


def test_a_longer_grant_too_late_does_not_bring_it_back(started, organization, owner, at):
    orgs_services.grant_to_person(
        actor=actor(owner), at=at + 61 * SECOND, organization=organization, person=started.person
    )
    services.sweep(at=at + 62 * SECOND)
    assert Session.objects.get(pk=started.pk).ended_at == at + 60 * SECOND


def test_no_session_starts_on_the_instant(started, organization, at):
    session, membership = find_session(started.person, started.pk)
    services.stop(
        actor=actor(started.person), at=at + SECOND, session=session, membership=membership
    )
    wish = {
        "person": started.person,
        "organization": organization,
        "request": StartRequest(),
    }
    services.preview_start(at=at + 59 * SECOND, **wish)
    with pytest.raises(Refusal) as refused:
        services.preview_start(at=at + 60 * SECOND, **wish)
    assert refused.value.code == "no_license"
