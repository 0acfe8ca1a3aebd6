"""The smaller flows: a team's name, addresses, the log, mail, the subscription, operators."""

import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlencode

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client

from orgs.enums import Event
from orgs.models import AuditEntry, DeclinedMail, Team, TeamMember
from tests.e2e.hands import Hands
from tests.e2e.test_every_page import now  # noqa: F401 - `now` is a fixture
from tests.e2e.walks import WAYS, Walk, person, row, walk
from tests.pages import route_worlds
from tests.pages.route_worlds import World
from usage.models import Subscription

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]


def subscription(world: World) -> Subscription:
    return Subscription.objects.current().get(organization=world.organization)


def team(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/teams/")
    at_work.follow("Web")
    at_work.check(row(at_work, "Max Member").locator("input[type=checkbox]"))
    at_work.press("Take out of the team…")
    at_work.press("Take out of a team")
    at_work.open(f"{here}/teams/{world.names['team_id']}/")
    at_work.fill(name="Web by hand")
    at_work.press("Save the name")


def done_team(world: World) -> None:
    assert Team.objects.get(pk=world.names["team_id"]).name == "Web by hand"
    assert not TeamMember.objects.filter(team=world.names["team_id"]).exists()


def audit(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/audit/")
    at_work.choose("event", "team.renamed")
    at_work.fill_day("from", world.names["now"].date())
    at_work.press("Filter")
    assert "Team renamed" in at_work.text()


def commitment(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/billing/commitment/")
    at_work.fill(hours="900")
    at_work.act(at_work.page.locator("main form button[type=submit]").first, "Enter")
    at_work.act(at_work.page.locator("main button[name=confirm]"), "Enter")


def done_commitment(world: World) -> None:
    assert subscription(world).committed_compute_seconds == 900 * 3_600


def cancelled_and_resumed(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/billing/")
    at_work.follow("Cancel subscription")
    at_work.press("Cancel the subscription")
    at_work.open(f"{here}/billing/resume/")
    at_work.press("Resume the subscription")


def done_resumed(world: World) -> None:
    assert subscription(world).cancel_at is None


def another_plan(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/subscribe/")
    form = at_work.page.locator("main form").filter(
        has=at_work.page.locator("input[name=plan][value=business]")
    )
    at_work.act(form.get_by_role("button"), "Enter")


def done_plan(world: World) -> None:
    assert subscription(world).plan.slug == "business"


FLOWS: dict[str, tuple[Walk, Callable[[World], None] | None]] = {
    "team": (team, done_team),
    "audit": (audit, None),
    "commitment": (commitment, done_commitment),
    "cancelled and resumed": (cancelled_and_resumed, done_resumed),
    "another plan": (another_plan, done_plan),
}


@pytest.mark.parametrize("way", WAYS)
def test_owners_do_the_rest(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    world.names.update({"now": now})  # type: ignore[attr-defined]  # a dict underneath
    for name, (flow, done) in FLOWS.items():
        try:
            walk(live_server, world, way, "owner", flow)
            if done is not None:
                done(world)
        except BaseException as error:
            error.add_note(f"in the flow “{name}”")
            raise


def another_address(at_work: Hands, here: str, world: World) -> None:
    at_work.open("/account/email/")
    at_work.act(at_work.page.locator("main input[type=email]"), "Tab", leads_away=False)
    at_work._type(at_work.page.locator("main input[type=email]"), "max@elsewhere.example")
    at_work.press("Add the address")


def address_confirmed(at_work: Hands, here: str, world: World) -> None:
    at_work.open(world.names["link"])
    at_work.press("Confirm")
    at_work.open("/account/email/")
    at_work.check(at_work.page.locator("main input[value='max@elsewhere.example']"))
    at_work.press("Make it the first")
    old = person(world, "member").email
    at_work.check(at_work.page.locator(f"main input[value='{old}']"))
    at_work.press("Remove")


def no_more_mail(at_work: Hands, here: str, world: World) -> None:
    at_work.open(world.names["unsubscribe"])
    at_work.press("Stop these e-mails")


def _link(pattern: str) -> str:
    """In the newest mail that has one."""
    for sent in reversed(mail.outbox):
        found = re.search(rf"https?://[^/]+({pattern}\S+)", str(sent.body))
        if found is not None:
            return found[1].rstrip(">")
    raise AssertionError(f"No mail has a link to {pattern}.")


@pytest.mark.parametrize("way", WAYS)
def test_people_change_their_address_and_stop_mail(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    member = person(world, "member")
    headers = [sent.extra_headers.get("List-Unsubscribe", "") for sent in mail.outbox]
    unsubscribe = next(text for text in reversed(headers) if "/unsubscribe/" in text)
    path = re.search(r"(/unsubscribe/[^>\s]+)", unsubscribe)
    assert path is not None
    walk(live_server, world, way, "member", another_address)
    link = _link("/account/confirm-email/")
    world.names.update({"link": link, "unsubscribe": path[1]})  # type: ignore[attr-defined]
    walk(live_server, world, way, "member", address_confirmed)
    addresses = EmailAddress.objects.filter(user=member)
    assert [row.email for row in addresses] == ["max@elsewhere.example"]
    before = DeclinedMail.objects.count()
    walk(live_server, world, way, "signed-out", no_more_mail)
    assert DeclinedMail.objects.count() == before + 1


def operator(at_work: Hands, here: str, world: World) -> None:
    slug = world.organization.slug
    at_work.open("/operators/organizations/")
    at_work.fill(q=slug)
    at_work.press("Search")
    at_work.act(row(at_work, slug).get_by_role("link").first, "Enter")
    assert slug in at_work.text()
    at_work.choose("act", "meter")
    at_work.fill(reason="A host was away")
    at_work.press("Do it")


@pytest.mark.parametrize("way", WAYS)
def test_operators_repair_what_is_safe(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    walk(live_server, world, way, "staff", operator)
    acts = AuditEntry.objects.filter(event=Event.OPERATOR_ACTED)
    assert acts.filter(organization_id=world.organization.pk).count() == 1


def device(at_work: Hands, here: str, world: World) -> None:
    """What a client shows is typed, looked at and approved."""
    at_work.open("/identity/o/device")
    at_work.fill(code=world.names["code"])
    at_work.press("Continue")
    at_work.press("Approve")


def posted(path: str, body: dict[str, str]) -> dict[str, str]:
    kind = "application/x-www-form-urlencoded"
    answer: dict[str, str] = Client().post(path, urlencode(body), content_type=kind).json()
    return answer


@pytest.mark.parametrize("way", WAYS)
def test_people_let_a_client_sign_in(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    asked = {"client_id": "docker-offload-cli", "scope": "openid sessions"}
    code = posted("/identity/o/api/device/code", asked)
    world.names.update({"code": code["user_code"]})  # type: ignore[attr-defined]
    walk(live_server, world, way, "member", device)
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    poll = {**asked, "grant_type": grant, "device_code": code["device_code"]}
    assert posted("/identity/o/api/token", poll)["access_token"]
