"""`/sessions`: start, report, answer, stop, and what refuses."""

import pytest

pytestmark = pytest.mark.django_db


def start(caller, organization, **more):
    return caller.post("sessions", {"organization": organization.slug, **more})


def test_a_member_starts_reports_and_stops_a_session(api, member, organization, clock):
    client = api(member)
    started = start(client, organization, client={"kind": "cli"}, labels={"team": "web"})
    assert started.status_code == 201, started.content
    session = started.json()
    assert session["state"] == "idle"
    assert session["idle_since"] == session["ready_at"] == "2026-03-11T12:00:00Z"
    assert started.headers["Location"].endswith(f"/api/v1/sessions/{session['id']}")
    clock.shift(10)
    report = {
        "sequence": 1,
        "running_containers": 1,
        "containers": [{"id": "c1", "image": "nginx:1.27", "started_at": "2026-03-11T12:00:05Z"}],
        "samples": [{"at": "2026-03-11T12:00:06.5Z", "cpu_percent": 12.5, "memory_bytes": 1024}],
    }
    active = client.post(f"sessions/{session['id']}/activity", report).json()
    assert active["state"] == "active"
    assert active["images"] == ["nginx:1.27"]
    assert active["next_report_seconds"] == 60
    clock.shift(20)
    ended = client.post(f"sessions/{session['id']}/stop").json()
    assert (ended["state"], ended["end_reason"]) == ("ended", "stopped")
    assert ended["billed_seconds"] == 20
    again = client.post(f"sessions/{session['id']}/stop")
    assert again.status_code == 200
    late = client.post(f"sessions/{session['id']}/activity", {"sequence": 2, "api_calls": 1})
    assert late.status_code == 410
    assert late.json()["code"] == "session_ended"
    insights = client.get(f"sessions/{session['id']}/insights").json()
    assert [segment["kind"] for segment in insights["timeline"]] == ["idle", "active"]
    assert insights["samples"][0]["cpu_percent"] == 12.5
