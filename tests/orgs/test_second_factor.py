"""A second factor that owners ask of everyone (product.md rule 26), and how its secrets lie."""

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.test import Client

from offload_portal.common.refusals import Refusal
from orgs import selectors, services
from orgs.enums import Event
from orgs.models import AuditEntry
from orgs.selectors.licenses import accounts_of
from tests import factories
from tests.factories import PASSWORD, actor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def ask(place, owner, at, wanted=True):
    return services.update_organization(
        actor=actor(owner), at=at, organization=place, requires_second_factor=wanted
    )


def code_of(secret):
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


def test_who_has_none_can_not_ask_it_of_everyone(place, owner, at):
    with pytest.raises(Refusal) as refused:
        ask(place, owner, at)
    assert refused.value.code == "second_factor_missing"
    factories.second_factor(owner)
    assert ask(place, owner, at).requires_second_factor
    entry = AuditEntry.objects.get(event=Event.ORGANIZATION_CHANGED)
    assert entry.after == {"requires_second_factor": True}


def test_pages_lead_to_setting_one_up_and_open_once_it_is_there(place, owner, join, at, client_of):
    ask(place, factories.second_factor(owner), at)
    max_ = join(place, "Max")
    browser = client_of(max_)
    asked = browser.get(f"/organizations/{place.slug}/members/")
    assert asked.status_code == 403
    assert 'href="/account/2fa/totp/activate/"' in asked.content.decode()
    for path in ("/account/me/", "/account/2fa/", "/"):
        assert browser.get(path).status_code in (200, 302), "their own pages stay open"
    factories.second_factor(max_)
    assert browser.get(f"/organizations/{place.slug}/members/").status_code == 200


def test_where_it_is_not_asked_nobody_needs_one(place, join, client_of):
    browser = client_of(join(place, "Max"))
    assert browser.get(f"/organizations/{place.slug}/members/").status_code == 200


def test_recovery_codes_alone_are_no_second_factor(place, owner, at):
    Authenticator.objects.create(user=owner, type=Authenticator.Type.RECOVERY_CODES, data={})
    with pytest.raises(Refusal):
        ask(place, owner, at)


def test_a_standing_tells_who_lacks_one(place, owner, join, at):
    max_ = join(place, "Max")
    assert not selectors.standing(place, max_, at).lacks_second_factor
    place = ask(place, factories.second_factor(owner), at)
    assert selectors.standing(place, max_, at).lacks_second_factor
    assert not selectors.standing(place, owner, at).lacks_second_factor
    assert [each.standing.lacks_second_factor for each in accounts_of(max_, at)] == [True]
    assert [each.standing.lacks_second_factor for each in accounts_of(owner, at)] == [False]


def test_secrets_lie_sealed(owner):
    factories.second_factor(owner)
    stored = Authenticator.objects.get(user=owner).data["secret"]
    assert "JBSWY3DPEHPK3PXP" not in stored
    assert Authenticator.objects.get(user=owner).wrap().validate_code(code_of("JBSWY3DPEHPK3PXP"))


def sign_in(person):
    client = Client()
    answer = client.post("/account/login/", {"login": person.email, "password": PASSWORD})
    return client, answer


def test_who_has_one_signs_in_with_it_and_a_wrong_code_does_not_do(owner):
    factories.second_factor(owner)
    client, answer = sign_in(owner)
    assert answer.headers["Location"].startswith("/account/2fa/authenticate/")
    assert client.get("/account/me/").status_code == 302
    assert client.post("/account/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert client.get("/account/me/").status_code == 302
    client.post("/account/2fa/authenticate/", {"code": code_of("JBSWY3DPEHPK3PXP")})
    assert client.get("/account/me/").status_code == 200


def test_setting_one_up_gives_recovery_codes_each_of_which_works_once(owner):
    client, _answer = sign_in(owner)
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    page = client.get("/account/2fa/totp/activate/")
    secret = page.context["form"].secret
    client.post("/account/2fa/totp/activate/", {"code": code_of(secret)})
    events = AuditEntry.objects.filter(event=Event.SECOND_FACTOR_ADDED)
    assert {entry.after["kind"] for entry in events} == {"totp", "recovery_codes"}
    shown = client.get("/account/2fa/recovery-codes/").content.decode()
    codes = re.findall(r"\b[0-9a-f]{8}\b|\b\d{8}\b", shown)
    assert len(set(codes)) >= 8
    for status in (302, 200):
        other, _answer = sign_in(owner)
        assert other.post("/account/2fa/authenticate/", {"code": codes[0]}).status_code == status


def test_after_many_wrong_codes_the_right_one_waits_too(owner):
    factories.second_factor(owner)
    client, _answer = sign_in(owner)
    for number in range(12):
        client.post("/account/2fa/authenticate/", {"code": f"{number:06}"})
    client.post("/account/2fa/authenticate/", {"code": code_of("JBSWY3DPEHPK3PXP")})
    assert client.get("/account/me/").status_code == 302


def test_the_settings_page_says_why_it_can_not_be_asked_yet(place, owner, client_of):
    typed = {
        "name": place.name,
        "zone": place.zone,
        "slug": place.slug,
        "requires_second_factor": "on",
    }
    answer = client_of(owner).post(f"/organizations/{place.slug}/settings/", typed)
    assert answer.status_code == 400
    assert "Set up a second factor for yourself first" in answer.content.decode()
