"""Every flow of people and access with the keyboard alone, and without JavaScript."""

from collections.abc import Callable
from datetime import datetime

import pytest

from orgs.enums import Event, Role
from orgs.models import AuditEntry, Invitation, Membership, PolicyOverride, Team, TeamMember
from orgs.selectors import policy_terms
from sessions.models import Session
from tests.e2e import hands
from tests.e2e.hands import Hands
from tests.e2e.test_every_page import now  # noqa: F401 - `now` is a fixture
from tests.e2e.walks import WAYS, Walk, person, row, walk
from tests.factories import PASSWORD
from tests.pages import route_worlds
from tests.pages.route_worlds import World
from usage.models import LimitVersion

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]


def invitations(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/members/")
    at_work.follow("Invite people")
    at_work.fill(emails="ada@example.com grace@example.com")
    at_work.choose("role", "editor")
    at_work.press("Review")
    at_work.press("Send 2 invitations")
    at_work.open(f"{here}/members/invitations/")
    at_work.press("Send a new link", row(at_work, "ada@example.com"))
    at_work.press("Take back", row(at_work, "grace@example.com"))


def members(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/members/")
    at_work.fill(q="Edda")
    at_work.press("Filter")
    assert "Max Member" not in at_work.text()
    at_work.check(row(at_work, "Edda").locator("input[type=checkbox]"))
    at_work.choose("act", "team_add")
    at_work.press("Continue…")
    at_work.choose("team", str(world.names["team_id"]))
    at_work.press("See what would happen")
    assert "Edda" in at_work.text()
    at_work.press("Add to a team")
    at_work.follow("Undo…")
    at_work.press("Undo")


def roles(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/members/{person(world, 'member').pk}/")
    at_work.check(at_work.page.locator("main input[name=role][value=editor]"))
    at_work.press("Save the role")


def teams(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/teams/")
    at_work.fill(name="Night")
    at_work.press("Create the team")
    at_work.open(f"{here}/teams/")
    at_work.follow("Night")
    at_work.fill(emails=person(world, "editor").email)
    at_work.press("Add to the team")
    at_work.follow("Grant access…")
    at_work.press("See what would happen")
    at_work.open(f"{here}/teams/")
    at_work.follow("Night")
    at_work.follow("Delete…")
    at_work.press("Delete the team")


def policies(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/policy/")
    at_work.fill(idle_timeout_seconds="240")
    at_work.press("Save the policy")
    at_work.open(f"{here}/policy/")
    at_work.follow("Add a policy for teams or people")
    at_work.fill(name="For the night", people=person(world, "editor").email)
    at_work.check(at_work.page.locator("main input[name=sets][value=longest_session]"))
    at_work.fill(longest_session_minutes="90")
    at_work.press("Review")
    at_work.press("Save the policy")


def requests(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/requests/{world.names['request_id']}/")
    at_work.fill(answer="Until Friday.")
    at_work.press("Decline")


def limits(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/billing/limits/")
    at_work.check(at_work.page.locator("main input[name=mode][value=limited]"))
    at_work.fill(limit="25", reason="By hand")
    at_work.press("Save")


def sessions(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/activity/")
    at_work.open(f"{here}/sessions/{world.names['session_id']}/")
    at_work.follow("Stop")
    at_work.press("Stop the session")


def done_invitations(world: World) -> None:
    found = dict(Invitation.objects.filter(role=Role.EDITOR).values_list("email", "revoked_at"))
    assert (found["ada@example.com"], found["grace@example.com"] is None) == (None, False)


def done_members(world: World) -> None:
    assert AuditEntry.objects.filter(event=Event.BULK_UNDONE).exists()
    assert not TeamMember.objects.filter(person=person(world, "editor")).exists()


def done_roles(world: World) -> None:
    assert Membership.objects.get(person=person(world, "member")).role == Role.EDITOR


def done_teams(world: World) -> None:
    assert not Team.objects.filter(name="Night").exists()
    assert AuditEntry.objects.filter(event=Event.TEAM_DELETED).exists()


def done_policies(world: World) -> None:
    assert policy_terms(world.organization).idle_timeout_seconds == 240
    assert PolicyOverride.objects.filter(name="For the night").exists()


def done_requests(world: World) -> None:
    assert AuditEntry.objects.filter(event=Event.REQUEST_DECLINED).exists()


def done_limits(world: World) -> None:
    versions = LimitVersion.objects.filter(organization_id=world.organization.pk)
    newest = versions.order_by("-recorded_at")
    assert newest[0].reason == "By hand"


def done_sessions(world: World) -> None:
    assert Session.objects.get(pk=world.names["session_id"]).end_reason == "stopped_by_owner"


FLOWS: dict[str, tuple[Walk, Callable[[World], None]]] = {
    "invitations": (invitations, done_invitations),
    "members": (members, done_members),
    "roles": (roles, done_roles),
    "teams": (teams, done_teams),
    "policies": (policies, done_policies),
    "requests": (requests, done_requests),
    "limits": (limits, done_limits),
    "sessions": (sessions, done_sessions),
}


@pytest.mark.parametrize("way", WAYS)
def test_owners_do_everything(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    for flow, done in FLOWS.values():
        walk(live_server, world, way, "owner", flow)
        done(world)


def ask_and_leave(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/requests/new/")
    at_work.choose("kind", "hours")
    at_work.fill(hours="3", note="A release")
    at_work.press("Send the request")
    at_work.open(f"{here}/members/{person(world, 'member').pk}/")
    at_work.follow("Leave…")


@pytest.mark.parametrize("way", WAYS)
def test_members_ask_and_leave(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    walk(live_server, world, way, "member", ask_and_leave)


def sign_in(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/")
    at_work.fill(login=person(world, "owner").email, password=PASSWORD)
    at_work.press("Sign in")
    assert at_work.page.url.endswith(f"{here}/"), at_work.page.url
    at_work.unfold("Olga Owner")
    at_work.press("Sign out")


@pytest.mark.parametrize("way", WAYS)
def test_people_sign_in_and_out(live_server, now: datetime, way: str) -> None:  # noqa: F811
    walk(live_server, route_worlds.make(now), way, "signed-out", sign_in)


def test_the_first_stop_skips_the_navigation(live_server, now: datetime) -> None:  # noqa: F811
    def skip(at_work: Hands, here: str, world: World) -> None:
        at_work.open(f"{here}/members/")
        at_work.page.keyboard.press("Tab")
        focused = at_work.page.locator(":focus")
        assert focused.get_attribute("href") == "#main"
        at_work.page.keyboard.press("Enter")
        assert at_work.page.evaluate("document.activeElement.id") == "main"

    walk(live_server, route_worlds.make(now), "keyboard", "owner", skip)


def test_the_panel_takes_the_focus_and_gives_it_back(live_server, now: datetime) -> None:  # noqa: F811
    def look(at_work: Hands, here: str, world: World) -> None:
        at_work.open(f"{here}/activity/")
        rows = at_work.page.locator(".sessions tr").filter(has_text="Max Member")
        link = rows.first.get_by_role("link").first
        at_work.act(link, "Enter")
        panel = at_work.page.locator("#panel")
        panel.get_by_role("heading").first.wait_for()
        at_work.page.locator("#panel:focus-within").wait_for(state="attached")
        at_work.page.keyboard.press("Escape")
        panel.get_by_role("heading").first.wait_for(state="hidden")
        assert link.evaluate(hands.IS_FOCUSED)

    walk(live_server, route_worlds.make(now), "keyboard", "owner", look)
