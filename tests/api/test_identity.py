"""The identity provider over HTTP: device codes, PKCE, refresh tokens (api.md)."""

import base64
import hashlib
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from allauth.idp.oidc.internal.oauthlib import device_codes
from allauth.idp.oidc.models import Token
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client, RequestFactory
from oauthlib.oauth2.rfc8628.errors import AuthorizationPendingError

from orgs import devices
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["the run's cache", "database"], autouse=True)
def _cache(request, settings):
    """The embedded default keeps device codes in a table, which forgets by whole seconds."""
    if request.param == "database":
        backend = "django.core.cache.backends.db.DatabaseCache"
        settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "portal_cache_of_tests"}}
        call_command("createcachetable", verbosity=0)


DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
CLI = "docker-offload-cli"
DESKTOP = "docker-offload-desktop"


def ask_for_code(scope="openid sessions org:read"):
    data = {"client_id": CLI} if scope is None else {"client_id": CLI, "scope": scope}
    answer = form("/identity/o/api/device/code", data)
    assert answer.status_code == 200, answer.content
    return answer.json()


def form(path, data):
    return Client().post(path, urlencode(data), content_type="application/x-www-form-urlencoded")


def poll(code):
    data = {"grant_type": DEVICE, "client_id": CLI, "device_code": code["device_code"]}
    return form("/identity/o/api/token", data)


def decide(browser, code, action="confirm"):
    return browser.post(f"/identity/o/device?code={code['user_code']}", {"action": action})


def refresh(token, client_id=CLI):
    data = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": token}
    return form("/identity/o/api/token", data)


@pytest.fixture
def code(clock):
    return ask_for_code()


def test_discovery_publishes_scopes_and_s256(client):
    found = client.get("/.well-known/openid-configuration").json()
    assert {"sessions", "org:read", "org:write", "usage:read"} <= set(found["scopes_supported"])
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["device_authorization_endpoint"].endswith("/identity/o/api/device/code")
    assert DEVICE in found["grant_types_supported"]


def test_a_device_is_connected_from_code_to_session_list(client_of, member, code, clock):
    assert poll(code).json()["error"] == "authorization_pending"
    browser = client_of(member)
    page = browser.get(f"/identity/o/device?code={code['user_code']}")
    assert page.status_code == 200
    assert code["user_code"] in page.content.decode()
    assert decide(browser, code).status_code == 200
    clock.shift(6)
    answer = poll(code)
    assert answer.status_code == 200, answer.content
    tokens = answer.json()
    assert set(tokens["scope"].split()) == {"openid", "sessions", "org:read"}
    assert Api(tokens["access_token"]).get("me").json()["email"] == member.email
    assert Api(tokens["access_token"]).get("sessions").status_code == 200
    clock.shift(6)
    assert poll(code).json()["error"] == "invalid_grant"


def test_without_a_scope_a_device_gets_the_usual_ones(client_of, member, clock):
    code = ask_for_code(scope=None)
    decide(client_of(member), code)
    assert set(poll(code).json()["scope"].split()) == {
        "openid",
        "sessions",
        "org:read",
        "usage:read",
    }


def test_polling_too_fast_is_told_to_slow_down(code, clock):
    assert poll(code).json()["error"] == "authorization_pending"
    clock.shift(4)
    assert poll(code).json()["error"] == "slow_down"
    clock.shift(1)
    assert poll(code).json()["error"] == "authorization_pending"


def test_a_client_that_keeps_the_interval_is_never_slowed_down(code, clock):
    for _turn in range(10):
        assert poll(code).json()["error"] == "authorization_pending"
        clock.shift(code["interval"])


def test_a_refused_device_is_told_so(client_of, member, code):
    decide(client_of(member), code, "deny")
    assert poll(code).json()["error"] == "access_denied"


def test_a_code_is_decided_once(client_of, member, stranger, code, clock):
    assert decide(client_of(member), code).status_code == 200
    assert decide(client_of(stranger), code, "deny").status_code == 400
    clock.shift(6)
    assert "access_token" in poll(code).json()


def test_a_code_expires(client_of, member, code, clock):
    clock.shift(301)
    assert decide(client_of(member), code).status_code == 400
    assert poll(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("typed", ["{} ", "{}", "lower"])
def test_a_code_may_be_typed_without_its_dash(client_of, member, code, typed):
    bare = code["user_code"].replace("-", "")
    text = bare.lower() if typed == "lower" else typed.format(bare)
    page = client_of(member).get("/identity/o/device", {"code": text})
    assert code["user_code"] in page.content.decode()


def test_a_signed_out_browser_signs_in_first_and_a_wrong_code_is_refused(client_of, member, client):
    assert client.get("/identity/o/device").status_code == 302
    answer = client_of(member).get("/identity/o/device?code=BCDF-GHJK")
    assert answer.status_code == 400


def test_approving_takes_the_forms_token(member, code):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(member, "allauth.account.auth_backends.AuthenticationBackend")
    assert decide(browser, code).status_code == 403
    assert poll(code).json()["error"] == "authorization_pending"


class Interleaved:
    """The cache, in which something happens once, right after the read of a key."""

    def __init__(self, prefix, happens):
        self.prefix, self.happens = prefix, happens

    def get(self, key, *args, **kwargs):
        found = cache.get(key, *args, **kwargs)
        if self.happens is not None and key.startswith(self.prefix):
            happens, self.happens = self.happens, None
            happens()
        return found

    def __getattr__(self, name):
        return getattr(cache, name)


def test_allauths_own_poll_loses_an_approval(member, code, monkeypatch):
    """Why `orgs.devices` exists; when this fails, allauth has been cured."""

    def approve():
        assert device_codes.confirm_or_deny_device_code(member, code["device_code"], confirm=True)

    between = Interleaved("allauth.idp.oidc.device_code", approve)
    monkeypatch.setattr(device_codes, "cache", between)
    data = {"client_id": CLI, "device_code": code["device_code"]}
    with pytest.raises(AuthorizationPendingError):
        device_codes.poll_device_code(RequestFactory().post("/", data))
    assert between.happens is None
    assert cache.get(device_codes.cache_device_code_key(code["device_code"]))["granted"] is None


@pytest.mark.parametrize("read", ["allauth.idp.oidc.device_code", "portal.device.decision"])
def test_an_approval_inside_a_poll_is_not_lost(client_of, member, code, clock, monkeypatch, read):
    """Between any read of the poll and its end."""
    browser = client_of(member)
    between = Interleaved(read, lambda: decide(browser, code))
    monkeypatch.setattr(devices, "cache", between)
    first = poll(code).json()
    assert between.happens is None
    clock.shift(6)
    second = poll(code).json()
    assert "access_token" in first or "access_token" in second


def test_two_polls_at_once_get_one_pair_of_tokens(client_of, member, code, clock, monkeypatch):
    decide(client_of(member), code)
    answers = []

    def other():
        cache.delete(devices._poll_key(code["device_code"]))
        answers.append(poll(code).json())

    monkeypatch.setattr(devices, "cache", Interleaved("portal.device.decision", other))
    answers.append(poll(code).json())
    assert sorted("access_token" in answer for answer in answers) == [False, True]


@pytest.fixture
def tokens(client_of, member, code):
    decide(client_of(member), code)
    return poll(code).json()


def test_a_lost_answer_can_be_fetched_again_for_30_seconds(tokens, clock):
    first = refresh(tokens["refresh_token"])
    assert first.status_code == 200, first.content
    assert first.json()["refresh_token"] != tokens["refresh_token"]
    clock.shift(30)
    again = refresh(tokens["refresh_token"])
    assert again.status_code == 200
    assert again.json() == first.json()
    assert Api(again.json()["access_token"]).get("me").status_code == 200


def test_a_reused_refresh_token_revokes_its_family(tokens, clock):
    pair = refresh(tokens["refresh_token"]).json()
    clock.shift(31)
    reused = refresh(tokens["refresh_token"])
    assert (reused.status_code, reused.json()["error"]) == (400, "invalid_grant")
    assert refresh(pair["refresh_token"]).json()["error"] == "invalid_grant"
    for token in (tokens["access_token"], pair["access_token"]):
        assert Api(token).get("me").status_code == 401
    assert not Token.objects.exists()


def test_another_family_outlives_a_revoked_one(client_of, member, tokens, clock):
    clock.shift(6)
    other = ask_for_code()
    decide(client_of(member), other)
    theirs = poll(other).json()
    refresh(tokens["refresh_token"])
    clock.shift(31)
    refresh(tokens["refresh_token"])
    assert Api(theirs["access_token"]).get("me").status_code == 200


def test_signing_out_revokes_both_tokens(tokens):
    data = {"client_id": CLI, "token": tokens["refresh_token"]}
    assert form("/identity/o/api/revoke", data).status_code == 200
    assert Api(tokens["access_token"]).get("me").status_code == 401


def test_somebody_who_was_switched_off_is_401(tokens, member):
    member.is_active = False
    member.save()
    assert Api(tokens["access_token"]).get("me").status_code == 401
    assert refresh(tokens["refresh_token"]).status_code in (400, 401)


def test_an_expired_access_token_is_401(tokens, clock):
    clock.shift(3_601)
    answer = Api(tokens["access_token"]).get("me")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


REDIRECT = "http://127.0.0.1:51004/callback"


def authorize(challenge, method="S256", **more):
    return {
        "client_id": DESKTOP,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": "openid sessions",
        "state": "st4te",
        "code_challenge": challenge,
        "code_challenge_method": method,
        **more,
    }


def pkce():
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def grant(browser, challenge):
    page = browser.get("/identity/o/authorize", authorize(challenge))
    assert page.status_code == 200, page.content
    signed = page.context["form"].initial["request"]
    data = {"request": signed, "scopes": ["openid", "sessions"], "action": "grant"}
    answer = browser.post("/identity/o/authorize", data)
    assert answer.status_code == 302, answer.content
    return page, parse_qs(urlsplit(answer.headers["Location"]).query)


def exchange(code, verifier):
    data = {
        "grant_type": "authorization_code",
        "client_id": DESKTOP,
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": verifier,
    }
    return form("/identity/o/api/token", data)


def test_desktop_signs_in_with_pkce(client_of, member, clock):
    verifier, challenge = pkce()
    page, query = grant(client_of(member), challenge)
    assert query["state"] == ["st4te"]
    policy = page.headers["Content-Security-Policy"]
    assert "form-action 'self' http://127.0.0.1:51004;" in policy
    answer = exchange(query["code"][0], verifier)
    assert answer.status_code == 200, answer.content
    assert Api(answer.json()["access_token"]).get("me").json()["email"] == member.email
    assert exchange(query["code"][0], verifier).status_code == 400


def test_a_wrong_verifier_gets_nothing(client_of, member, clock):
    _verifier, challenge = pkce()
    _page, query = grant(client_of(member), challenge)
    assert exchange(query["code"][0], pkce()[0]).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("method", ["plain", "", "s256"])
def test_only_s256_is_taken(client_of, member, method, clock):
    verifier, _challenge = pkce()
    answer = client_of(member).get("/identity/o/authorize", authorize(verifier, method))
    assert answer.status_code == 400


def test_a_redirect_to_elsewhere_is_refused(client_of, member, clock):
    _verifier, challenge = pkce()
    query = authorize(challenge, redirect_uri="https://evil.example/callback")
    answer = client_of(member).get("/identity/o/authorize", query)
    assert "Location" not in answer.headers
    assert "Mismatching redirect URI" in answer.content.decode()


def test_desktop_has_no_device_grant_and_the_cli_no_code_grant(client_of, member, code, clock):
    data = {"grant_type": DEVICE, "client_id": DESKTOP, "device_code": code["device_code"]}
    assert form("/identity/o/api/token", data).status_code >= 400
    _verifier, challenge = pkce()
    query = authorize(challenge, client_id=CLI)
    answer = client_of(member).get("/identity/o/authorize", query)
    assert "code=" not in answer.headers.get("Location", "")
