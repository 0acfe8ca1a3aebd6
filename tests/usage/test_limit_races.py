"""64 threads in 8 processes at one reservation of room never pass a limit (rule 19, targets R3).

The naive variants of `limit_racers` do, which shows that the race is one.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg.conninfo import make_conninfo

from tests.usage.limit_racers import THREADS, WANTED
from usage.models import Allowance
from usage.services import metering

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.postgresql,
    pytest.mark.generated,
]
PROCESSES, ATTEMPTS = 8, 12
ROOM = 500  # of PROCESSES * THREADS * ATTEMPTS that are asked for


@pytest.fixture(autouse=True)
def _on_postgresql():
    if connection.vendor != "postgresql":
        pytest.fail("run by the PostgreSQL pass only")


@pytest.fixture
def place(organization):
    """Room for exactly ROOM reservations."""
    Allowance.objects.filter(pk=organization.pk).update(
        left_compute_seconds=ROOM * WANTED, reserved_compute_seconds=0
    )
    return organization


def statement_of_the_portal(place):
    with CaptureQueriesContext(connection) as queries:
        assert metering.reserve(place.pk, WANTED)
    Allowance.objects.filter(pk=place.pk).update(reserved_compute_seconds=0)
    (query,) = [each["sql"] for each in queries.captured_queries if "UPDATE" in each["sql"]]
    return query


def granted(kind, place, statement=""):
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    dsn = make_conninfo(**{name: parameters[name] for name in names if parameters.get(name)})
    command = [sys.executable, "-m", "tests.usage.limit_racers", dsn, kind, str(place.pk)]

    def run(_process):
        done = subprocess.run(
            [*command, str(ATTEMPTS)],
            input=statement, capture_output=True, text=True, check=True, cwd=settings.BASE_DIR,
        )  # fmt: skip
        return int(done.stdout)

    with ThreadPoolExecutor(PROCESSES) as pool:
        return sum(pool.map(run, range(PROCESSES)))


def reserved(place):
    return Allowance.objects.get(pk=place.pk).reserved_compute_seconds


def test_as_many_are_given_as_there_is_room_for_and_naive_ways_oversell(place):
    """One test, since all of it together is as many connections as a server has by default."""
    assert PROCESSES * THREADS * ATTEMPTS > ROOM
    assert granted("guarded", place, statement_of_the_portal(place)) == ROOM
    assert reserved(place) == ROOM * WANTED
    for kind in ("read_then_write", "add_after_read"):
        Allowance.objects.filter(pk=place.pk).update(reserved_compute_seconds=0)
        assert granted(kind, place) > ROOM, f"{kind} should have lost the race"
