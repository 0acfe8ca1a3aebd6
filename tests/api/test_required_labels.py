"""Labels that a policy requires, so that every session can be charged to somebody (rules 6, 26)."""

from dataclasses import fields

import pytest

from offload_portal.common.refusals import Refusal
from orgs.selectors import policy_terms
from orgs.services import PolicyChange, update_policy
from orgs.services.overrides import OverrideChange, add_override
from tests.factories import actor
from tests.sessions import worlds

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def require(organization, owner, at, *names):
    terms = policy_terms(organization)
    same = {field.name: getattr(terms, field.name) for field in fields(PolicyChange)}
    change = PolicyChange(**{**same, "required_labels": names})
    update_policy(actor=actor(owner), at=at, organization=organization, change=change)


def test_a_start_without_one_is_refused_and_says_which_and_whom_to_ask(
    organization, owner, member, at
):
    require(organization, owner, at, "team", "job")
    with pytest.raises(Refusal) as refused:
        worlds.start(organization, member, at, labels={"job": "nightly"})
    found = refused.value
    assert (found.code, found.status, found.extra["labels"]) == ("label_required", 403, ["team"])
    assert "requires the label team" in found.sentence
    assert found.extra["contacts"][0]["name"] == "Olga Owner"
    started = worlds.start(organization, member, at, labels={"job": "nightly", "team": ""})
    assert started.labels == {"job": "nightly", "team": ""}


def test_it_comes_after_the_bounds_of_the_idle_timeout_and_before_what_runs(
    api, organization, owner, member, at
):
    wish = {"organization": organization.slug}
    assert api(member).post("sessions", wish).status_code == 201
    require(organization, owner, at, "team")
    refused = api(member).post("sessions", {**wish, "idle_timeout_seconds": 5})
    assert refused.json()["code"] == "idle_timeout_out_of_bounds"
    assert api(member).post("sessions", wish).json()["code"] == "label_required"
    running = api(member).post("sessions", {**wish, "labels": {"team": "web"}}).json()
    assert running["code"] == "session_already_running"
    assert running["contacts"][0]["name"] == "Olga Owner"


def test_who_can_give_the_labels_may_start_and_reads_which_they_are(
    api, organization, owner, member, at
):
    require(organization, owner, at, "team")
    (account,) = api(member).get("accounts").json()["results"]
    assert (account["can_start"], account["policy"]["required_labels"]) == (True, ["team"])


def test_a_policy_for_one_person_requires_others(organization, owner, member, at):
    require(organization, owner, at, "team")
    free = OverrideChange("Free", {"required_labels": []}, (), [member.pk])
    add_override(actor=actor(owner), at=at, organization=organization, change=free)
    assert worlds.start(organization, member, at).labels == {}
    with pytest.raises(Refusal):
        worlds.start(organization, owner, at)


def test_a_running_session_goes_on_and_is_told(api, organization, owner, member, at):
    session = worlds.start(organization, member, at)
    require(organization, owner, at, "team")
    told = api(member).get(f"sessions/{session.pk}").json()
    assert told["state"] != "ended"
    (notice,) = [each for each in told["notices"] if each["kind"] == "policy_changed"]
    assert "the labels team" in notice["sentence"]


def test_owners_set_them_on_the_page_and_by_the_api_and_old_clients_keep_them(
    api, client_of, organization, owner, at
):
    address = f"/organizations/{organization.slug}/policy/"
    browser = client_of(owner)
    form = {
        "offload": "enabled", "idle_timeout_seconds": "300", "idle_timeout_least_seconds": "10",
        "idle_timeout_most_seconds": "3600", "engine_sizes": ["standard"],
        "longest_session_minutes": "", "sessions_per_person": "1",
        "keep_alive_most_minutes": "240", "required_labels": " team; cost-centre,team ",
    }  # fmt: skip
    assert browser.post(address, form).status_code == 302
    assert policy_terms(organization).required_labels == ("team", "cost-centre")
    assert 'value="team, cost-centre"' in browser.get(address).content.decode()
    wrong = browser.post(address, {**form, "required_labels": "-x"})
    assert "“-x” is no name of a label" in wrong.content.decode()
    path = f"organizations/{organization.slug}/policies"
    everyones = api(owner).get(path).json()["results"][0]
    terms = {name: value for name, value in everyones["terms"].items() if name != "required_labels"}
    put = api(owner).put(
        f"{path}/{everyones['id']}", {"terms": {**terms, "sessions_per_person": 2}}
    )
    assert put.json()["terms"]["required_labels"] == ["team", "cost-centre"]
