"""Requests by API, and the refusals that lead to them (rule 26)."""

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def here(organization):
    return f"organizations/{organization.slug}/requests"


def test_a_refusal_names_the_request_that_may_help(api, colleague, organization, settings, here):
    refused = api(colleague).post("sessions", {"organization": organization.slug}).json()
    assert refused["code"] == "no_license"
    assert refused["contacts"][0]["name"] == "Olga Owner"
    url = f"{settings.PORTAL_URL}/{here}/new/?kind=access"
    assert refused["request"] == {"kind": "access", "url": url}
    made = api(colleague).post(here, {"kind": refused["request"]["kind"]})
    assert made.status_code == 201


def test_an_approved_request_lets_the_member_start(api, owner, colleague, organization, here):
    asked = api(colleague).post(here, {"kind": "access", "note": "A release is due."})
    url = asked.headers["Location"]
    change = {"state": "approved", "until": "2026-03-12T00:00:00Z", "answer": "Do."}
    answered = api(owner).patch(url, change).json()
    assert (answered["state"], answered["answer"]) == ("approved", "Do.")
    assert answered["answered_by"] == "Olga Owner"
    assert api(colleague).post("sessions", {"organization": organization.slug}).status_code == 201
    again = api(owner).patch(url, change)
    assert (again.status_code, again.json()["code"]) == (409, "request_answered")


def test_asking_twice_is_409_and_withdrawing_makes_room(api, colleague, here):
    caller = api(colleague)
    url = caller.post(here, {"kind": "access"}).headers["Location"]
    twice = caller.post(here, {"kind": "access"})
    assert (twice.status_code, twice.json()["code"]) == (409, "request_open")
    assert caller.patch(url, {"state": "withdrawn"}).json()["state"] == "withdrawn"
    assert caller.post(here, {"kind": "access"}).status_code == 201


def test_a_member_s_list_is_their_own(api, editor, member, colleague, here):
    api(member).post(here, {"kind": "hours"})
    api(colleague).post(here, {"kind": "access"})
    (own,) = api(member).get(here).json()["results"]
    assert own["kind"] == "hours"
    assert len(api(editor).get(here).json()["results"]) == 2
    assert len(api(editor).get(f"{here}?state=approved").json()["results"]) == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "money"}, "kind"),
        ({}, "kind"),
        ({"kind": "hours", "wanted_seconds": 59}, "wanted_seconds"),
        ({"kind": "hours", "colour": "red"}, "colour"),
    ],
)
def test_what_can_not_be_is_400_at_its_field(api, member, here, body, field):
    answer = api(member).post(here, body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_approving_access_needs_an_end(api, owner, colleague, here):
    url = api(colleague).post(here, {"kind": "access"}).headers["Location"]
    refused = api(owner).patch(url, {"state": "approved"})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["until"])


def test_a_change_that_says_nothing_changes_nothing(api, owner, colleague, here):
    url = api(colleague).post(here, {"kind": "access"}).headers["Location"]
    assert api(owner).patch(url, {}).json()["state"] == "open"
    refused = api(owner).patch(url, {"answer": "Perhaps."})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["state"])
