"""Two workers at once, and starts that race for the last room, on real connections."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from offload_portal.common.refusals import Refusal
from sessions import services
from sessions.models import Session
from tests import factories
from tests.sessions.lives import billed, later, report, start
from usage.models import Allowance, LedgerEntry, Pool

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.postgresql,
]


@pytest.fixture
def world(at):
    if connection.vendor != "postgresql":
        pytest.fail("run by the PostgreSQL pass only")
    owner = factories.person("Olga Owner")
    organization = factories.subscribed_organization(owner, at=at, plan="business")
    people = [factories.licensed_member(organization, f"Max{n} Member", at=at) for n in range(12)]
    return organization, people


def in_threads(calls):
    def run(call):
        try:
            return call()
        except Refusal as refused:
            return refused.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_parallel_starts_never_reserve_more_than_is_left(world, at):
    organization, people = world
    pool = Pool.objects.get()
    Pool.objects.update(used_compute_seconds=pool.compute_seconds - 5 * 60)
    Allowance.objects.update(left_compute_seconds=5 * 60)
    results = in_threads(
        [lambda person=person: start(organization, person, at) for person in people]
    )
    assert sum(isinstance(result, Session) for result in results) == 5
    assert set(results) - {r for r in results if isinstance(r, Session)} == {"no_allowance"}
    assert Allowance.objects.get().reserved_compute_seconds == 300


def test_one_person_starting_twice_at_once_gets_one_session(world, at):
    organization, people = world
    results = in_threads([lambda: start(organization, people[0], at) for _ in range(8)])
    assert sum(isinstance(result, Session) for result in results) == 1


def test_workers_that_meter_at_once_write_each_second_once(world, at):
    organization, people = world
    sessions = [start(organization, person, at) for person in people[:4]]
    for session in sessions:
        report(session, at)

    def meter(seconds):
        services.meter_organization(organization_id=organization.pk, at=later(at, seconds))

    in_threads([lambda seconds=seconds: meter(seconds) for seconds in (60, 120, 180, 240) * 3])
    assert [billed(session) for session in sessions] == [240] * 4
    assert LedgerEntry.objects.count() == 4


def test_reports_that_race_with_the_meter_lose_no_second(world, at):
    organization, people = world
    session = start(organization, people[0], at)
    report(session, at)

    def meter(seconds):
        services.meter_organization(organization_id=organization.pk, at=later(at, seconds))

    calls = []
    for seconds in range(30, 300, 30):
        calls += [
            lambda seconds=seconds: meter(seconds),
            lambda seconds=seconds: report(
                Session.objects.get(pk=session.pk), later(at, seconds), sequence=seconds
            ),
        ]
    in_threads(calls)
    services.meter_organization(organization_id=organization.pk, at=later(at, 2_000))
    session.refresh_from_db()
    assert billed(session) == session.billed_seconds
