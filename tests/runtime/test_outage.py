"""Without broker and cache starts and reports answer, and the bill is right (targets R6)."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache, caches
from django.test import Client
from redis import RedisError
from time_machine import Traveller

from offload_portal.celery import app
from orgs.enums import Scope
from orgs.models import Organization, Person
from orgs.services.tokens import issue_token
from sessions import services
from sessions.models import Session
from sessions.services.reconciling import reconcile
from sessions.services.remetering import remeter
from tests import factories
from usage.models import LedgerEntry

# Nothing listens there.
AWAY = "redis://127.0.0.1:1"
Post = Callable[[str, object], tuple[int, dict[str, Any]]]


@pytest.fixture
def outage(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": AWAY}
    }
    settings.REDIS_URL = AWAY
    # In this order: what is written to follows from the other, and is put back as it was read.
    monkeypatch.setattr(app.conf, "broker_write_url", AWAY)
    monkeypatch.setattr(app.conf, "broker_url", AWAY)
    given_up_soon = {"max_retries": 1, "interval_start": 0}
    monkeypatch.setitem(app.conf, "broker_transport_options", given_up_soon)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
    yield
    del caches["default"]


@pytest.fixture
def post(owner: Person, client: Client) -> Post:
    token = issue_token(
        actor=factories.actor(owner),
        at=factories.AT,
        name="outage",
        scopes=[str(Scope.SESSIONS), str(Scope.ORG_WRITE)],
        person=owner,
    ).value
    headers = {"authorization": f"Bearer {token}"}

    def call(path: str, body: object) -> tuple[int, dict[str, Any]]:
        answer = client.post(f"/api/v1/{path}", body, "application/json", headers=headers)
        return answer.status_code, answer.json()

    return call


def test_starts_and_reports_answer(organization: Organization, post: Post, outage: None) -> None:
    with pytest.raises(RedisError):
        cache.get("anything")
    status, session = post("sessions", {"organization": organization.slug})
    assert status == 201, session
    path = f"sessions/{session['id']}"
    status, reported = post(f"{path}/activity", {"sequence": 1, "running_containers": 1})
    assert (status, reported["state"]) == (200, "active")
    status, stopped = post(f"{path}/stop", {})
    assert (status, stopped["end_reason"]) == (200, "stopped")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_what_was_used_meanwhile_is_billed_to_the_second_without_a_hand(
    organization: Organization,
    owner: Person,
    post: Post,
    at: datetime,
    clock: Traveller,
    request: pytest.FixtureRequest,
) -> None:
    """Half an hour in which no task and no message comes; the next sweep finds everything."""
    request.getfixturevalue("outage")
    _status, session = post("sessions", {"organization": organization.slug})
    for number in range(1, 11):
        status, _seen = post(
            f"sessions/{session['id']}/activity", {"sequence": number, "running_containers": 1}
        )
        assert status == 200
        clock.shift(60)
    status, bought = post(f"organizations/{organization.slug}/top-ups", {"compute_seconds": 3_600})
    assert status == 201, bought
    clock.shift(1_200)
    idled = at + timedelta(seconds=9 * 60 + 300 + 300)
    assert services.sweep(at=at + timedelta(minutes=31)).failed == 0
    row = Session.objects.get()
    assert (row.ended_at, row.end_reason) == (idled, "idle")
    assert sum(entry.seconds for entry in LedgerEntry.objects.all()) == 9 * 60 + 300
    later = at + timedelta(hours=2)
    services.sweep(at=later)
    assert reconcile(at=later, everything=True).differ == 0
    afresh = remeter(
        actor=factories.actor(owner), at=later, organization=organization, reason="", dry_run=True
    )
    assert afresh.differences == ()
