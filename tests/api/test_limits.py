"""Rate limits and what a report costs (targets P5)."""

from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from offload_portal.api import throttling

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_counts():
    throttling._in_process.clear()
    yield
    throttling._in_process.clear()


def test_limits_show_in_headers_and_hold(api, member, organization, settings, clock):
    settings.API_REQUESTS_PER_MINUTE = 3
    caller = api(member)
    first = caller.get(f"organizations/{organization.slug}")
    assert first.headers["RateLimit-Policy"] == '"token";q=3;w=60, "organization";q=150;w=60'
    assert first.headers["RateLimit"] == '"token";r=2;t=60, "organization";r=149;t=60'
    clock.shift(20)
    caller.get("me")
    assert caller.get("me").headers["RateLimit"] == '"token";r=0;t=40'
    refused = caller.get("me")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == "40"
    assert refused.headers["RateLimit"] == '"token";r=0;t=40'
    assert api(member).get("me").status_code == 200
    clock.shift(40)
    assert caller.get("me").status_code == 200


def test_an_organization_has_a_limit_of_its_own(
    api, member, owner, stranger, organization, settings, monkeypatch
):
    settings.API_REQUESTS_PER_MINUTE = 2
    monkeypatch.setattr(throttling, "ORGANIZATION_FACTOR", 1)
    path = f"organizations/{organization.slug}"
    for _turn in range(2):
        assert api(stranger).get(path).status_code == 404
    assert api(member).get(path).status_code == 200
    assert api(owner).get(path).status_code == 200
    refused = api(owner).get(path)
    assert refused.status_code == 429
    assert refused.json()["scope"] == "organization"


def test_who_is_refused_for_a_token_takes_nothing_from_the_organization(
    api, member, organization, settings, clock
):
    caller = api(member)
    started = caller.post("sessions", {"organization": organization.slug}).json()["id"]
    settings.API_REQUESTS_PER_MINUTE = 3
    path = f"sessions/{started}/activity"
    first = caller.post(path, {"sequence": 1, "api_calls": 1})
    assert first.headers["RateLimit"] == '"token";r=1;t=60, "organization";r=148;t=60'
    assert caller.post(path, {"sequence": "no"}).status_code == 400
    for _turn in range(2):
        refused = caller.post(path, {"sequence": 2, "api_calls": 1})
        assert (refused.status_code, refused.json()["scope"]) == (429, "token")
        assert refused.headers["RateLimit"] == '"token";r=0;t=60'
    other = api(member).get(f"sessions/{started}")
    assert other.headers["RateLimit"] == '"token";r=2;t=60, "organization";r=146;t=60'


def test_a_session_that_is_not_theirs_counts_for_the_token_alone(
    api, member, stranger, organization, settings, clock
):
    started = api(member).post("sessions", {"organization": organization.slug}).json()["id"]
    settings.API_REQUESTS_PER_MINUTE = 2
    caller = api(stranger)
    for path in (f"sessions/{started}", f"sessions/{started}/activity"):
        body = None if path.endswith(started) else {"sequence": 1}
        seen = caller.call("GET" if body is None else "POST", path, body)
        assert seen.status_code == 404
        assert "organization" not in seen.headers["RateLimit"]
    assert caller.get(f"sessions/{started}").status_code == 429


def test_with_the_cache_away_everybody_passes(api, member, settings, caplog, clock):
    settings.API_REQUESTS_PER_MINUTE = 1
    caller = api(member)
    with mock.patch.object(throttling, "_used", side_effect=ConnectionError("away")):
        assert [caller.get("me").status_code for _turn in range(3)] == [200, 200, 200]
    assert "The cache is away" in caplog.text


def test_who_has_no_token_is_limited_by_address(nobody, settings, clock):
    settings.API_REQUESTS_PER_MINUTE = 1
    assert nobody.get("schema").status_code == 200
    assert nobody.get("schema").status_code == 429


def test_what_a_report_costs(api, member, organization, clock):
    """P5: one statement authenticates, one reads, one writes; nothing grows with what it holds."""
    caller = api(member)
    started = caller.post("sessions", {"organization": organization.slug}).json()["id"]

    def report(sequence, ahead=10, **more):
        clock.shift(ahead)
        with CaptureQueriesContext(connection) as queries:
            body = {"sequence": sequence, "running_containers": 1, **more}
            answer = caller.post(f"sessions/{started}/activity", body)
        assert answer.status_code == 200, answer.content
        return [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]

    begins = report(1)
    assert len(report(2)) == 3
    assert len(report(2)) == 2  # a repeated one
    rows = [
        {
            "samples": [
                {"at": f"2026-03-11T12:{turn:02}:{n:02}Z", "cpu_percent": 1, "memory_bytes": 1}
                for n in range(count)
            ],
            "containers": [
                {"id": f"c{turn}-{n}", "image": f"acme/{n}:1", "started_at": "2026-03-11T12:00:00Z"}
                for n in range(count)
            ],
        }
        for turn, count in enumerate((1, 20))
    ]
    assert [len(report(3 + turn, **more)) for turn, more in enumerate(rows)] == [5, 5]
    resumes = [len(report(5, 400)), len(report(6, 400))]
    assert resumes[0] == resumes[1] <= 15
    assert len(begins) <= 15


def test_what_a_look_at_a_session_costs(api, member, organization, clock):
    caller = api(member)
    started = caller.post("sessions", {"organization": organization.slug}).json()["id"]
    with CaptureQueriesContext(connection) as queries:
        assert caller.get(f"sessions/{started}").status_code == 200
    assert len(queries) == 2
