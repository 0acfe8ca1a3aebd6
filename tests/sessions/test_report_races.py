"""A report's one statement and the meter, on real connections: which watermark does it see?"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction

from offload_portal.common.locks import lock_alone
from sessions import services
from sessions.models import Pulse, Session
from sessions.selectors import find_own_reading
from sessions.services import reporting
from sessions.services.reporting import record
from tests import factories
from tests.sessions.lives import billed, later, meter, report, start
from usage.models import Allowance

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.postgresql,
]
# What looks right and is not: the statement's snapshot is older than the lock that it waits for.
NAIVE = (
    "(SELECT true FROM (SELECT CAST(%s AS uuid) AS id, CAST(%s AS integer) AS version, "
    "CAST(%s AS uuid) AS organization, CAST(%s AS timestamptz) AS mark, "
    "pg_advisory_xact_lock_shared(CAST(%s AS bigint))) AS given WHERE EXISTS ("
    "SELECT 1 FROM usage_allowance AS a, offload_sessions_session AS s "
    "WHERE a.organization_id = given.organization AND a.metered_until = given.mark "
    "AND s.id = given.id AND s.version = given.version))"
)
PATIENCE_SECONDS = 60


@pytest.fixture
def session(at):
    if connection.vendor != "postgresql":
        pytest.fail("run by the PostgreSQL pass only")
    owner = factories.person("Olga Owner")
    organization = factories.subscribed_organization(owner, at=at)
    made = start(organization, owner, at)
    report(made, at)
    meter(organization, later(at, 10))
    return Session.objects.get(pk=made.pk)


def wait_for_a_waiter():
    """Until another connection to this database waits for an advisory lock."""
    until = time.monotonic() + PATIENCE_SECONDS
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            if cursor.fetchone()[0]:
                return
    raise AssertionError("Nobody waited for the organization's lock.")


def report_that_waits_for_the_meter(session, at):
    """A report received at second 20 that is written while the meter goes from 10 to 30."""
    written = []

    def reported(reading, told):
        try:
            reaction = reporting._short_reaction(reading, later(at, 20), told)
            assert reaction is not None
            written.append(reporting._grow(reading, reaction, told))
        finally:
            connections.close_all()

    reading = find_own_reading(session.person, session.pk)
    told = services.ActivityReport(sequence=9, running_containers=1)
    with transaction.atomic():
        lock_alone(session.organization_id)
        Allowance.objects.update(metered_until=later(at, 30))
        thread = threading.Thread(target=reported, args=(reading, told))
        thread.start()
        wait_for_a_waiter()
    thread.join()
    return written[0]


def test_a_report_that_waited_for_the_meter_sees_where_the_watermark_went(session, at):
    assert report_that_waits_for_the_meter(session, at) is False
    assert Pulse.objects.get().last_activity_at == at


def test_a_lock_within_the_statement_itself_would_not_do(session, at, monkeypatch):
    plain = reporting.statement("postgresql").replace(reporting.STANDS["postgresql"], NAIVE)
    monkeypatch.setattr(reporting, "statement", lambda vendor: plain)
    assert report_that_waits_for_the_meter(session, at) is True
    assert Pulse.objects.get().last_activity_at == later(at, 20)
    assert Allowance.objects.get().metered_until == later(at, 30)


def test_reports_meters_and_prompts_at_once_lose_nothing(session, at):
    Session.objects.update(prompt_seconds=60)

    def reported(seconds):
        reading = find_own_reading(session.person, session.pk)
        record(
            actor=factories.actor(session.person),
            at=later(at, seconds),
            reading=reading,
            report=services.ActivityReport(sequence=seconds, running_containers=1, api_calls=1),
        )

    def watched(seconds):
        services.report(
            actor=factories.actor(session.person),
            at=later(at, seconds),
            session=session,
            report=services.ActivityReport(sequence=None, running_containers=1),
        )

    def run(call):
        try:
            call[0](call[1])
        finally:
            connections.close_all()

    calls = []
    for seconds in range(20, 200, 4):
        calls += [(reported, seconds), (watched, seconds + 1)]
        if seconds % 20 == 0:
            calls.append((lambda until: meter(session.organization, later(at, until)), seconds))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, calls))
    pulse = Pulse.objects.get()
    assert (pulse.sequence, pulse.last_activity_at) == (196, later(at, 197))
    meter(session.organization, later(at, 2_000))
    session.refresh_from_db()
    assert billed(session) == session.billed_seconds
