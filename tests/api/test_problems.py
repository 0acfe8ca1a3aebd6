"""Every error is problem+json; input is taken strictly (api.md, Conventions)."""

import json
from unittest import mock

import pytest
from django.db import OperationalError

from orgs import selectors
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db


def problem(answer, status, code):
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:offload-portal:problem:{code}"
    assert body["title"]
    assert body["detail"]
    return body


def test_without_a_token_and_with_a_bad_one(nobody):
    answer = nobody.get("me")
    problem(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    for value in ("opat_nonsense", "x", "é", "a" * 600, "two words"):
        bad = Api(None).get("me", Authorization=f"Bearer {value}")
        problem(bad, 401, "invalid_token")
        assert bad.headers["WWW-Authenticate"].startswith("Bearer")
    problem(nobody.get("me", Authorization="Basic YTpi"), 401, "not_authenticated")


def test_a_path_that_no_route_knows_says_the_same_as_a_foreign_thing(api, member, nobody):
    foreign = api(member).get("organizations/elsewhere")
    unknown = nobody.get("nothing/here")
    problem(unknown, 404, "not_found")
    assert unknown.json() == foreign.json()


def test_wrong_method_accept_and_content_type(api, member):
    caller = api(member)
    answer = caller.call("DELETE", "me")
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]
    problem(caller.call("OPTIONS", "me"), 405, "method_not_allowed")
    problem(caller.get("me", Accept="text/html"), 406, "not_acceptable")
    answer = caller.post("sessions", "<x/>", content_type="application/xml")
    problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[1, 2",
        b'{"organization": NaN}',
        b'{"organization": Infinity}',
        b'{"organization": "\xff"}',
        b'\xef\xbb\xbf{"organization": "acme"}',
        b"[" * 100_000,
        b'{"idle_timeout_seconds": ' + b"9" * 5_000 + b"}",
        b"",
        b"nonsense",
    ],
)
def test_what_is_not_json_is_400(api, member, raw):
    answer = api(member).post("sessions", raw)
    assert answer.status_code == 400, answer.content
    assert answer.json()["code"] in ("malformed_json", "invalid")


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"organization": "a\\u0000b"}', "organization"),
        (b'{"organization": "\\ud800"}', "organization"),
        (b'{"labels": {"a": "\\udfff"}}', "labels.a"),
        (b'{"labels": {"\\u0000": "a"}}', "labels"),
        (b'{"idle_timeout_seconds": 9223372036854775808}', "idle_timeout_seconds"),
        (b'{"idle_timeout_seconds": -9223372036854775809}', "idle_timeout_seconds"),
        (b'{"idle_timeout_seconds": 1e400}', "idle_timeout_seconds"),
        (b'{"labels": [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}', "labels.0.0.0.0.0.0.0.0.0.0.0.0"),
    ],
)
def test_what_cannot_be_stored_is_400_and_names_its_place(api, member, raw, field):
    body = problem(api(member).post("sessions", raw), 400, "invalid")
    assert list(body["errors"]) == [field]


def test_a_body_over_five_megabytes_is_413(api, member):
    raw = b'{"organization": "' + b"a" * (5 * 1024 * 1024) + b'"}'
    problem(api(member).post("sessions", raw), 413, "too_large")
    keyed = api(member).post("sessions", raw, **{"Idempotency-Key": "k"})
    problem(keyed, 413, "too_large")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"organisation": "acme"}, ["organisation"]),
        ({"organization": "acme", "client": {"kind": "cli", "versoin": "1"}}, ["client.versoin"]),
        ({}, ["organization"]),
        ({"organization": 7}, ["organization"]),
        ({"organization": "acme", "gpu": "yes"}, ["gpu"]),
        ({"organization": "acme", "gpu": 1}, ["gpu"]),
        ({"organization": "acme", "idle_timeout_seconds": "300"}, ["idle_timeout_seconds"]),
        ({"organization": "acme", "idle_timeout_seconds": True}, ["idle_timeout_seconds"]),
        ({"organization": "acme", "idle_timeout_seconds": 1.5}, ["idle_timeout_seconds"]),
        ({"organization": "acme", "idle_timeout_seconds": -1}, ["idle_timeout_seconds"]),
        ({"organization": "acme", "labels": {"1": "a"}}, ["labels"]),
        ({"organization": "acme", "labels": {"a": "x" * 256}}, ["labels.a"]),
        ({"organization": "acme", "labels": {"a" * 64: "x"}}, ["labels"]),
        ({"organization": "acme", "labels": {f"l{n}": "x" for n in range(21)}}, ["labels"]),
        ({"organization": "acme", "client": {"kind": "toaster"}}, ["client.kind"]),
        ({"organization": "acme", "client": {"kind": []}}, ["client.kind"]),
        ({"organization": "acme", "client": {"kind": "cli", "os": "a\nb"}}, ["client.os"]),
        ([], ["body"]),
        (b'"text"', ["body"]),
        (None, ["organization"]),
    ],
)
def test_each_field_at_fault_is_named(api, member, organization, body, fields):
    answer = problem(api(member).post("sessions", body), 400, "invalid")
    assert list(answer["errors"]) == fields


@pytest.mark.parametrize(
    "query",
    [
        "stat=active",
        "state=sleeping",
        "page_size=0",
        "page_size=101",
        "page_size=ten",
        "page_size=1&page_size=2",
        "started_after=yesterday",
        "started_after=2026-02-30T00:00:00Z",
        "started_after=2026-03-01T00:00:00",
        "started_after=9999-03-01T00:00:00Z",
        "min_duration_seconds=-1",
        "max_duration_seconds=99999999999999999999",
        "label=web",
        "label=1a=web",
        "cursor=nonsense",
        "user=a%00b",
        "dry_run=true",
    ],
)
def test_a_wrong_query_is_400(api, member, query):
    answer = api(member).get(f"sessions?{query}")
    assert answer.status_code == 400, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_database_away_is_503_and_says_when_to_try_again(api, member):
    caller = api(member)
    with mock.patch("orgs.api.people.organizations_of", side_effect=OperationalError("gone")):
        answer = caller.get("me")
    problem(answer, 503, "database_away")
    assert answer.headers["Retry-After"] == "5"


def test_a_fault_of_ours_is_500_without_its_insides(api, member, caplog):
    caller = api(member)
    with mock.patch("orgs.api.people.organizations_of", side_effect=KeyError("secret")):
        answer = caller.get("me")
    problem(answer, 500, "internal_error")
    assert b"secret" not in answer.content
    assert "KeyError" in caplog.text


def test_a_refusal_says_whom_to_ask(api, colleague, organization, owner):
    body = problem(
        api(colleague).post("sessions", {"organization": organization.slug}), 403, "no_license"
    )
    assert body["contacts"] == [{"name": owner.name, "email": owner.email}]
    assert selectors.contacts(organization)[0].email == owner.email


def test_instants_have_no_fractions(api, member, organization):
    session = api(member).post("sessions", {"organization": organization.slug})
    text = json.dumps(session.json())
    assert "2026-03-11T12:00:00Z" in text
    assert "+00:00" not in text
