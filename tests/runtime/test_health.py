"""/healthz says that the process lives; /readyz what is not in order."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.core.cache import cache
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from offload_portal.common import heartbeat
from offload_portal.pages import readiness


@pytest.fixture(autouse=True)
def _beating(clock: time_machine.Traveller) -> None:
    heartbeat.beat("meter")


def _checks(client: Client, status: int) -> dict[str, Any]:
    answer = client.get("/readyz")
    assert answer.status_code == status
    return dict(answer.json()["checks"])


def test_healthz_asks_no_database(client: Client) -> None:
    # Without the `db` fixture a query would fail.
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer["Cache-Control"]


def test_health_takes_no_changes(client: Client) -> None:
    assert client.post("/healthz").status_code == 405


@pytest.mark.django_db
class TestReadyz:
    def test_all_in_order(self, client: Client) -> None:
        assert set(_checks(client, 200).values()) == {"ok"}

    def test_a_meter_three_ticks_old_is_in_order_still(
        self, client: Client, clock: time_machine.Traveller
    ) -> None:
        clock.shift(180)
        assert _checks(client, 200)["meter"] == "ok"

    def test_a_meter_older_than_three_ticks_is_named(
        self, client: Client, clock: time_machine.Traveller
    ) -> None:
        clock.shift(timedelta(seconds=181))
        checks = _checks(client, 503)
        assert checks.pop("meter").startswith("The meter last ran 181 seconds ago")
        assert set(checks.values()) == {"ok"}

    def test_a_meter_that_never_ran_is_named(self, client: Client) -> None:
        cache.clear()
        assert _checks(client, 503)["meter"].startswith("The meter has not run yet")

    def test_a_broker_that_is_away_is_named(
        self, client: Client, settings: LazySettings, tmp_path: Path
    ) -> None:
        settings.CELERY_BROKER_URL = "filesystem://"
        settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_out": str(tmp_path / "gone")}
        assert "can't be written" in _checks(client, 503)["broker"]

    def test_migrations_that_wait_are_named(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(readiness, "_migrated", set())
        monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: [1, 2])
        sentence = "2 migrations are not applied: run `manage.py migrate`."
        assert _checks(client, 503)["migrations"] == sentence

    def test_a_database_that_is_away_is_named(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(at: object) -> None:
            raise ConnectionError

        monkeypatch.setitem(readiness.CHECKS, "database", away)
        assert _checks(client, 503)["database"] == "It does not answer: ConnectionError."


def test_a_cache_that_is_away_undoes_no_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*arguments: object, **names: object) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr("offload_portal.common.heartbeat.cache.set", away)
    heartbeat.beat("meter")
    assert "The heartbeat of meter could not be kept: gone" in caplog.text
