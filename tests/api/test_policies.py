"""Policies by API: everyone's, those for teams and people, what holds for the caller (rule 6)."""

import uuid

import pytest

pytestmark = pytest.mark.django_db
EVERYTHING = {
    "offload": "enabled",
    "idle_timeout_seconds": 300,
    "idle_timeout_least_seconds": 10,
    "idle_timeout_most_seconds": 3_600,
    "engine_sizes": ["standard", "large"],
    "gpu_allowed": False,
    "longest_session_seconds": None,
    "sessions_per_person": 1,
    "keep_alive_most_seconds": 14_400,
}


def long_for(*people, **more):
    keys = [str(person.pk) for person in people]
    return {"name": "Long", "people": keys, "terms": {"longest_session_seconds": 3_600}, **more}


@pytest.fixture
def here(organization):
    return f"organizations/{organization.slug}"


def test_an_owner_adds_changes_and_removes_one(api, owner, member, here):
    caller = api(owner)
    made = caller.post(f"{here}/policies", long_for(member))
    assert made.status_code == 201, made.content
    url = made.headers["Location"]
    item = made.json()
    assert (item["applies_to"], item["reach"]) == ("named", 1)
    assert item["terms"] == {"longest_session_seconds": 3_600}
    changed = {**long_for(member), "terms": {"longest_session_seconds": None}}
    assert caller.put(url, changed).json()["terms"] == {"longest_session_seconds": None}
    assert caller.call("DELETE", url).status_code == 204
    assert caller.get(url).status_code == 404
    assert len(caller.get(f"{here}/policies").json()["results"]) == 1


def test_the_caller_gets_what_holds_for_them_and_a_version_that_rises(
    api, owner, member, colleague, here
):
    before = api(member).get(f"{here}/policy")
    api(owner).post(f"{here}/policies", long_for(member))
    after = api(member).get(f"{here}/policy", **{"If-None-Match": before.headers["ETag"]})
    assert after.json()["longest_session_seconds"] == 3_600
    assert after.json()["version"] > before.json()["version"]
    assert api(colleague).get(f"{here}/policy").json()["version"] == before.json()["version"]


def test_an_organization_s_token_gets_everyone_s(api, owner, member, organization_api, here):
    api(owner).post(f"{here}/policies", long_for(member, owner))
    assert organization_api.get(f"{here}/policy").json()["longest_session_seconds"] is None
    assert len(organization_api.get(f"{here}/policies").json()["results"]) == 2


def test_accounts_say_what_holds_for_the_caller(api, owner, member, here):
    api(owner).post(f"{here}/policies", long_for(member))
    (account,) = api(member).get("accounts").json()["results"]
    assert account["policy"]["longest_session_seconds"] == 3_600


def test_a_member_sees_everyone_s_and_their_own_and_nobody_else_in_it(
    api, owner, member, colleague, here
):
    api(owner).post(f"{here}/policies", long_for(member, colleague))
    api(owner).post(f"{here}/policies", long_for(colleague))
    everyones, own = api(member).get(f"{here}/policies").json()["results"]
    assert everyones["applies_to"] == "everyone"
    assert [person["id"] for person in own["people"]] == [str(member.pk)]
    assert colleague.email not in str(own)


def test_everyone_s_takes_every_setting_and_nothing_else(api, owner, here):
    caller = api(owner)
    (everyones,) = caller.get(f"{here}/policies").json()["results"]
    url = f"{here}/policies/{everyones['id']}"
    body = {"terms": {**EVERYTHING, "sessions_per_person": 3}}
    assert caller.put(url, body).json()["terms"]["sessions_per_person"] == 3
    assert caller.get(f"{here}/policy").json()["version"] == 2
    part = {"terms": {"sessions_per_person": 3}}
    assert caller.put(url, part).json()["errors"].keys() == {"offload"}
    assert caller.put(url, {**body, "name": "Mine"}).json()["errors"].keys() == {"name"}
    refused = caller.call("DELETE", url)
    assert (refused.status_code, refused.json()["code"]) == (409, "policy_of_everyone")


def test_a_dry_run_says_who_is_concerned_and_changes_nothing(api, owner, member, here):
    caller = api(owner)
    off = {**long_for(member), "terms": {"offload": "always_disabled"}}
    seen = caller.post(f"{here}/policies?dry_run=true", off).json()
    assert seen == {"changed": 1, "loses": [{"id": str(member.pk), "name": member.shown_name}]}
    (everyones,) = caller.get(f"{here}/policies").json()["results"]
    url = f"{here}/policies/{everyones['id']}?dry_run=true"
    switched = caller.put(url, {"terms": {**EVERYTHING, "offload": "always_disabled"}}).json()
    assert switched["changed"] == 2
    assert caller.get(f"{here}/policy").json()["offload"] == "enabled"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "L", "terms": {}}, "terms"),
        ({"name": "L", "terms": {"longest_session_seconds": 60}}, "targets"),
        ({"name": "L", "terms": {"engine_sizes": ["enormous"]}}, "terms.engine_sizes.0"),
        ({"name": "L"}, "terms"),
        ({"name": "L", "terms": {"colour": "red"}}, "terms.colour"),
    ],
)
def test_what_can_not_be_is_400_at_its_field(api, owner, here, body, field):
    answer = api(owner).post(f"{here}/policies", body)
    assert answer.status_code == 400
    assert field in answer.json()["errors"], answer.content


def test_foreign_people_are_not_found(api, owner, stranger, here):
    assert api(owner).post(f"{here}/policies", long_for(stranger)).status_code == 404
    assert api(owner).put(f"{here}/policies/{uuid.uuid4()}", long_for(owner)).status_code == 404


def test_a_session_starts_with_what_holds_for_its_user(api, owner, member, organization, here):
    api(owner).post(f"{here}/policies", long_for(member))
    version = api(member).get(f"{here}/policy").json()["version"]
    started = api(member).post("sessions", {"organization": organization.slug}).json()
    assert started["policy_version"] == version


def test_who_is_switched_off_by_name_is_refused_and_their_session_ends(
    api, owner, member, organization, clock, here
):
    started = api(member).post("sessions", {"organization": organization.slug}).json()
    clock.shift(10)
    off = {**long_for(member), "terms": {"offload": "always_disabled"}}
    api(owner).post(f"{here}/policies", off)
    clock.shift(1)
    ended = api(member).get(f"sessions/{started['id']}").json()
    assert (ended["state"], ended["end_reason"]) == ("ended", "access_revoked")
    refused = api(member).post("sessions", {"organization": organization.slug})
    assert refused.json()["code"] == "policy_disabled"
    assert api(owner).post("sessions", {"organization": organization.slug}).status_code == 201
