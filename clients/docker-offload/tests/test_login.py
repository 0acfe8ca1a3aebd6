"""Signing in by a code, the tokens afterwards, signing out."""

import threading

import pytest
from fakes import problem

from docker_offload.failures import SignedOut
from docker_offload.transport import Transport


def test_a_person_signs_in_by_a_code(bare, portal):
    portal.polls = ["authorization_pending", "slow_down", "authorization_pending"]
    signed = bare("login", "--no-browser")
    assert signed.code == 0, signed.err
    assert f"Open {portal.address}/device and enter the code BCDF-GHJK" in signed.err
    assert f"Signed in at {portal.address} as Ada <ada@example.com>." in signed.out
    # RFC 8628, 3.5: five seconds slower after slow_down, and from then on.
    assert bare.clock.waits == [5, 5, 10, 10]
    assert bare.store.sign_ins.stat().st_mode & 0o777 == 0o600
    assert bare("accounts").code == 0


def test_the_portal_of_the_login_is_the_one_from_then_on(bare, portal):
    address = bare.env.pop("DOCKER_OFFLOAD_PORTAL")
    assert "No portal is chosen." in bare("accounts").err
    assert bare("login", "--portal", f"{address}/").code == 0
    assert bare("accounts").code == 0


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("access_denied", "denied in the browser"),
        ("expired_token", "The code has expired."),
        ("invalid_grant", "The code has expired."),
        ("invalid_client", "refuses the sign-in (invalid_client)"),
    ],
)
def test_a_sign_in_that_fails_says_why(bare, portal, error, sentence):
    portal.polls = [error]
    failed = bare("login")
    assert failed.code == 1
    assert sentence in failed.err
    assert "secret-device-code" not in failed.err + failed.out


def test_a_code_that_nobody_confirms_expires(bare, portal):
    portal.polls = ["authorization_pending"] * 100
    assert "The code has expired." in bare("login").err
    assert sum(bare.clock.waits) <= 305


@pytest.mark.parametrize("address", ["ftp://x", "https://u:p@x", "https://x/?a=b", "https://"])
def test_what_is_no_address_is_refused(bare, address):
    assert bare("login", "--portal", address).code == 1


def test_something_that_is_no_portal_is_said_to_be_none(bare, portal):
    moved = (301, {}, {"Location": "https://portal.example/\x1b[2J"})
    portal.scripted["GET", "/.well-known/openid-configuration"] = [moved]
    failed = bare("login")
    assert failed.code == 1
    assert "no Offload Portal; it sends you on to https://portal.example/" in failed.err
    assert "\x1b" not in failed.err


def test_an_endpoint_outside_http_is_refused(bare, portal):
    bad = {"device_authorization_endpoint": "file:///etc/passwd", "token_endpoint": "https://x"}
    portal.scripted["GET", "/.well-known/openid-configuration"] = [(200, bad, {})]
    assert "names an endpoint that is not safe" in bare("login").err


def test_signing_out_revokes_and_forgets(machine, portal):
    assert machine("logout").code == 0
    assert portal.calls("POST", "/o/revoke")[0]["token"] == "refresh-1"
    assert "You are not signed in" in machine("accounts").err
    assert "You are not signed in" in machine("logout").out


def test_a_session_is_stopped_before_one_signs_out(machine):
    machine("start")
    failed = machine("logout")
    assert failed.code == 1
    assert "docker offload stop" in failed.err


def test_an_expired_token_is_refreshed_once(machine, portal):
    portal.access = "access-0"
    assert machine("accounts").code == 0
    assert len(portal.calls("POST", "/o/token")) == 1
    assert machine.store.sign_in(portal.address)["access_token"] == "access-2"


def test_a_lost_answer_to_a_refresh_is_fetched_again(machine, portal):
    portal.access = "access-0"
    portal.scripted["POST", "/o/token"] = [None]
    assert machine("accounts").code == 0
    assert len(portal.calls("POST", "/o/token")) == 2


def test_a_sign_in_that_was_revoked_says_so_and_is_forgotten(machine, portal):
    portal.access = portal.refresh = "revoked"
    failed = machine("accounts")
    assert failed.code == 1
    assert "has ended" in failed.err
    assert "docker offload login" in failed.err
    assert machine.store.sign_in(portal.address) == {}


def test_an_away_portal_does_not_sign_anybody_out(machine, portal):
    portal.access = "access-0"
    portal.scripted["POST", "/o/token"] = [(503, {}, {})] * 30
    assert machine("accounts").code == 1
    assert machine.store.sign_in(portal.address)["refresh_token"] == "refresh-1"


def test_many_shells_refresh_one_token_once(machine, portal):
    from docker_offload.clock import Clock
    from docker_offload.tokens import SignIn

    portal.access = "access-0"
    shells = [SignIn(machine.store, portal.address, Transport(), Clock()) for _ in range(6)]
    start = threading.Barrier(len(shells))

    def refresh(shell):
        start.wait()
        shell.renew("access-1")

    threads = [threading.Thread(target=refresh, args=(shell,)) for shell in shells]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(portal.calls("POST", "/o/token")) == 1
    assert {shell.bearer() for shell in shells} == {"access-2"}


def test_a_token_of_the_environment_serves_scripts(bare, portal):
    assert bare("accounts", DOCKER_OFFLOAD_TOKEN="opat_script").code == 0
    failed = bare("accounts", DOCKER_OFFLOAD_TOKEN="opat_wrong")
    assert "does not take the token in DOCKER_OFFLOAD_TOKEN" in failed.err
    assert "opat_wrong" not in failed.err


def test_a_refusal_of_fields_names_them(machine, portal):
    errors = {"engine_size": ["There is no such size."]}
    refused = problem(400, "invalid", "The request is not right.", errors=errors)
    portal.scripted["POST", "/api/v1/sessions"] = [refused]
    assert "engine_size: There is no such size. (invalid)" in machine("start", "-s", "x").err


def test_without_a_sign_in_there_is_no_bearer(bare, portal):
    from docker_offload.tokens import SignIn

    with pytest.raises(SignedOut):
        SignIn(bare.store, portal.address, Transport(), bare.clock).bearer()
