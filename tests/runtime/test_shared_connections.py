"""The threads of a web process share a bounded number of connections to PostgreSQL."""

import threading
from unittest.mock import patch

import psycopg
import pytest
from django.conf import settings as configured
from django.db import connections

from offload_portal.common import shared_postgresql
from offload_portal.common.shared_postgresql import pool as pools
from offload_portal.common.shared_postgresql.base import DatabaseWrapper
from offload_portal.common.shared_postgresql.pool import Pool

pytestmark = pytest.mark.postgresql


def connect():
    found = configured.DATABASES["default"]
    return psycopg.connect(
        host=found["HOST"], port=found["PORT"] or 5432, user=found["USER"],
        password=found["PASSWORD"], dbname="postgres", autocommit=True, **found.get("OPTIONS", {}),
    )  # fmt: skip


@pytest.fixture
def pool():
    made = Pool(connect, most=2, keep_seconds=60)
    yield made
    made.close()


def number(connection):
    return connection.execute("SELECT pg_backend_pid()").fetchone()[0]


def test_a_connection_that_was_brought_back_is_used_again(pool):
    first = pool.getconn()
    known = number(first)
    pool.putconn(first)
    again = pool.getconn()
    assert number(again) == known
    pool.putconn(again)


def test_no_more_are_open_than_may_be(pool):
    held = [pool.getconn(), pool.getconn()]
    with patch.object(pools, "PATIENCE_SECONDS", 0), pytest.raises(psycopg.OperationalError):
        pool.getconn()
    got = []
    waiting = threading.Thread(target=lambda: got.append(pool.getconn()))
    waiting.start()
    pool.putconn(held.pop())
    waiting.join(20)
    for one in (*got, *held):
        pool.putconn(one)
    assert len(got) == 1


def test_one_that_the_server_has_ended_is_replaced(pool):
    first, second = pool.getconn(), pool.getconn()
    gone = number(first)
    pool.putconn(first)
    # Waits until the server has really ended it, which takes a while where it is busy.
    second.execute("SELECT pg_terminate_backend(%s, 10000)", [gone])
    again = pool.getconn()
    assert number(again) != gone
    assert first.closed
    for one in (again, second):
        pool.putconn(one)


def test_one_amid_a_transaction_is_not_kept(pool):
    connection = pool.getconn()
    connection.execute("BEGIN")
    pool.putconn(connection)
    assert connection.closed
    fresh = [pool.getconn(), pool.getconn()]
    for one in fresh:
        pool.putconn(one)


@pytest.mark.parametrize(("seconds", "kept"), [(59.9, True), (60.0, False)])
def test_one_is_kept_for_a_while_after_it_was_opened(pool, seconds, kept):
    with patch("time.monotonic", return_value=1_000.0):
        connection = pool.getconn()
    with patch("time.monotonic", return_value=1_000.0 + seconds):
        pool.putconn(connection)
    assert connection.closed is not kept


def test_one_that_grew_old_unused_is_not_used(pool):
    with patch("time.monotonic", return_value=1_000.0):
        connection = pool.getconn()
        pool.putconn(connection)
    with patch("time.monotonic", return_value=1_061.0):
        again = pool.getconn()
        pool.putconn(again)
    assert connection.closed
    assert again is not connection


def test_a_database_that_is_away_is_told_at_once_and_costs_no_place():
    def away():
        raise psycopg.OperationalError("connection refused")

    pool = Pool(away, most=1, keep_seconds=60)
    for _ in range(3):
        with pytest.raises(psycopg.OperationalError, match="refused"):
            pool.getconn()


@pytest.mark.django_db
def test_a_process_that_shares_gives_its_threads_this_backend(monkeypatch):
    database = {**configured.DATABASES["default"]}
    monkeypatch.setitem(connections.settings, "default", database)
    shared_postgresql.share_connections()
    assert database["ENGINE"] == "offload_portal.common.shared_postgresql"
    wrapper = DatabaseWrapper({**database, "NAME": "postgres", "AUTOCOMMIT": True}, "tried")
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    assert wrapper.connection is not None
    used = wrapper.connection
    wrapper.close()
    assert wrapper.connection is None
    assert not used.closed
    wrapper.close_pool()
    assert used.closed


def test_sqlite_stays_as_it_is(monkeypatch):
    database = {"ENGINE": "django.db.backends.sqlite3", "CONN_MAX_AGE": 0}
    monkeypatch.setitem(connections.settings, "default", database)
    shared_postgresql.share_connections()
    assert database == {"ENGINE": "django.db.backends.sqlite3", "CONN_MAX_AGE": 0}


def test_a_quiet_connection_is_handed_out_without_asking_its_server(pool):
    first = pool.getconn()
    pool.putconn(first)
    with patch.object(first, "execute", side_effect=AssertionError("it was asked")):
        assert pool.getconn() is first
    pool.putconn(first)
