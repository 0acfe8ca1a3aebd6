"""Guessing is slowed down, and nobody learns who has an account (R17, product.md rule 1)."""

import re

import pytest
from django.test import Client, RequestFactory

from offload_portal.api.views import origin_of
from orgs.models import Person
from tests import factories
from tests.factories import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

TOO_MANY = "Too many failed"
NEW = {"name": "Ada", "password1": "quite a long secret", "password2": "quite a long secret"}


def attempt(email, password="wrong", client=None, **headers):  # noqa: S107
    return (client or Client()).post(
        "/account/login/", {"login": email, "password": password}, headers=headers
    )


def is_in(client):
    return client.get("/account/me/").status_code == 200


def test_after_five_wrong_passwords_the_right_one_waits_too(owner):
    for _ in range(5):
        attempt(owner.email)
    client = Client()
    attempt(owner.email, PASSWORD, client)
    assert not is_in(client)


def test_it_helps_nobody_to_write_the_address_in_capitals(owner):
    for number in range(5):
        attempt(owner.email.upper() if number % 2 else owner.email)
    client = Client()
    attempt(owner.email, PASSWORD, client)
    assert not is_in(client)


def test_five_minutes_later_the_right_one_works(owner, clock):
    for _ in range(5):
        attempt(owner.email)
    clock.shift(301)
    client = Client()
    attempt(owner.email, PASSWORD, client)
    assert is_in(client)


def test_many_addresses_tried_from_one_place_are_slowed_down():
    statuses = [attempt(f"a{number}@example.com").status_code for number in range(40)]
    assert 429 in statuses


def test_a_header_that_anybody_can_send_makes_nobody_another(settings):
    assert settings.TRUSTED_PROXIES == 0
    statuses = [
        attempt(f"a{number}@example.com", **{"X-Forwarded-For": f"198.51.100.{number}"}).status_code
        for number in range(40)
    ]
    assert 429 in statuses


@pytest.mark.parametrize(
    ("trusted", "sent", "seen"),
    [
        (0, "198.51.100.1", "127.0.0.1"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "203.0.113.6, 198.51.100.1", "198.51.100.1"),
        (2, "6.6.6.6, 203.0.113.6, 198.51.100.1", "203.0.113.6"),
        (2, "198.51.100.1", "127.0.0.1"),
        (1, "", "127.0.0.1"),
    ],
)
def test_as_many_proxies_are_believed_as_the_operator_named(settings, trusted, sent, seen):
    settings.TRUSTED_PROXIES = trusted
    request = RequestFactory().get("/", headers={"X-Forwarded-For": sent} if sent else {})
    assert origin_of(request) == seen


def read(answer):
    """What somebody sees, without the token that each form carries and what they typed."""
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", answer.content.decode())
    text = re.sub(r'"X-CSRFToken": "[^"]+"', "", text)
    return answer.status_code, answer.headers.get("Location"), text.replace("X", "")


def shown(answer, email):
    status, location, text = read(answer)
    return status, location, text.replace(email, "ADDRESS")


def test_a_wrong_password_and_an_unknown_address_say_the_same(owner):
    known, unknown = owner.email, "nobody-1@example.com"
    assert shown(attempt(known), known) == shown(attempt(unknown), unknown)


def follow(path, typed, email):
    client = Client()
    first = client.post(path, typed)
    last = client.get(first.headers["Location"]) if first.status_code == 302 else first
    return shown(first, email), shown(last, email)


def test_signing_up_with_a_known_address_shows_what_a_new_one_shows(owner, outbox):
    known, unknown = owner.email, "new-person@example.com"
    told = [
        follow("/account/signup/", {**NEW, "email": email}, email) for email in (known, unknown)
    ]
    assert told[0] == told[1]
    assert {message.to[0] for message in outbox} == {known, unknown}
    assert Person.objects.get(email=known).name == owner.name


def test_asking_for_a_new_password_shows_the_same_and_sends_a_mail_either_way(owner, outbox):
    known, unknown = owner.email, "new-person@example.com"
    told = [
        follow("/account/password/reset/", {"email": email}, email) for email in (known, unknown)
    ]
    assert told[0] == told[1]
    assert {message.to[0] for message in outbox} == {known, unknown}
    (other,) = [message for message in outbox if message.to == [unknown]]
    assert "No account has this address" in str(other.body)
    assert "/account/password/reset/key/" not in str(other.body)


def test_an_address_is_hashed_for_as_often_when_it_is_known(owner, monkeypatch):
    """Time tells nothing: the slow part, hashing a password, happens in both cases."""
    hashed: list[str] = []
    monkeypatch.setattr("orgs.adapter.make_password", hashed.append)
    Client().post("/account/signup/", {**NEW, "email": owner.email})
    assert len(hashed) == 1
    Client().post("/account/signup/", {**NEW, "email": "new-person@example.com"})
    assert len(hashed) == 1, "there the person's own password was hashed"


def test_a_session_gets_another_key_at_sign_in(owner):
    """A session that somebody planted before is worth nothing afterwards (fixation)."""
    client = Client()
    client.get("/account/login/")
    session = client.session
    session["planted"] = True
    session.save()
    planted = session.session_key
    client.cookies["portal_session"] = str(planted)
    attempt(owner.email, PASSWORD, client)
    assert is_in(client)
    assert client.cookies["portal_session"].value != planted
    thief = Client()
    thief.cookies["portal_session"] = str(planted)
    assert not is_in(thief)


def test_a_changed_password_signs_every_other_browser_out(owner):
    first, second = Client(), Client()
    for client in (first, second):
        attempt(owner.email, PASSWORD, client)
    changed = {
        "oldpassword": PASSWORD,
        "password1": "another long secret",
        "password2": "another long secret",
    }
    first.post("/account/password/change/", changed)
    assert not is_in(second)


def test_someone_who_is_switched_off_learns_it_only_with_the_right_password(owner):
    factories.second_factor(owner)
    Person.objects.filter(pk=owner.pk).update(is_active=False)
    wrong, unknown = attempt(owner.email), attempt("nobody-1@example.com")
    assert shown(wrong, owner.email) == shown(unknown, "nobody-1@example.com")
