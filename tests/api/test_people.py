"""Members, teams, licenses and invitations through the API: the same services as the pages."""

import csv
import io
from datetime import timedelta

import pytest

from orgs import services
from orgs.models import AccessLoss, Invitation, License, Membership
from tests import factories
from tests.factories import actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def here(organization):
    return f"organizations/{organization.slug}"


@pytest.fixture
def call(api, owner):
    return api(owner)


def test_a_member_says_teams_grants_and_last_session(
    api, call, here, member, organization, owner, at, clock
):
    started = api(member).post("sessions", {"organization": organization.slug}).json()
    clock.shift(60)
    api(member).post(f"sessions/{started['id']}/stop")
    services.create_team(
        actor=actor(owner), at=at, organization=organization, name="Web", person_ids=[member.pk]
    )
    found = call.get(f"{here}/members/{member.pk}").json()
    assert [team["name"] for team in found["teams"]] == ["Web"]
    assert found["grants"] == ["person"]
    assert found["last_session_at"] == "2026-03-11T12:01:00Z"
    (row,) = call.get(f"{here}/members?search=max").json()["results"]
    assert row == found


def test_members_are_sorted_and_paged_by_their_last_session(
    api, call, here, member, colleague, organization, owner
):
    api(member).post("sessions", {"organization": organization.slug})
    names, address = [], f"{here}/members?sort=-last_session&page_size=1"
    while address:
        page = call.get(address).json()
        names += [row["person"]["name"] for row in page["results"]]
        address = page["next"]
    assert names[0] == member.name
    assert sorted(names) == sorted([member.name, colleague.name, owner.name])
    assert [row["person"]["name"] for row in call.get(f"{here}/members?sort=name").json()["results"]
            ] == sorted(names)  # fmt: skip


@pytest.mark.parametrize(("days", "never", "idle"), [(0, 1, 0), (29, 1, 0), (30, 1, 1), (31, 1, 1)])
def test_never_used_and_idle_for_thirty_days(
    api, call, here, member, organization, clock, days, never, idle
):
    started = api(member).post("sessions", {"organization": organization.slug}).json()
    api(member).post(f"sessions/{started['id']}/stop")
    clock.shift(timedelta(days=days))
    lists = [
        [row["person"]["name"] for row in call.get(f"{here}/members?used={used}").json()["results"]]
        for used in ("never", "idle")
    ]
    assert (len(lists[0]), len(lists[1])) == (never, idle)


def test_thirty_days_are_counted_to_the_second(api, call, here, member, organization, clock):
    started = api(member).post("sessions", {"organization": organization.slug}).json()
    api(member).post(f"sessions/{started['id']}/stop")
    clock.shift(timedelta(days=30) - timedelta(seconds=1))
    assert call.get(f"{here}/members?used=idle").json()["results"] == []
    clock.shift(1)
    assert len(call.get(f"{here}/members?used=idle").json()["results"]) == 1


def test_who_works_now_is_not_idle(api, call, here, member, organization, at, clock):
    from sessions.models import Session

    api(member).post("sessions", {"organization": organization.slug})
    Session.objects.update(created_at=at - timedelta(days=60))
    assert call.get(f"{here}/members?used=idle").json()["results"] == []


def test_roles_change_and_the_last_owner_stays(call, here, member, owner):
    changed = call.patch(f"{here}/members/{member.pk}", {"role": "editor"})
    assert (changed.status_code, changed.json()["role"]) == (200, "editor")
    refused = call.patch(f"{here}/members/{owner.pk}", {"role": "member"})
    assert (refused.status_code, refused.json()["code"]) == (409, "last_owner")
    refused = call.call("DELETE", f"{here}/members/{owner.pk}")
    assert (refused.status_code, refused.json()["code"]) == (409, "last_owner")
    assert Membership.objects.owners().count() == 1


def test_a_dry_run_of_removing_tells_and_changes_nothing(call, here, member):
    for dry, left in ((True, 1), (False, 0)):
        tail = "?dry_run=true" if dry else ""
        answer = call.call("DELETE", f"{here}/members/{member.pk}{tail}")
        assert answer.json()["lost"] == [str(member.pk)]
        assert Membership.objects.filter(person=member).count() == left
    assert AccessLoss.objects.count() == 1


def test_leaving_by_oneself(api, here, member):
    answer = api(member).call("DELETE", f"{here}/members/{member.pk}")
    assert answer.status_code == 200
    assert api(member).get(here).status_code == 404


def test_members_come_as_csv_without_live_formulas(call, here, member, organization):
    member.name = "=HYPERLINK(1)"
    member.save()
    answer = call.get(f"{here}/members.csv?sort=name")
    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert rows[0][:3] == ["Name", "Email", "Role"]
    assert "'=HYPERLINK(1)" in [row[0] for row in rows]
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)


def test_teams_from_beginning_to_end(call, here, member, colleague):
    made = call.post(f"{here}/teams", {"name": "Web", "persons": [str(member.pk)]})
    assert made.status_code == 201
    team = made.json()
    assert (team["name"], team["member_count"], team["granted_at"]) == ("Web", 1, None)
    again = call.post(f"{here}/teams", {"name": "WEB"})
    assert (again.status_code, list(again.json()["errors"])) == (400, ["name"])
    done = call.post(
        f"{here}/members/actions",
        {"act": "team_add", "team": team["id"], "persons": [str(colleague.pk)]},
    ).json()
    assert done["changed"] == [str(colleague.pk)]
    granted = call.post(f"{here}/licenses/grants", {"to": "team", "team": team["id"]})
    assert (granted.status_code, granted.json()["given"]) == (201, [str(colleague.pk)])
    undone = call.post(f"{here}/members/actions/{done['undo_id']}/undo")
    assert undone.json() == {"kind": "team_add", "count": 1}
    assert not License.objects.filter(person=colleague).exists()
    assert call.get(f"{here}/teams/{team['id']}").json()["member_count"] == 1
    gone = call.call("DELETE", f"{here}/teams/{team['id']}")
    assert gone.json()["lost"] == [], "the member keeps access by a grant of their own"
    assert call.get(f"{here}/teams").json()["results"] == []


def test_access_until_an_instant(call, here, colleague, clock):
    body = {"to": "persons", "persons": [str(colleague.pk)], "until": "2026-03-11T13:00:00Z"}
    tried = call.post(f"{here}/licenses/grants?dry_run=true", body)
    assert (tried.status_code, tried.json()["given"]) == (200, [str(colleague.pk)])
    assert not License.objects.filter(person=colleague).exists()
    assert call.post(f"{here}/licenses/grants", body).status_code == 201
    held = call.get(f"{here}/licenses?state=held").json()["results"]
    assert "2026-03-11T13:00:00Z" in [row["ends_at"] for row in held]
    clock.shift(3_600)
    kinds = [row["person"]["id"] for row in call.get(f"{here}/licenses/grants").json()["results"]]
    assert str(colleague.pk) not in kinds
    late = call.post(f"{here}/licenses/grants", body)
    assert (late.status_code, list(late.json()["errors"])) == (400, ["until"])


def test_the_pool_and_a_grant_taken_back(call, here, member):
    pool = call.get(f"{here}/licenses/pool").json()
    assert (pool["licenses"], pool["held"], pool["free"], pool["queued"]) == (10, 2, 8, 0)
    rows = call.get(f"{here}/licenses/grants").json()["results"]
    grant = next(row["id"] for row in rows if row["person"]["id"] == str(member.pk))
    assert call.call("DELETE", f"{here}/licenses/grants/{grant}").json()["lost"] == [str(member.pk)]
    assert call.call("DELETE", f"{here}/licenses/grants/{grant}").status_code == 404


def test_an_invitation_with_a_team_and_a_license(call, here, organization, at, mailoutbox):
    team = call.post(f"{here}/teams", {"name": "Web"}).json()
    body = {"emails": ["New@Example.com", "a@b"], "team": team["id"], "license": True}
    answer = call.post(f"{here}/invitations", body).json()
    (sent,) = answer["sent"]
    assert (sent["email"], sent["team"], sent["license"]) == ("new@example.com", "Web", True)
    assert answer["skipped"] == [{"email": "a@b", "reason": "invalid"}]
    again = call.post(f"{here}/invitations/{sent['id']}/resend")
    assert again.status_code == 200
    taken = call.call("DELETE", f"{here}/invitations/{sent['id']}")
    assert taken.status_code == 200
    twice = call.call("DELETE", f"{here}/invitations/{sent['id']}")
    assert (twice.status_code, twice.json()["code"]) == (409, "invitation_revoked")
    assert not Invitation.objects.open().exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"act": "role"}, "persons"),
        ({"act": "role", "persons": []}, "persons"),
        ({"act": "role", "persons": ["x"]}, "persons"),
        ({"act": "role", "persons": ["{id}"]}, "role"),
        ({"act": "role", "persons": ["{id}"], "role": "king"}, "role"),
        ({"act": "team_add", "persons": ["{id}"]}, "team"),
        ({"act": "dance", "persons": ["{id}"]}, "act"),
        ({"act": "grant", "persons": ["{id}"], "until": "2026-03-11T12:00:00Z"}, "until"),
        ({"act": "take", "persons": ["{id}"] * 1_001}, "persons"),
        ({"act": "take", "persons": ["{id}"], "why": "x"}, "why"),
    ],
)
def test_acts_that_can_not_be_name_the_field(call, here, member, body, field):
    filled = {
        key: [text.format(id=member.pk) for text in value] if isinstance(value, list) else value
        for key, value in body.items()
    }
    answer = call.post(f"{here}/members/actions", filled)
    assert answer.status_code == 400, answer.content
    assert any(name.startswith(field) for name in answer.json()["errors"])


def test_pages_of_members_cost_the_same(
    call, here, owner, organization, at, django_assert_max_num_queries
):
    call.get(f"{here}/members")
    with django_assert_max_num_queries(15) as few:
        call.get(f"{here}/members?sort=-last_session&used=never")
    for number in range(20):
        factories.colleague(organization, f"P{number}", at=at)
    with django_assert_max_num_queries(len(few)):
        call.get(f"{here}/members?sort=-last_session&used=never")
