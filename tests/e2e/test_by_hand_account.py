"""Accounts, tokens, webhooks, settings and the way out, by keyboard alone and without scripts."""

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.core import mail

from orgs.enums import Role
from orgs.models import (
    DeclinedMail,
    Membership,
    Notification,
    Organization,
    Person,
    Token,
    WebhookDelivery,
    WebhookEndpoint,
)
from tests import factories
from tests.e2e.hands import Hands
from tests.e2e.test_every_page import now  # noqa: F401 - `now` is a fixture
from tests.e2e.walks import WAYS, Walk, person, row, walk
from tests.pages import route_worlds
from tests.pages.route_worlds import World

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]
NEW = "correct-horse-battery-9"


def place(world: World) -> Organization:
    return Organization.objects.get(pk=world.organization.pk)


def _sent() -> str:
    return str(mail.outbox[-1].body)


# Signing up


def sign_up(at_work: Hands, here: str, world: World) -> None:
    at_work.open("/account/signup/")
    at_work.fill(name="Nia New", email="nia@example.com", password1=NEW, password2=NEW)
    at_work.press("Create the account")


def confirm_and_create(at_work: Hands, here: str, world: World) -> None:
    at_work.open(world.names["link"])
    at_work.press("Confirm")
    at_work.open("/account/login/?next=/organizations/new/")
    at_work.fill(login="nia@example.com", password=NEW)
    at_work.press("Sign in")
    at_work.fill(name="Nia's", slug="nias")
    at_work.press("Create the organization")


@pytest.mark.parametrize("way", WAYS)
def test_somebody_signs_up_confirms_and_creates_an_organization(
    live_server,
    now: datetime,  # noqa: F811
    way: str,
) -> None:
    world = route_worlds.make(now)
    walk(live_server, world, way, "signed-out", sign_up)
    link = re.search(r"https?://[^/]+(/account/confirm-email/\S+)", _sent())
    assert link is not None, _sent()
    world.names.update({"link": link[1]})  # type: ignore[attr-defined]  # a dict underneath
    walk(live_server, world, way, "signed-out", confirm_and_create)
    assert EmailAddress.objects.get(email="nia@example.com").verified
    made = Organization.objects.get(slug="nias")
    assert Membership.objects.get(organization=made).role == Role.OWNER


def join_as_new(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"/invitations/{world.names['token']}/")
    at_work.follow("Create an account")
    at_work.fill(name="Nia New", password1=NEW, password2=NEW)
    at_work.press("Create the account")
    at_work.press("Join the organization")


@pytest.mark.parametrize("way", WAYS)
def test_somebody_new_joins(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    token = factories.invitation_token(world.organization, "nia@example.com", at=now)
    world.names.update({"token": token})  # type: ignore[attr-defined]
    walk(live_server, world, way, "signed-out", join_as_new)
    joined = Membership.objects.get(organization=world.organization, person__name="Nia New")
    assert joined.role == Role.MEMBER


# What owners set


def settings(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/settings/")
    at_work.fill(name="Acme by hand", slug="acme-by-hand", billing_contact="pay@example.com")
    at_work.choose("zone", "Asia/Kathmandu")
    at_work.press("Save")
    at_work.open(f"{here}/settings/")
    assert "acme-by-hand" in at_work.page.url, "the old address leads to the new one"


def done_settings(world: World) -> None:
    made = place(world)
    assert (made.name, made.slug, made.zone) == ("Acme by hand", "acme-by-hand", "Asia/Kathmandu")
    assert made.billing_contact == "pay@example.com"


def alerts(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/billing/alerts/")
    at_work.fill(alert_thresholds="60, 95")
    at_work.press("Save")


def done_alerts(world: World) -> None:
    assert place(world).alert_setting.thresholds == [60, 95]


def webhooks(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/webhooks/")
    at_work.fill(url="https://by-hand.example.com/")
    at_work.check(at_work.page.locator("main input[name=events][value='alert.raised']"))
    at_work.press("Add the webhook")
    at_work.open(f"{here}/webhooks/")
    at_work.act(row(at_work, "by-hand.example.com").get_by_role("link").first, "Enter")
    at_work.press("Send a test")
    at_work.press("Make a new secret")
    assert "whsec_" in at_work.text()
    at_work.open(f"{here}/webhooks/")
    at_work.act(row(at_work, "hooks.example.com").get_by_role("link").first, "Enter")
    at_work.press("Switch off")
    at_work.press("Delete the webhook")


def done_webhooks(world: World) -> None:
    left = WebhookEndpoint.objects.get(organization=world.organization)
    assert left.url == "https://by-hand.example.com/"
    assert WebhookDelivery.objects.filter(endpoint=left, event="test").exists()


def tokens(at_work: Hands, here: str, world: World) -> None:
    for path in (f"{here}/tokens/", "/account/tokens/"):
        at_work.open(path)
        at_work.fill(name="By hand")
        at_work.check(at_work.page.locator("main input[name=scopes]").first)
        at_work.press("Make a token")
        assert re.search(r"o[op]at_\w+", at_work.text())
        at_work.open(path)
        at_work.press("Revoke By hand")


def done_tokens(world: World) -> None:
    made = Token.objects.filter(name="By hand")
    assert made.count() == 2
    assert not made.filter(revoked_at=None).exists()


def stop_all(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/sessions/stop/")
    at_work.press("Stop all sessions", at_work.page.locator("main"))


def done_stop_all(world: World) -> None:
    assert not place(world).offload_sessions.filter(ended_at=None).exists()


def top_up(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/billing/top-up/")
    at_work.fill(hours="10")
    at_work.act(at_work.page.locator("main form button[type=submit]").first, "Enter")
    at_work.act(at_work.page.locator("main button[name=confirm]"), "Enter")


def done_top_up(world: World) -> None:
    assert place(world).pools.filter(origin="purchase").count() == 1


def delete_organization(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/settings/")
    at_work.follow("Delete the organization")
    at_work.fill(slug="acme-by-hand")
    at_work.press("Delete the organization")


def done_delete(world: World) -> None:
    assert place(world).deleted_at is not None


OWNERS: dict[str, tuple[Walk, Callable[[World], None]]] = {
    "alerts": (alerts, done_alerts),
    "webhooks": (webhooks, done_webhooks),
    "tokens": (tokens, done_tokens),
    "stop all": (stop_all, done_stop_all),
    "top-up": (top_up, done_top_up),
    "settings": (settings, done_settings),
    "delete": (delete_organization, done_delete),
}


@pytest.mark.parametrize("way", WAYS)
def test_owners_set_everything_and_delete(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    for name, (flow, done) in OWNERS.items():
        try:
            walk(live_server, world, way, "owner", flow)
            done(world)
        except BaseException as error:
            error.add_note(f"in the flow “{name}”")
            raise


# One's own account


def own(at_work: Hands, here: str, world: World) -> None:
    at_work.open("/account/me/")
    at_work.fill(name="Maxine Member")
    at_work.press("Save")
    at_work.open("/account/notifications/")
    chosen = at_work.page.locator("main input[name=kind]:checked:enabled").first
    at_work.act(chosen, "Space", leads_away=False)
    at_work.press("Save")
    at_work.open("/notifications/")
    at_work.press("Mark all as read")
    at_work.open("/account/data/")
    assert "Maxine Member" in at_work.download("Download your data")


def password(at_work: Hands, here: str, world: World) -> None:
    at_work.open("/account/password/change/")
    at_work.fill(oldpassword=factories.PASSWORD, password1=NEW, password2=NEW)
    at_work.press("Save the password")


def code(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return str(format_hotp_value(hotp_value(secret, counter)))


def second_factor(at_work: Hands, here: str, world: World) -> None:
    at_work.open("/account/2fa/")
    at_work.follow("Set up an authenticator app")
    secret = at_work.page.locator("main dd.mono").first.inner_text().strip()
    at_work.fill(code=code(secret))
    at_work.press("Set up")
    at_work.open("/account/2fa/")
    at_work.follow("Show")
    at_work.follow("Make new ones")
    at_work.press("Make new ones")


def delete_account(at_work: Hands, here: str, world: World) -> None:
    at_work.open("/account/data/")
    at_work.follow("Delete your account")
    at_work.fill(email=person(world, "member").email)
    at_work.press("Delete your account")


@pytest.mark.parametrize("way", WAYS)
def test_members_keep_and_close_their_account(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    member = person(world, "member")
    walk(live_server, world, way, "member", own)
    member.refresh_from_db()
    assert member.name == "Maxine Member"
    assert DeclinedMail.objects.filter(person=member).exists()
    assert not Notification.objects.filter(person=member, read_at=None).exists()
    walk(live_server, world, way, "member", second_factor)
    kinds = set(Authenticator.objects.filter(user=member).values_list("type", flat=True))
    assert kinds == {"totp", "recovery_codes"}
    Authenticator.objects.filter(user=member).delete()
    walk(live_server, world, way, "member", delete_account)
    assert Person.objects.get(pk=member.pk).is_erased


@pytest.mark.parametrize("way", WAYS)
def test_people_change_their_password(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    walk(live_server, world, way, "member", password)
    assert Person.objects.get(pk=person(world, "member").pk).check_password(NEW)


def ask_for_another(at_work: Hands, here: str, world: World) -> None:
    at_work.open("/account/password/reset/")
    at_work.fill(email=person(world, "member").email)
    at_work.press("Send the link")


def set_another(at_work: Hands, here: str, world: World) -> None:
    at_work.open(world.names["link"])
    at_work.fill(password1=NEW, password2=NEW)
    at_work.press("Save the password")


@pytest.mark.parametrize("way", WAYS)
def test_who_forgot_the_password_sets_another(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    walk(live_server, world, way, "signed-out", ask_for_another)
    link = re.search(r"https?://[^/]+(/account/password/reset/key/\S+)", _sent())
    assert link is not None, _sent()
    world.names.update({"link": link[1]})  # type: ignore[attr-defined]
    walk(live_server, world, way, "signed-out", set_another)
    assert Person.objects.get(pk=person(world, "member").pk).check_password(NEW)


def sign_in_with_factor(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/")
    at_work.fill(login=person(world, "staff").email, password=factories.PASSWORD)
    at_work.press("Sign in")
    at_work.fill(code=world.names["code"])
    at_work.press("Sign in")
    # An operator belongs to no organization, so theirs is as good as unknown.
    at_work.page.get_by_role("heading", name="There is nothing at this address").wait_for()
    assert at_work.page.url.endswith(f"{here}/"), at_work.page.url


@pytest.mark.parametrize("way", WAYS)
def test_people_sign_in_with_their_second_factor(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    secret = "JBSWY3DPEHPK3PXP"
    world.names.update({"code": code(secret)})  # type: ignore[attr-defined]
    walk(live_server, world, way, "signed-out", sign_in_with_factor)
