"""The meter's page for operators: late, near, silent, failed, differing."""

from datetime import timedelta

import pytest

from sessions import services
from sessions.models import MeterFailure
from sessions.selectors.meter_state import meter_state
from sessions.services import metering
from tests import factories
from tests.sessions import worlds
from tests.sessions.lives import later, start
from usage.models import Allowance, Reconciliation

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
PATH = "/operators/meter/"


@pytest.fixture
def operator():
    return factories.operator()


def test_it_is_empty_in_words_where_nobody_works(operator, client_of):
    page = client_of(operator).get(PATH).content.decode()
    for words in ("Nobody works", "Nobody is near a bound", "No session is silent"):
        assert words in page


def test_lag_is_that_of_the_watermark_furthest_behind(organization, member, at):
    start(organization, member, at)
    services.meter_organization(organization_id=organization.pk, at=later(at, 60))
    state = meter_state(later(at, 200))
    assert (state.organizations, state.running, state.lag_seconds) == (1, 1, 140)
    (row,) = state.behind
    assert (row.name, row.running) == ("Acme", 1)


@pytest.mark.parametrize(("passed", "silent"), [(199, 0), (200, 1), (201, 1)])
def test_an_active_session_is_silent_after_two_thirds_of_its_idle_timeout(
    organization, member, at, passed, silent
):
    session = start(organization, member, at)
    worlds.report(session, at, 1)
    assert len(meter_state(later(at, passed)).silent) == silent


def test_an_idle_one_is_not_silent_and_one_that_is_over_is_overdue(organization, member, at):
    session = start(organization, member, at)
    worlds.report(session, at, 1)
    assert meter_state(later(at, 400)).silent == []
    (row,) = meter_state(later(at, 600)).silent
    assert (row.is_overdue, row.user) == (True, "Max Member")
    services.sweep(at=later(at, 600))
    assert meter_state(later(at, 600)).silent == []


def test_an_organization_that_could_not_be_metered_stands_there_with_why_until_it_could(
    organization, member, at, monkeypatch, operator, client_of
):
    start(organization, member, at)

    def broken(**_order):
        raise ValueError("no rate for this day")

    monkeypatch.setattr(metering, "meter_organization", broken)
    # What one organization can't be metered for keeps it from the fast path, too.
    monkeypatch.setattr(metering, "meter_far", lambda **_order: frozenset())
    for passed in (60, 120):
        assert services.sweep(at=later(at, passed)).failed == 1
    page = client_of(operator).get(PATH).content.decode()
    assert "ValueError: no rate for this day" in page
    failure = MeterFailure.objects.get()
    assert (failure.first_at, failure.last_at, failure.count) == (later(at, 60), later(at, 120), 2)
    monkeypatch.undo()
    services.sweep(at=later(at, 180))
    assert not MeterFailure.objects.exists()


def test_what_is_near_and_what_differs_is_shown(
    organization, member, at, operator, client_of, clock
):
    start(organization, member, at)
    soon = at + timedelta(hours=1)
    Allowance.objects.filter(pk=organization.pk).update(spent_at=soon)
    Reconciliation.objects.update_or_create(
        organization=organization,
        defaults={
            "checked_at": at,
            "differences": 2,
            "differs_since": at,
            "findings": ["12:00: the ledger has 60 s, sessions 61 s"],
        },
    )
    clock.shift(300)
    page = client_of(operator).get(PATH).content.decode()
    assert "the ledger has 60 s" in page
    assert "The meter is late" in page
    (row,) = meter_state(at).near
    assert row.spent_at == soon


def test_it_takes_the_same_statements_for_many(
    organization, member, at, django_assert_max_num_queries, operator, client_of
):
    browser = client_of(operator)
    for number in range(5):
        place = factories.subscribed_organization(
            factories.person(f"Olga {number}"), at=at, name=f"Place {number}"
        )
        session = start(place, factories.first_owner(place), at)
        worlds.report(session, at, 1)
    with django_assert_max_num_queries(15):
        browser.get(PATH)
