"""Without broker and cache, starts and reports answer (targets R6)."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.core.cache import cache, caches
from django.test import Client
from redis import RedisError

from offload_portal.celery import app
from orgs.enums import Scope
from orgs.models import Organization, Person
from orgs.services.tokens import issue_token
from tests import factories

# Nothing listens there.
AWAY = "redis://127.0.0.1:1"


@pytest.fixture
def outage(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": AWAY}
    }
    settings.REDIS_URL = AWAY
    # In this order: what is written to follows from the other, and is put back as it was read.
    monkeypatch.setattr(app.conf, "broker_write_url", AWAY)
    monkeypatch.setattr(app.conf, "broker_url", AWAY)
    yield
    del caches["default"]


def test_starts_and_reports_answer(
    owner: Person, organization: Organization, client: Client, outage: None
) -> None:
    with pytest.raises(RedisError):
        cache.get("anything")
    token = issue_token(
        actor=factories.actor(owner),
        at=factories.AT,
        name="outage",
        scopes=[str(Scope.SESSIONS)],
        person=owner,
    ).value
    headers = {"authorization": f"Bearer {token}"}

    def post(path: str, body: object) -> tuple[int, dict[str, object]]:
        answer = client.post(path, body, content_type="application/json", headers=headers)
        return answer.status_code, answer.json()

    status, session = post("/api/v1/sessions", {"organization": organization.slug})
    assert status == 201, session
    path = f"/api/v1/sessions/{session['id']}"
    status, reported = post(f"{path}/activity", {"sequence": 1, "running_containers": 1})
    assert (status, reported["state"]) == (200, "active")
    status, stopped = post(f"{path}/stop", {})
    assert (status, stopped["end_reason"]) == (200, "stopped")
