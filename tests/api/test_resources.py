"""What each resource says, beside its errors: tags, waiting, accounts, billing, documents."""

import pytest
import yaml
from django.conf import settings as django_settings

from offload_portal.pages.api import documents
from tests import factories

pytestmark = pytest.mark.django_db


def test_me_and_preferences(api, member, organization):
    caller = api(member)
    me = caller.get("me").json()
    assert me["email"] == member.email
    assert me["organizations"] == [
        {"slug": organization.slug, "name": organization.name, "role": "member"}
    ]
    wanted = {
        "default_organization": organization.slug,
        "idle_timeout_seconds": 600,
        "language": "zh-hans",
        "zone": "Asia/Shanghai",
    }
    assert caller.patch("me/preferences", wanted).json() == wanted
    assert caller.get("me").json()["preferences"] == wanted
    assert caller.patch("me/preferences", {"zone": None}).json() == {**wanted, "zone": None}
    for wrong in ({"idle_timeout_seconds": 9}, {"language": "xx"}, {"zone": "Nowhere"}):
        assert caller.patch("me/preferences", wrong).status_code == 400


def test_a_tag_spares_the_body_until_a_fact_changes(api, member, organization, clock):
    caller = api(member)
    session = caller.post("sessions", {"organization": organization.slug}).json()
    path = f"sessions/{session['id']}"
    first = caller.get(path)
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    clock.shift(5)
    second = caller.get(path, **{"If-None-Match": tag})
    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["ETag"] == tag
    assert caller.get(path).json()["elapsed_seconds"] == 5
    caller.post(f"{path}/activity", {"sequence": 1, "api_calls": 1})
    third = caller.get(path, **{"If-None-Match": tag})
    assert third.status_code == 200
    assert third.headers["ETag"] != tag


@pytest.mark.parametrize("path", ["me", "plans", "organizations/{}", "organizations/{}/policy"])
def test_other_resources_have_tags_too(api, member, organization, clock, path):
    caller = api(member)
    address = path.format(organization.slug)
    tag = caller.get(address).headers["ETag"]
    clock.shift(100)
    assert caller.get(address, **{"If-None-Match": f'"other", {tag}'}).status_code == 304
    assert caller.get(address, **{"If-None-Match": '"other"'}).status_code == 200


def test_accounts_say_where_one_can_start(api, member, colleague, organization, at):
    factories.organization(member, at=at, name="Empty")
    rows = {row["name"]: row for row in api(member).get("accounts").json()["results"]}
    acme, empty = rows["Acme"], rows["Empty"]
    assert acme["can_start"] is True
    assert acme["license"] == {"state": "held", "grants": ["person"], "queue_place": None}
    assert acme["allowance"]["left_compute_seconds"] > 0
    assert acme["running_session"] is None
    assert (empty["can_start"], empty["code"]) == (False, "not_subscribed")
    assert empty["detail"]
    row = api(colleague).get("accounts").json()["results"][0]
    assert (row["can_start"], row["code"]) == (False, "no_license")
    started = api(member).post("sessions", {"organization": organization.slug}).json()
    acme = next(
        row for row in api(member).get("accounts").json()["results"] if row["name"] == "Acme"
    )
    assert acme["running_session"]["id"] == started["id"]
    assert acme["code"] == "session_already_running"


def test_accounts_agree_with_what_a_start_would_meet(api, member, colleague, organization):
    for person in (member, colleague):
        caller = api(person)
        account = caller.get("accounts").json()["results"][0]
        start = caller.post("sessions?dry_run=true", {"organization": organization.slug})
        assert start.status_code == 200
        body = start.json()
        assert body["would_start"] is account["can_start"]
        refusal = body["refusal"] or {}
        assert refusal.get("code") == account["code"]
        assert refusal.get("detail") == account["detail"]
    assert caller.get("sessions").json()["results"] == []


def test_accounts_cost_the_same_for_any_number(api, member, organization, at):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    caller = api(member)
    caller.get("me")

    def cost():
        with CaptureQueriesContext(connection) as queries:
            assert caller.get("accounts").status_code == 200
        return len(queries)

    one = cost()
    for number in range(4):
        factories.subscribed_organization(member, at=at, name=f"Other {number}")
    assert cost() == one
    assert one <= 20


def test_a_dry_run_says_what_it_costs(api, member, organization):
    answer = api(member).post(
        "sessions?dry_run=true", {"organization": organization.slug, "engine_size": "large"}
    )
    body = answer.json()
    assert body["would_start"] is True
    assert (body["engine_size"], body["multiplier"], body["source"]) == ("large", 2, "committed")
    assert body["rate_microusd_per_second"] == 0
    assert body["affordable_seconds"] > 0
    unknown = {"organization": organization.slug, "engine_size": "huge"}
    assert api(member).post("sessions?dry_run=true", unknown).status_code == 400


def test_an_organization_is_made_subscribed_and_limited_by_api(api, stranger):
    caller = api(stranger)
    made = caller.post("organizations", {"name": "Fresh"})
    assert made.status_code == 201
    here = f"organizations/{made.json()['slug']}"
    assert made.headers["Location"].endswith(f"/api/v1/{here}")
    assert caller.get(f"{here}/subscription").json()["code"] == "not_subscribed"
    plans = {row["slug"]: row for row in caller.get("plans").json()["results"]}
    dry = caller.post(f"{here}/subscription?dry_run=true", {"plan": "team"})
    assert (dry.status_code, dry.json()["price_microusd"]) == (
        200,
        plans["team"]["price_microusd"],
    )
    assert caller.get(f"{here}/subscription").status_code == 402
    assert caller.post(f"{here}/subscription", {"plan": "team"}).status_code == 201
    assert caller.get(here).json()["subscription_state"] == "active"
    assert caller.post(f"{here}/subscription", {"plan": "none"}).status_code == 400
    limits = {"mode": "limited", "limit_microusd": 0}
    preview = caller.put(f"{here}/limits?dry_run=true", limits).json()
    assert preview["would_refuse_starts"] is False
    assert caller.get(f"{here}/limits").json()["mode"] == "off"
    assert caller.put(f"{here}/limits", limits).json()["limit_microusd"] == 0
    history = caller.get(f"{here}/limits/history").json()["results"]
    assert history[0]["mode"] == "limited"
    bought = caller.post(f"{here}/top-ups", {"compute_seconds": 7_200})
    assert bought.status_code == 201
    allowance = caller.get(f"{here}/allowance").json()
    assert allowance["top_up"]["left_compute_seconds"] == 7_200
    cancelled = caller.patch(f"{here}/subscription", {"cancelled": True}).json()
    assert cancelled["cancel_at"] == cancelled["period"]["end"]
    assert caller.patch(f"{here}/subscription", {"cancelled": False}).json()["cancel_at"] is None
    wrong = caller.patch(f"{here}/subscription", {"cancelled": True, "plan": "team"})
    assert wrong.status_code == 400
    assert caller.patch(here, {"name": "Fresher"}).json()["name"] == "Fresher"


def test_people_are_invited_by_api(api, owner, member, organization, mailoutbox):
    here = f"organizations/{organization.slug}/invitations"
    emails = ["ada@example.com", "not an address", member.email, "ADA@example.com"]
    made = api(owner).post(here, {"emails": emails, "role": "editor"})
    assert made.status_code == 201, made.content
    assert [row["email"] for row in made.json()["sent"]] == ["ada@example.com"]
    assert [row["reason"] for row in made.json()["skipped"]] == ["invalid", "member", "duplicate"]
    assert [message.to for message in mailoutbox[-1:]] == [["ada@example.com"]]
    rows = api(owner).get(here).json()["results"]
    assert [(row["email"], row["role"]) for row in rows] == [("ada@example.com", "editor")]
    for wrong in ([], ["a@example.com"] * 1_001):
        assert api(owner).post(here, {"emails": wrong}).status_code == 400


def test_the_audit_log_has_filters(api, owner, member, organization, at):
    here = f"organizations/{organization.slug}/audit"
    caller = api(owner)
    api(member).post("sessions", {"organization": organization.slug})
    started = caller.get(f"{here}?action=session.started").json()["results"]
    assert [row["actor"]["email"] for row in started] == [member.email]
    assert started[0]["origin"] == "127.0.0.1"
    assert caller.get(f"{here}?actor={member.pk}&action=session.started").json() == {
        "results": started,
        "next": None,
        "previous": None,
    }
    assert caller.get(f"{here}?until=2026-03-11T12:00:00Z").json()["results"] == []


def report_refused(api, member, organization, body):
    caller = api(member)
    session = caller.post("sessions", {"organization": organization.slug}).json()
    return caller.post(f"sessions/{session['id']}/activity", body)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "sequence"),
        ({"sequence": 0}, "sequence"),
        ({"sequence": 1, "running_containers": -1}, "running_containers"),
        ({"sequence": 1, "running_containers": 10**7}, "running_containers"),
        ({"sequence": 1, "containers": [{"id": "a"}]}, "containers.0.image"),
        ({"sequence": 1, "containers": [{"id": "a b"}]}, "containers.0.id"),
        ({"sequence": 1, "containers": {}}, "containers"),
        (
            {"sequence": 1, "samples": [{"at": "2026-03-11T12:00:00Z", "cpu_percent": -1}]},
            "samples.0.cpu_percent",
        ),
    ],
)
def test_a_wrong_report_names_its_field_and_changes_nothing(api, member, organization, body, field):
    answer = report_refused(api, member, organization, body)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_too_many_containers_are_refused(api, member, organization):
    one = {"id": "a", "image": "b", "started_at": "2026-03-11T12:00:00Z"}
    body = {"sequence": 1, "containers": [one] * 10_001}
    answer = report_refused(api, member, organization, body)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["containers"]


def test_a_run_that_exited_before_it_started_is_refused(api, member, organization):
    one = {
        "id": "a",
        "image": "b",
        "started_at": "2026-03-11T12:00:02Z",
        "exited_at": "2026-03-11T12:00:01Z",
    }
    answer = report_refused(api, member, organization, {"sequence": 1, "containers": [one]})
    assert list(answer.json()["errors"]) == ["containers.0.exited_at"]


def test_answering_without_a_prompt_is_409(api, member, organization):
    caller = api(member)
    session = caller.post("sessions", {"organization": organization.slug}).json()
    answer = caller.post(f"sessions/{session['id']}/prompt", {"answer": "stay"})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_prompt_due")


def test_the_committed_document_is_the_generated_one():
    """`manage.py openapi` writes it anew."""
    committed = (django_settings.BASE_DIR / "docs" / "openapi.yaml").read_text()
    assert yaml.safe_load(committed) == yaml.safe_load(documents.as_yaml())


def test_the_generator_has_nothing_to_complain_of(capsys):
    documents.document()
    assert capsys.readouterr().err == ""


def test_the_document_is_served(nobody):
    answer = nobody.get("schema")
    assert answer.status_code == 200
    assert answer.json()["openapi"] == "3.1.1"
    text = nobody.get("schema", Accept="application/vnd.oai.openapi")
    assert yaml.safe_load(text.content) == answer.json()


def test_the_page_to_read_it_has_nothing_inline(client):
    answer = client.get("/api/v1/docs")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "<style" not in page
    assert "style=" not in page
    assert page.count("<script") == page.count("<script src=")
    for operations in documents.document()["paths"].values():
        for operation in operations.values():
            assert f'id="{operation["operationId"]}"' in page
    for name in documents.document()["components"]["schemas"]:
        assert f'id="shape-{name}"' in page
