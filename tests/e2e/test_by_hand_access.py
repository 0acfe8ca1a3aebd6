"""Access, people in bulk, requests and invitations, with the keyboard alone and without scripts."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orgs.enums import Event, RequestState
from orgs.models import (
    AuditEntry,
    Invitation,
    License,
    LicenseGrant,
    MemberRequest,
    Membership,
    PolicyOverride,
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


def holds(world: World, role: str) -> bool:
    held = License.objects.held().filter(organization=world.organization)
    return held.filter(person=person(world, role)).exists()


def box(at_work: Hands, name: str) -> None:
    at_work.check(row(at_work, name).locator("input[type=checkbox]"))


def bulk(at_work: Hands, here: str, act: str, *names: str, query: str = "") -> None:
    """Choose members by name and an act; what it does is shown before it is done."""
    at_work.open(f"{here}/members/{query}")
    for name in names:
        box(at_work, name)
    at_work.choose("act", act)
    at_work.press("Continue…")


def to_all(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/access/")
    at_work.follow("Give access to all members…")
    assert "Bea Billing" in at_work.text()
    at_work.press("Give access to all members")


def done_to_all(world: World) -> None:
    assert holds(world, "billing")


def to_selected(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/access/")
    at_work.follow("Change to selected members…")
    at_work.press("Take access away from those above")


def done_to_selected(world: World) -> None:
    assert not holds(world, "billing")
    assert holds(world, "member"), "who was selected by name keeps it"


def team_until(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/teams/")
    at_work.follow("Web")
    at_work.follow("Grant access…")
    at_work.fill_day("until", world.names["now"].date() + timedelta(days=30))
    at_work.press("See what would happen")
    at_work.press("Grant access")


def done_team_until(world: World) -> None:
    grant = LicenseGrant.objects.get(team=world.names["team_id"])
    assert grant.until is not None
    assert grant.until.date() == (world.names["now"] + timedelta(days=31)).date()


def team_taken(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/teams/")
    at_work.follow("Web")
    at_work.follow("Take access away…")
    at_work.press("Take access away")


def done_team_taken(world: World) -> None:
    assert not LicenseGrant.objects.filter(team=world.names["team_id"]).exists()


def given_in_bulk(at_work: Hands, here: str, world: World) -> None:
    bulk(at_work, here, "grant", "Edda", "Bea Billing")
    at_work.press("See what would happen")
    at_work.press("Give access")


def done_given_in_bulk(world: World) -> None:
    assert holds(world, "editor")
    assert holds(world, "billing")


def reclaimed(at_work: Hands, here: str, world: World) -> None:
    """Whoever never used a license loses it, after a look."""
    at_work.open(f"{here}/access/")
    at_work.follow("With a license that was never used")
    assert "Max Member" not in at_work.text()
    box(at_work, "Edda")
    box(at_work, "Bea Billing")
    at_work.choose("act", "take")
    at_work.press("Continue…")
    assert "Bea Billing" in at_work.text()
    at_work.press("Take access away")


def done_reclaimed(world: World) -> None:
    assert not holds(world, "editor")
    assert not holds(world, "billing")
    assert holds(world, "member")


def removed_in_bulk(at_work: Hands, here: str, world: World) -> None:
    bulk(at_work, here, "remove", "Bea Billing", query="?q=Bea")
    assert "can't be undone" in at_work.text()
    at_work.press("Remove from the organization")


def done_removed_in_bulk(world: World) -> None:
    members = Membership.objects.filter(organization=world.organization)
    assert not members.filter(person=person(world, "billing")).exists()


def approved(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/requests/{world.names['request_id']}/")
    at_work.fill(answer="Buy what you need.")
    at_work.press("Approve")


def done_approved(world: World) -> None:
    request = MemberRequest.objects.get(pk=world.names["request_id"])
    assert (request.state, request.answer) == (RequestState.APPROVED, "Buy what you need.")


def uploaded(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/members/invite/")
    at_work.upload("file", world.names["csv"])
    at_work.press("Review")
    assert "lin@example.com" in at_work.text()
    at_work.press("Send 2 invitations")


def done_uploaded(world: World) -> None:
    invited = Invitation.objects.filter(organization=world.organization, revoked_at=None)
    assert {"lin@example.com", "noor@example.com"} <= set(invited.values_list("email", flat=True))


def invitations_in_bulk(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/members/invitations/")
    box(at_work, "lin@example.com")
    box(at_work, "noor@example.com")
    at_work.press("Take back", at_work.page.locator("main .form-actions").last)


def done_invitations_in_bulk(world: World) -> None:
    rows = Invitation.objects.filter(email__in=["lin@example.com", "noor@example.com"])
    assert not rows.filter(revoked_at=None).exists()


def override_removed(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/policy/")
    at_work.follow("Long")
    at_work.follow("Remove…")
    at_work.press("Remove the policy")


def done_override_removed(world: World) -> None:
    assert not PolicyOverride.objects.filter(pk=world.names["policy_id"]).exists()


def capped(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/billing/limits/")
    at_work.follow("New cap")
    at_work.check(at_work.page.locator("main input[name=scope][value=person]"))
    at_work.fill(email=person(world, "editor").email, hours="20", reason="A course")
    at_work.press("Preview")
    at_work.press("Save")
    at_work.follow(f"Change – {person(world, 'editor').name}")
    at_work.follow("Lift the cap")
    at_work.press("Lift the cap")


def done_capped(world: World) -> None:
    assert AuditEntry.objects.filter(event=Event.CAP_CHANGED).count() >= 3


FLOWS: dict[str, tuple[Walk, Callable[[World], None]]] = {
    "to all": (to_all, done_to_all),
    "to selected": (to_selected, done_to_selected),
    "to a team until a day": (team_until, done_team_until),
    "taken from a team": (team_taken, done_team_taken),
    "given in bulk": (given_in_bulk, done_given_in_bulk),
    "reclaimed": (reclaimed, done_reclaimed),
    "approved": (approved, done_approved),
    "removed in bulk": (removed_in_bulk, done_removed_in_bulk),
    "uploaded": (uploaded, done_uploaded),
    "invitations in bulk": (invitations_in_bulk, done_invitations_in_bulk),
    "a policy removed": (override_removed, done_override_removed),
    "a cap": (capped, done_capped),
}


@pytest.mark.parametrize("way", WAYS)
def test_owners_give_and_take_access(live_server, now: datetime, tmp_path: Path, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    file = tmp_path / "people.csv"
    file.write_text("\ufeffemail\nlin@example.com\nnoor@example.com\nlin@example.com\n")
    world.names.update({"now": now, "csv": file})  # type: ignore[attr-defined]  # a dict underneath
    for name, (flow, done) in FLOWS.items():
        try:
            walk(live_server, world, way, "owner", flow)
            done(world)
        except BaseException as error:
            error.add_note(f"in the flow “{name}”")
            raise


def leave(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/members/{person(world, 'member').pk}/")
    at_work.follow("Leave…")
    at_work.press("Leave the organization")


def ask_and_withdraw(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"{here}/requests/")
    at_work.follow("Ask for something")
    at_work.choose("kind", "hours")
    at_work.fill(hours="3", note="A release")
    at_work.press("Send the request")
    at_work.open(f"{here}/requests/?state=open")
    at_work.act(at_work.page.locator("main tbody a").first, "Enter")
    at_work.press("Withdraw the request")


@pytest.mark.parametrize("way", WAYS)
def test_members_ask_withdraw_and_leave(live_server, now: datetime, way: str) -> None:  # noqa: F811
    world = route_worlds.make(now)
    walk(live_server, world, way, "member", ask_and_withdraw)
    mine = MemberRequest.objects.filter(person=person(world, "member"))
    assert mine.filter(state=RequestState.WITHDRAWN).exists()
    walk(live_server, world, way, "member", leave)
    members = Membership.objects.filter(organization=world.organization)
    assert not members.filter(person=person(world, "member")).exists()


def join(at_work: Hands, here: str, world: World) -> None:
    at_work.open(f"/invitations/{world.names['token']}/")
    at_work.press("Join the organization")


def join_as_somebody_else(at_work: Hands, here: str, world: World) -> None:
    """Signed in with another address: sign out, sign in with the invited one, join."""
    at_work.open(f"/invitations/{world.names['token']}/")
    at_work.press("Sign out", at_work.page.locator("main"))
    at_work.follow("Sign in")
    at_work.fill(login=person(world, "removed").email, password=factories.PASSWORD)
    at_work.press("Sign in", at_work.page.locator("main"))
    at_work.press("Join the organization")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("invited", "signed_in", "flow"),
    [("removed", "removed", join), ("removed", "outsider", join_as_somebody_else)],
)
def test_who_has_an_account_joins(live_server, now, way, invited, signed_in, flow) -> None:  # noqa: F811
    world = route_worlds.make(now)
    whom = person(world, invited)
    token = factories.invitation_token(world.organization, whom.email, at=now)
    world.names.update({"token": token})  # type: ignore[attr-defined]  # a dict underneath
    walk(live_server, world, way, signed_in, flow)
    members = Membership.objects.filter(organization=world.organization)
    assert members.filter(person=whom).exists()
