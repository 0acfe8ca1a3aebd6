"""Signing up, in and by invitation (product.md rules 1 and 3)."""

import re

import pytest
from django.core import mail
from django.test import Client

from orgs import services
from orgs.models import Membership, Organization, Person
from tests import factories
from tests.factories import PASSWORD, actor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

NEW = {
    "email": "ada@example.com",
    "name": "Ada",
    "password1": "quite a long secret",
    "password2": "quite a long secret",
}


def link_in(message, start):
    return found_in(rf"http://\S+?({start}\S+)", str(message.body))


def found_in(pattern, text):
    found = re.search(pattern, text)
    assert found, f"{pattern} is not there"
    return found[1]


def test_signing_up_confirming_and_creating_an_organization():
    client = Client()
    assert client.post("/account/signup/", NEW).headers["Location"] == "/account/confirm-email/"
    assert "Look into your mail" in client.get("/account/confirm-email/").content.decode()
    (message,) = mail.outbox
    assert message.subject == "Confirm your address for Offload Portal"
    link = link_in(message, "/account/confirm-email/")
    assert "Confirm your address" in client.get(link).content.decode()
    client.post(link)
    assert client.get("/account/me/").status_code == 200
    made = client.post("/organizations/new/", {"name": "Ada's", "slug": "", "zone": "UTC"})
    assert made.headers["Location"] == "/organizations/adas/"
    assert Membership.objects.get().is_owner


def test_before_the_address_is_confirmed_nobody_comes_in():
    client = Client()
    client.post("/account/signup/", NEW)
    assert client.get("/account/me/").status_code == 302


@pytest.mark.parametrize(
    "changed",
    [
        {"email": "nonsense"},
        {"email": "a" * 300 + "@x.org"},
        {"name": ""},
        {"name": "x" * 81},
        {"name": "a\u2028b"},
        {"password2": "another"},
        {"password1": "short", "password2": "short"},
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(changed):
    response = Client().post("/account/signup/", {**NEW, **changed})
    assert response.status_code == 200
    assert "to correct" in response.content.decode()
    assert not Person.objects.exists()


def test_a_nul_byte_is_refused_before_anything():
    assert Client().post("/account/signup/", {**NEW, "name": "a\x00"}).status_code == 400


def test_a_new_password_by_mail(owner):
    client = Client()
    client.post("/account/password/reset/", {"email": owner.email})
    link = link_in(mail.outbox[0], "/account/password/reset/key/")
    response = client.get(link, follow=True)
    assert "Choose a new password" in response.content.decode()
    typed = {"password1": "another long secret", "password2": "another long secret"}
    client.post(response.request["PATH_INFO"], typed)
    owner.refresh_from_db()
    assert owner.check_password("another long secret")
    assert "no longer works" in Client().get(link, follow=True).content.decode()


@pytest.fixture
def token(place, owner, at):
    done = services.invite(
        actor=actor(owner), at=at, organization=place, emails=["ada@example.com"]
    )
    mail.outbox.clear()
    return done.sent[0].token


def test_the_link_leads_to_an_address_without_its_secret(token):
    response = Client().get(f"/invitations/{token}/")
    assert response.headers["Location"] == "/invitations/open/"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    page = Client().get(f"/invitations/{token}/", follow=True)
    assert token not in page.content.decode()
    assert "Join Northwind" in page.content.decode()


def test_a_new_person_joins_without_confirming_the_invited_address_again(token, place):
    client = Client()
    page = client.get(f"/invitations/{token}/", follow=True).content.decode()
    sign_up = found_in(r'href="(/account/signup/[^"]+)"', page).replace("&amp;", "&")
    assert "ada@example.com" in client.get(sign_up).content.decode()
    response = client.post(sign_up, {**NEW, "next": "/invitations/open/"})
    assert response.headers["Location"] == "/invitations/open/"
    joined = client.post("/invitations/open/")
    assert joined.headers["Location"] == f"/organizations/{place.slug}/"
    assert Membership.objects.filter(person__email="ada@example.com").exists()


def test_another_address_than_the_invited_one_has_to_be_confirmed(token):
    client = Client()
    client.get(f"/invitations/{token}/", follow=True)
    response = client.post("/account/signup/", {**NEW, "email": "eve@example.com"})
    assert response.headers["Location"] == "/account/confirm-email/"


def test_someone_who_has_an_account_signs_in_and_joins(token, place):
    factories.person("Ada", "ada@example.com")
    client = Client()
    client.get(f"/invitations/{token}/", follow=True)
    signed_in = client.post(
        "/account/login/",
        {"login": "ada@example.com", "password": PASSWORD, "next": "/invitations/open/"},
    )
    assert signed_in.headers["Location"] == "/invitations/open/"
    assert "Join the organization" in client.get("/invitations/open/").content.decode()
    client.post("/invitations/open/")
    assert Membership.objects.filter(organization=place).count() == 2


def test_signed_in_with_another_address_learns_what_to_do(token, stranger, client_of):
    client = client_of(stranger)
    page = client.get(f"/invitations/{token}/", follow=True).content.decode()
    sentence = f"The invitation is for ada@example.com, and you are signed in as {stranger.email}."
    assert sentence in page
    refused = client.post("/invitations/open/")
    assert refused.status_code == 403
    assert sentence in refused.content.decode()


def test_a_used_link_leads_its_person_home_and_others_nowhere(token, place, client_of):
    ada = factories.person("Ada", "ada@example.com")
    client = client_of(ada)
    client.get(f"/invitations/{token}/")
    client.post("/invitations/open/")
    again = client.get(f"/invitations/{token}/", follow=False)
    assert again.status_code == 302
    assert client.get("/invitations/open/").headers["Location"] == f"/organizations/{place.slug}/"
    outside = Client().get(f"/invitations/{token}/", follow=True)
    assert "used already" in outside.content.decode()


@pytest.mark.parametrize("text", ["nothing", "x" * 3_000, "open"])
def test_a_link_that_is_none_says_so(text):
    response = Client().get(f"/invitations/{text}/", follow=True)
    assert response.status_code == 404
    assert "leads nowhere" in response.content.decode()


@pytest.mark.parametrize(
    "typed",
    [
        {},
        {"name": ""},
        {"name": "x" * 81, "zone": "UTC"},
        {"name": "A", "slug": "new", "zone": "UTC"},
        {"name": "A", "slug": "UPPER CASE", "zone": "UTC"},
        {"name": "A", "zone": "Mars"},
        {"name": "\u200b", "zone": "UTC"},
    ],
)
def test_an_organization_that_can_not_be_is_refused(owner, client_of, typed):
    response = client_of(owner).post("/organizations/new/", typed)
    assert response.status_code == (400 if typed else 200)
    assert not Organization.objects.exists()


def test_the_account_page_keeps_name_language_and_zone(owner, client_of):
    client = client_of(owner)
    typed = {"name": "奥尔加", "language": "zh-hans", "zone": "Asia/Shanghai"}
    response = client.post("/account/me/", typed)
    assert response.cookies["django_language"].value == "zh-hans"
    owner.refresh_from_db()
    assert (owner.name, owner.language, owner.zone) == ("奥尔加", "zh-hans", "Asia/Shanghai")
    wrong = client.post("/account/me/", {"name": "", "language": "xx", "zone": "Mars"})
    assert wrong.status_code == 400


def test_pages_speak_the_persons_language_from_sign_in_on(owner):
    owner.language = "zh-hans"
    owner.save()
    response = Client().post("/account/login/", {"login": owner.email, "password": PASSWORD})
    assert response.cookies["django_language"].value == "zh-hans"


@pytest.mark.parametrize(
    "path",
    [
        "/account/email/",
        "/account/password/change/",
        "/account/2fa/",
        "/account/sessions/",
        "/account/logout/",
        "/account/me/",
    ],
)
def test_every_page_of_ones_own_account_renders(owner, path):
    client = Client()
    client.post("/account/login/", {"login": owner.email, "password": PASSWORD})
    assert client.get(path).status_code == 200
    assert Client().get(path).status_code == 302


def test_a_second_factor_is_set_up_after_the_password_is_given_once_more(owner):
    client = Client()
    client.post("/account/login/", {"login": owner.email, "password": PASSWORD})
    asked = client.get("/account/2fa/totp/activate/", follow=True)
    assert asked.request["PATH_INFO"] == "/account/reauthenticate/"
    page = client.post(
        "/account/reauthenticate/",
        {"password": PASSWORD, "next": "/account/2fa/totp/activate/"},
        follow=True,
    )
    assert "data:image/svg+xml" in page.content.decode()
    assert "style=" not in page.content.decode()


@pytest.mark.parametrize(
    "path", ["/account/login/", "/account/signup/", "/account/password/reset/"]
)
def test_the_doors_have_nothing_inline(path):
    page = Client().get(path).content.decode()
    assert "style=" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)


def test_operators_sign_in_where_everyone_does(owner, client_of):
    signed_out = Client().get("/operators/login/")
    assert signed_out.headers["Location"].startswith("/account/login/")
    assert client_of(owner).get("/operators/login/").status_code == 403
    owner.is_staff = owner.is_superuser = True
    owner.save()
    client = client_of(owner)
    asked = client.get("/operators/", follow=True)
    assert asked.status_code == 403
    assert "authenticator app" in asked.content.decode()
    factories.second_factor(owner)
    for path in ("", "orgs/person/", "orgs/organization/", "orgs/membership/", "orgs/auditentry/"):
        assert client.get(f"/operators/{path}").status_code == 200
    assert client.get("/operators/orgs/organization/add/").status_code == 403
    index = client.get("/operators/").content.decode()
    for others in ("mfa/authenticator", "account/emailaddress", "usersessions", "oidc"):
        assert others not in index, "sign-ins are changed through services alone"
    assert client.get("/operators/mfa/authenticator/").status_code == 404
    changed = client.post(f"/operators/orgs/person/{owner.pk}/change/", {"is_active": ""})
    assert changed.status_code == 403, "nothing is edited past the services"
