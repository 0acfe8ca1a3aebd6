"""Tokens for scripts: their form, their look-up, their pages, the command."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from offload_portal.common.actors import Actor
from orgs.enums import TokenKind
from orgs.models import AuditEntry, Token
from orgs.services import tokens
from tests.api.conftest import Api, issue


@given(st.sampled_from(list(TokenKind)), st.integers(0, 42), st.sampled_from(tokens.ALPHABET))
def test_any_typo_of_one_character_fails_the_checksum(kind, place, letter):
    value = tokens.new_value(kind)
    assert tokens.is_well_formed(value)
    typo = value[:place] + letter + value[place + 1 :]
    assert tokens.is_well_formed(typo) is (typo == value)


@pytest.mark.parametrize("value", ["", "opat_", "opat_" + "a" * 38, "opat_é" + "a" * 37, "x" * 43])
def test_what_is_no_token_fails(value):
    assert not tokens.is_well_formed(value)


@pytest.mark.django_db
def test_a_typo_is_refused_without_a_query(member, clock, at, django_assert_num_queries):
    value = issue(member, at)
    typo = value[:-1] + ("a" if value[-1] != "a" else "b")
    with django_assert_num_queries(0):
        answer = Api(typo).get("me")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "invalid_token"


@pytest.mark.django_db
def test_a_token_costs_one_statement(api, member, clock, django_assert_num_queries):
    caller = api(member)
    caller.get("me")
    with django_assert_num_queries(2):  # the token, and the catalog itself
        assert caller.get("plans").status_code == 200


@pytest.mark.django_db
def test_nothing_of_the_token_is_kept_but_its_digest(member, at):
    value = issue(member, at)
    row = Token.objects.get()
    assert row.digest == tokens.digest(value)
    assert value not in str(row.__dict__)
    assert value.startswith(row.hint)
    assert AuditEntry.objects.get(event="token.created").subject_id == row.pk


@pytest.mark.django_db
def test_expired_revoked_and_removed_are_401(api, member, at, clock):
    caller = api(member)
    token = Token.objects.get()
    clock.shift(90)
    assert caller.get("me").status_code == 200
    tokens.revoke_token(actor=Actor(member.pk), at=at, token=token)
    assert caller.get("me").status_code == 401
    Token.objects.update(revoked_at=None, expires_at=at + timedelta(seconds=90))
    assert caller.get("me").status_code == 401
    Token.objects.update(expires_at=at + timedelta(seconds=91))
    assert caller.get("me").status_code == 200
    member.is_active = False
    member.save()
    assert caller.get("me").status_code == 401


@pytest.mark.django_db
def test_last_use_is_written_once_in_a_quarter_of_an_hour(api, member, at, clock):
    caller = api(member)
    for shift, noted in ((0, 0), (899, 0), (1, 900)):
        clock.shift(shift)
        caller.get("me")
        assert Token.objects.get().last_used_at == at + timedelta(seconds=noted)


@pytest.mark.django_db
def test_scopes_are_checked_by_route(api, owner, organization):
    usage = api(owner, "usage:read")
    refused = usage.get(f"organizations/{organization.slug}/members")
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert refused.json()["required_scope"] == "org:read"
    assert usage.get(f"organizations/{organization.slug}/usage").status_code == 200
    sessions = api(owner, "sessions")
    assert sessions.post("organizations", {"name": "New"}).status_code == 403
    assert sessions.get("accounts").status_code == 200


@pytest.mark.django_db
def test_with_sessions_alone_an_owner_sees_only_their_own(api, owner, member, organization):
    started = api(member).post("sessions", {"organization": organization.slug}).json()
    narrow, wide = api(owner, "sessions"), api(owner)
    assert narrow.get("sessions").json()["results"] == []
    assert [row["id"] for row in wide.get("sessions").json()["results"]] == [started["id"]]
    assert narrow.get(f"sessions/{started['id']}").status_code == 403
    assert narrow.post(f"sessions/{started['id']}/stop").status_code == 403
    stopped = wide.post(f"sessions/{started['id']}/stop")
    assert stopped.json()["end_reason"] == "stopped_by_owner"


@pytest.mark.django_db
def test_an_organizations_token_reads_and_never_acts(
    organization_api, api, member, organization, stranger
):
    started = api(member).post("sessions", {"organization": organization.slug}).json()
    rows = organization_api.get(f"sessions?organization={organization.slug}").json()["results"]
    assert [row["id"] for row in rows] == [started["id"]]
    here = f"organizations/{organization.slug}"
    for path in ("", "/policy", "/members", "/licenses", "/allowance", "/usage", "/audit"):
        assert organization_api.get(here + path).status_code == 200, path
    csv = organization_api.get(f"{here}/sessions.csv")
    assert started["id"] in csv.getvalue().decode()
    for answer in (
        organization_api.get("me"),
        organization_api.post("sessions", {"organization": organization.slug}),
        organization_api.post(f"{here}/sessions/stop-all"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "person_required")
    assert organization_api.get("organizations/elsewhere/policy").status_code == 404


@pytest.mark.django_db
def test_the_command_prints_a_token_that_works(member, capsys):
    call_command("issue_token", member.email, "--scope", "sessions", "--expires-days", "2")
    value = capsys.readouterr().out.strip()
    assert Api(value).get("me").json()["email"] == member.email
    row = Token.objects.get()
    assert row.scopes == ["sessions"]
    assert row.expires_at == row.created_at + timedelta(days=2)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody@example.com"], "Nobody has the e-mail address nobody@example.com."),
        (["{}", "--expires-days", "0"], "--expires-days lies within"),
        (["{}", "--name", "x" * 81], "80 characters"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(member, arguments, says):
    with pytest.raises(CommandError) as error:
        call_command("issue_token", *(word.format(member.email) for word in arguments))
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert not Token.objects.exists()


@pytest.mark.django_db
def test_a_token_is_made_on_the_page_shown_once_and_revoked(client_of, member):
    browser = client_of(member)
    page = browser.post(
        reverse("orgs:tokens"), {"name": "CI", "scopes": ["sessions"], "expires": "30"}
    )
    value = page.context["issued"].value
    assert value in page.content.decode()
    assert page.headers["Cache-Control"] == "no-store"
    assert Api(value).get("me").status_code == 200
    again = browser.get(reverse("orgs:tokens")).content.decode()
    assert value not in again
    assert value[:9] in again
    token = Token.objects.get()
    browser.post(reverse("orgs:revoke_token", args=[token.pk]))
    assert Api(value).get("me").status_code == 401


@pytest.mark.django_db
def test_only_owners_make_an_organizations_tokens(
    client_of, owner, editor, member, stranger, organization
):
    address = reverse("orgs:organization_tokens", args=[organization.slug])
    data = {"name": "Grafana", "scopes": ["usage:read"], "expires": ""}
    assert client_of(stranger).post(address, data).status_code == 404
    assert client_of(member).post(address, data).status_code == 403
    assert client_of(editor).post(address, data).status_code == 403
    page = client_of(owner).post(address, data)
    assert page.context["issued"].value.startswith("ooat_")
    more = client_of(owner).post(address, {**data, "scopes": ["org:write"]})
    assert more.status_code == 400
    token = Token.objects.get()
    revoke = reverse("orgs:revoke_organization_token", args=[organization.slug, token.pk])
    assert client_of(stranger).post(revoke).status_code == 404
    assert client_of(owner).post(revoke).status_code == 302


@pytest.mark.django_db
def test_nobody_revokes_anothers_token(client_of, member, stranger, at):
    issue(member, at)
    address = reverse("orgs:revoke_token", args=[Token.objects.get().pk])
    assert client_of(stranger).post(address).status_code == 404
    assert Token.objects.get().revoked_at is None
