"""Places on the engine hosts, and the queue when they are full (rule 26)."""

import pytest

from offload_portal.common.refusals import Refusal
from sessions.engines.announcements import announce
from sessions.models import Engine, Session, StartTicket
from tests import factories
from tests.sessions.lives import later, seen, start, stop

pytestmark = pytest.mark.django_db


@pytest.fixture
def host(at, settings):
    settings.ENGINE_PROVIDER = "local"

    def speak(capacity, when=at):
        announce(host_name="host-1", capacity=capacity, at=when)

    return speak


def finish(session, at):
    """Its host took everything away."""
    stop(session, at)
    Engine.objects.filter(session=session).update(state="removed")


def test_a_session_on_a_host_is_starting_until_its_engine_answers(organization, member, host, at):
    host(2)
    session = start(organization, member, at)
    assert seen(session, at).state == "starting"
    assert session.engine.state == "wanted"


def test_without_a_living_host_auto_means_the_clients_own_engine(
    organization, member, settings, at
):
    settings.ENGINE_PROVIDER = "auto"
    assert start(organization, member, at).provider == "external"


def test_a_living_host_is_used_by_auto(organization, member, host, settings, at):
    settings.ENGINE_PROVIDER = "auto"
    host(1)
    assert start(organization, member, at).provider == "local"


def test_a_full_host_gives_a_place_in_the_queue_and_reserves_nothing(
    organization, owner, member, host, at
):
    host(1)
    start(organization, owner, at)
    with pytest.raises(Refusal) as refused:
        start(organization, member, at)
    assert (refused.value.code, refused.value.status) == ("engine_unavailable", 503)
    assert (refused.value.retry_after, refused.value.extra["queue_place"]) == (15, 1)
    organization.allowance.refresh_from_db()
    assert organization.allowance.reserved_compute_seconds == 60


def test_the_queue_goes_in_the_order_of_asking(organization, owner, member, host, at):
    host(1)
    first = start(organization, owner, at)
    third = factories.licensed_member(organization, "Tia Third", at=at)
    for second, person in ((1, member), (2, third)):
        with pytest.raises(Refusal):
            start(organization, person, later(at, second))
    finish(first, later(at, 10))
    with pytest.raises(Refusal) as refused:
        start(organization, third, later(at, 11))
    assert refused.value.extra["queue_place"] == 2
    assert start(organization, member, later(at, 12))
    assert StartTicket.objects.get().person == third


def test_who_asks_no_more_loses_the_place(organization, owner, member, host, at):
    host(1)
    first = start(organization, owner, at)
    with pytest.raises(Refusal):
        start(organization, member, at)
    finish(first, later(at, 1))
    third = factories.licensed_member(organization, "Tia Third", at=at)
    host(1, later(at, 60))
    assert start(organization, third, later(at, 60))


def test_no_host_at_all_is_unavailable(organization, member, settings, at):
    settings.ENGINE_PROVIDER = "local"
    with pytest.raises(Refusal) as refused:
        start(organization, member, at)
    assert refused.value.code == "engine_unavailable"
    assert not Session.objects.exists()
