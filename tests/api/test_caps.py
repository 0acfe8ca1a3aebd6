"""Caps in the API (product.md rule 19)."""

import uuid

import pytest

from orgs import services as orgs_services
from sessions.models import Session
from tests import factories
from tests.sessions import worlds
from usage.models import Cap, CapVersion

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def caps(organization):
    return f"organizations/{organization.slug}/caps"


def of(person, limit, **more):
    return {"scope": "person", "subject": str(person.pk), "limit_compute_seconds": limit, **more}


def test_a_cap_is_set_seen_changed_and_lifted(api, owner, member, caps):
    caller = api(owner)
    made = caller.put(caps, of(member, 36_000, reason="A course")).json()
    assert (made["scope"], made["name"], made["left_compute_seconds"]) == (
        "person",
        "Max Member",
        36_000,
    )
    path = f"{caps}/{made['id']}"
    assert caller.get(path).json()["limit_compute_seconds"] == 36_000
    assert (
        caller.put(path, {"limit_compute_seconds": 7_200}).json()["limit_compute_seconds"] == 7_200
    )
    assert [row["id"] for row in caller.get(caps).json()["results"]] == [made["id"]]
    assert caller.call("DELETE", path).status_code == 204
    assert caller.get(path).status_code == 404
    assert caller.get(caps).json()["results"] == []


def test_its_history_says_who_when_from_to_and_why(api, owner, member, organization, caps, clock):
    caller = api(owner)
    made = caller.put(caps, of(member, 36_000, reason="A course")).json()
    clock.shift(60)
    caller.call("DELETE", f"{caps}/{made['id']}")
    rows = caller.get(f"organizations/{organization.slug}/limits/history").json()["caps"]
    told = [
        (row["actor_name"], row["before_compute_seconds"], row["limit_compute_seconds"])
        for row in rows
    ]
    assert told == [("Olga Owner", 36_000, None), ("Olga Owner", None, 36_000)]
    assert [row["state"] for row in rows] == ["in_force", "past"]
    assert rows[1]["reason"] == "A course"


def test_a_dry_run_shows_what_would_end_and_changes_nothing(
    api, owner, member, organization, caps, at, clock
):
    session = worlds.start(organization, member, at)
    worlds.report(session, at, 1)
    clock.shift(120)
    seen = api(owner).put(f"{caps}?dry_run=true", of(member, 60)).json()
    assert seen["would_end"] == [str(session.pk)]
    assert seen["effective_at"] == "2026-03-11T12:12:00Z"
    assert seen["would_refuse_starts"] is True
    assert not Cap.objects.exists()
    assert not CapVersion.objects.exists()
    at_once = api(owner).put(f"{caps}?dry_run=true", of(member, 60, at_once=True)).json()
    assert at_once["effective_at"] == "2026-03-11T12:02:00Z"


def test_it_shows_which_sessions_it_would_have_refused(
    api, owner, member, organization, caps, at, clock
):
    first = worlds.session(organization, member, at, 1_200)
    second = worlds.session(organization, member, at + 30 * worlds.MINUTE, 300)
    clock.shift(3_600)
    seen = api(owner).put(f"{caps}?dry_run=true", of(member, 600)).json()["would_have"]
    assert (seen["reached_at"], seen["refused_count"]) == ("2026-03-11T12:15:00Z", 1)
    assert [row["id"] for row in seen["refused"]] == [str(second.pk)]
    assert seen["ended_count"] == 1
    assert str(first.pk) not in str(seen["refused"])
    never = api(owner).put(f"{caps}?dry_run=true", of(member, 1_501)).json()["would_have"]
    assert (never["reached_at"], never["refused_count"]) == (None, 0)


def test_a_refused_start_names_the_tightest_and_lists_all(
    api, owner, member, organization, caps, at
):
    team = orgs_services.create_team(
        actor=factories.actor(owner),
        at=at,
        organization=organization,
        name="Data",
        person_ids=[member.pk],
    )
    caller = api(owner)
    caller.put(caps, of(member, 50))
    caller.put(caps, {"scope": "team", "subject": str(team.pk), "limit_compute_seconds": 20})
    refused = api(member).post("sessions", {"organization": organization.slug})
    body = refused.json()
    assert (refused.status_code, body["code"], body["scope"]) == (402, "cap_reached", "team")
    assert (body["used"], body["limit"], body["left"], body["needed"]) == (0, 20, 20, 60)
    assert {cap["scope"] for cap in body["caps"]} == {"team", "person"}
    assert body["contacts"][0]["name"] == "Olga Owner"
    assert body["resets_at"] == "2026-04-11T00:00:00Z"
    dry = api(member).post("sessions?dry_run=true", {"organization": organization.slug})
    assert dry.json()["refusal"]["code"] == "cap_reached", dry.json()


def test_members_see_their_own_caps_with_the_allowance(api, owner, member, organization, caps):
    api(owner).put(caps, of(member, 7_200))
    path = f"organizations/{organization.slug}/allowance"
    assert api(member).get(path).json()["caps"] == [
        {
            "scope": "person",
            "name": "Max Member",
            "limit_compute_seconds": 7_200,
            "used_compute_seconds": 0,
            "left_compute_seconds": 7_200,
        }
    ]
    assert api(owner).get(path).json()["caps"] == []


def test_a_session_is_told_in_the_answer_of_its_report(
    api, owner, member, organization, caps, at, clock
):
    api(owner).put(caps, of(member, 1_000))
    caller = api(member)
    session = caller.post("sessions", {"organization": organization.slug}).json()
    worlds.keep_awake(Session.objects.get(), 86_400)
    clock.shift(1)
    caller.post(f"sessions/{session['id']}/activity", {"sequence": 1, "running_containers": 1})
    clock.shift(200)
    worlds_meter(organization, at + 201 * worlds.MINUTE / 60)
    told = caller.post(
        f"sessions/{session['id']}/activity", {"sequence": 2, "running_containers": 1}
    ).json()["notices"]
    assert [one["kind"] for one in told] == ["cap_low"]
    assert told[0]["at"] == "2026-03-11T12:16:41Z"


def worlds_meter(organization, at):
    from sessions.services import meter_organization

    meter_organization(organization_id=organization.pk, at=at)


@pytest.mark.parametrize("limit", [-1, 1.5, "many", None, 10**19])
def test_an_amount_that_cannot_be_is_refused_by_its_field(api, owner, member, caps, limit):
    refused = api(owner).put(caps, of(member, limit))
    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == ["limit_compute_seconds"]


def test_0_lets_nothing_be_used(api, owner, member, organization, caps):
    assert api(owner).put(caps, of(member, 0)).status_code == 200
    assert api(member).post("sessions", {"organization": organization.slug}).status_code == 402


def test_what_is_foreign_is_unknown(api, owner, member, stranger, caps):
    unknown = api(owner).put(caps, {**of(member, 5), "subject": str(uuid.uuid4())})
    foreign = api(owner).put(caps, of(stranger, 5))
    assert (unknown.status_code, foreign.status_code) == (404, 404)
    assert unknown.content == foreign.content


def test_lists_take_the_same_statements_however_many_there_are(
    api, owner, organization, caps, at, django_assert_max_num_queries
):
    caller = api(owner)
    people = [factories.colleague(organization, f"Person {n}", at=at) for n in range(4)]
    for person in people:
        caller.put(caps, of(person, 7_200))
    with django_assert_max_num_queries(15):
        assert len(caller.get(caps).json()["results"]) == 4
