"""The overview: may we work, who works now, what does it cost, what needs me."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from orgs.enums import Role
from orgs.models import Organization, Person
from orgs.services import revoke_person
from tests import factories
from tests.pages.reading import HTMX, SignIn, part, statements, words
from tests.sessions import worlds

HOUR = timedelta(hours=1)
# Two of them find out who is signed in.
MOST_STATEMENTS, MOST_OF_MEMBERS = 16, 18
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def where(organization: Organization) -> str:
    return reverse("pages:overview", args=[organization.slug])


def test_signed_out_people_are_asked_to_sign_in(organization: Organization) -> None:
    for address in (where(organization), reverse("pages:home"), reverse("pages:organizations")):
        answer = Client().get(address)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/account/login/")


def test_a_stranger_gets_what_an_unknown_address_gets(
    organization: Organization, stranger: Person, client_of: SignIn
) -> None:
    foreign = client_of(stranger).get(where(organization))
    unknown = client_of(stranger).get(reverse("pages:overview", args=["nowhere"]))

    assert foreign.status_code == unknown.status_code == 404
    assert organization.name not in foreign.content.decode()


def test_without_an_organization_one_is_welcomed(stranger: Person, client_of: SignIn) -> None:
    answer = client_of(stranger).get(reverse("pages:home"), follow=True)

    assert "Welcome" in words(answer)
    assert reverse("orgs:create") in answer.content.decode()


def test_with_one_organization_home_is_its_overview(
    organization: Organization, owner: Person, client_of: SignIn
) -> None:
    answer = client_of(owner).get(reverse("pages:home"))

    assert answer.headers["Location"] == where(organization)


def test_with_several_home_is_the_list_and_then_the_last_used_one(
    organization: Organization, owner: Person, client_of: SignIn
) -> None:
    other = factories.organization(owner, name="Other")
    client = client_of(owner)

    first = client.get(reverse("pages:home"), follow=True)
    client.get(where(other))
    then = client.get(reverse("pages:home"))

    assert "Your organizations" in words(first)
    assert "Acme" in words(first)
    assert "Other" in words(first)
    assert then.headers["Location"] == where(other)


def test_an_empty_organization_shows_its_owner_the_way_to_a_first_session(
    owner: Person, client_of: SignIn, settings: object
) -> None:
    empty = factories.organization(owner)

    answer = client_of(owner).get(where(empty))
    text = words(answer)

    for step in ("Subscribe", "Invite", "Grant access", "on-demand", "Start a first session"):
        assert step in text
    assert "docker offload login --portal" in text
    assert "docker offload start" in text
    assert reverse("pages:get_started", args=[empty.slug]) in answer.content.decode()
    assert "Not subscribed" in text


def test_steps_that_were_done_are_marked(
    organization: Organization, owner: Person, member: Person, client_of: SignIn
) -> None:
    items = client_of(owner).get(where(organization)).context["checklist"]

    assert [item["done"] for item in items] == [True, True, True, False, False]


def test_the_list_goes_with_the_first_session(
    organization: Organization, owner: Person, member: Person, at: datetime, client_of: SignIn
) -> None:
    worlds.start(organization, member, at)

    answer = client_of(owner).get(where(organization))

    assert answer.context["checklist"] == []
    assert "Needs you" in words(answer)


def test_editors_see_no_steps_that_only_owners_can_take(
    owner: Person, client_of: SignIn, at: datetime
) -> None:
    empty = factories.organization(owner)
    editor = factories.colleague(empty, "Edda Editor", Role.EDITOR, at=at)

    answer = client_of(editor).get(where(empty))

    assert answer.context["checklist"] == []
    assert "Needs an owner" in words(answer)
    assert "There is no subscription" in words(answer)
    assert reverse("pages:subscribe", args=[empty.slug]) not in answer.content.decode()


def test_owners_see_who_works_now_and_may_stop_them(
    organization: Organization,
    owner: Person,
    member: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
) -> None:
    running = worlds.start(organization, member, at)
    worlds.report(running, at, 1, containers=[worlds.container("node:22", at, None)])
    clock.shift(90)

    answer = client_of(owner).get(where(organization))
    text = words(answer)

    assert "Working now" in text
    assert "Max Member" in text
    assert "1 m 30 s" in text
    assert "node:22" in text
    assert "idle in 3 m 30 s" in text
    stop = reverse("pages:session_stop", args=[organization.slug, running.pk])
    assert f'href="{stop}?back=overview"' in answer.content.decode()


def test_editors_see_them_without_a_button(
    organization: Organization, editor: Person, member: Person, at: datetime, client_of: SignIn
) -> None:
    running = worlds.start(organization, member, at)

    answer = client_of(editor).get(where(organization))

    assert "Max Member" in words(answer)
    stop = reverse("pages:session_stop", args=[organization.slug, running.pk])
    assert stop not in answer.content.decode()


def test_the_same_view_answers_the_running_part_alone(
    organization: Organization, owner: Person, member: Person, at: datetime, client_of: SignIn
) -> None:
    worlds.start(organization, member, at)

    answer = client_of(owner).get(where(organization), headers=part("running"))
    html = answer.content.decode()

    assert html.lstrip().startswith("<section")
    assert "Max Member" in html
    assert "<html" not in html
    assert "HX-Target" in answer.headers["Vary"]


def test_a_part_asked_for_after_signing_out_leads_to_the_sign_in_page(
    organization: Organization,
) -> None:
    answer = Client().get(where(organization), headers=HTMX)

    assert answer.headers["HX-Redirect"].startswith("/account/login/?next=")
    assert answer.content == b""


def test_sessions_that_are_over_by_the_clock_are_not_shown_as_running(
    organization: Organization,
    owner: Person,
    member: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
) -> None:
    worlds.start(organization, member, at)
    clock.shift(301)

    answer = client_of(owner).get(where(organization))

    assert "Nobody works on an engine right now" in words(answer)


def test_the_period_s_use_and_course_are_the_ledger_s(
    organization: Organization,
    owner: Person,
    member: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
) -> None:
    worlds.session(organization, member, at, 3_600)
    clock.shift(2 * HOUR)

    answer = client_of(owner).get(where(organization))

    assert answer.context["allowance"].used_compute_seconds == 3_600
    assert answer.context["course"].figure["data"][0]["y"][-1] == 1.0
    assert "1 h of 100 h used" in words(answer)


def test_open_invitations_are_named(
    organization: Organization, owner: Person, member: Person, at: datetime, client_of: SignIn
) -> None:
    worlds.start(organization, member, at)
    factories.invitation_token(organization, "new@example.com", at=at)

    text = words(client_of(owner).get(where(organization)))

    assert "1 invitation was not accepted yet" in text


def test_a_member_with_a_license_may_start(
    organization: Organization, member: Person, client_of: SignIn
) -> None:
    text = words(client_of(member).get(where(organization)))

    assert "You may start a session" in text
    assert "It is idle after 5 m without activity." in text
    assert "It is paid from time bought ahead." in text
    assert "You have" not in text


def test_a_member_without_one_reads_why_and_whom_to_ask(
    organization: Organization, colleague: Person, owner: Person, client_of: SignIn
) -> None:
    answer = client_of(colleague).get(where(organization))

    assert "You can't start a session now" in words(answer)
    assert "You have no license for Offload here" in words(answer)
    assert f"mailto:{owner.email}" in answer.content.decode()


def test_a_member_sees_their_own_sessions_and_nobody_else_s(
    organization: Organization, owner: Person, member: Person, at: datetime, client_of: SignIn
) -> None:
    mine = worlds.start(organization, member, at)
    other = worlds.start(organization, owner, at)

    html = client_of(member).get(where(organization)).content.decode()

    assert str(mine.pk) in html
    assert str(other.pk) not in html
    assert "Olga Owner" not in html
    assert "Usage &amp; billing" not in html


def test_a_member_who_lost_access_reads_so(
    organization: Organization, owner: Person, member: Person, at: datetime, client_of: SignIn
) -> None:
    revoke_person(actor=factories.actor(owner), at=at, organization=organization, person=member)

    assert "You have no license" in words(client_of(member).get(where(organization)))


def test_names_of_every_kind_fit(
    organization: Organization, owner: Person, at: datetime, client_of: SignIn
) -> None:
    for name in ("王小明", "N" * 80, "ليلى حسن", "A"):
        person = factories.licensed_member(organization, "Some Body", at=at)
        person.name = name
        person.save()
        worlds.start(organization, person, at)

    html = client_of(owner).get(where(organization)).content.decode()

    assert "<bdi>王小明</bdi>" in html
    assert f"<bdi>{'N' * 80}</bdi>" in html


def test_the_statements_are_as_many_with_one_session_as_with_twenty(
    owner: Person, at: datetime, client_of: SignIn
) -> None:
    organization = factories.subscribed_organization(owner, at=at, plan="business")
    member = factories.licensed_member(organization, at=at)
    worlds.start(organization, member, at)
    whole = statements(client_of(owner), where(organization))
    own = statements(client_of(member), where(organization))

    for number in range(19):
        person = factories.licensed_member(organization, f"Member{number} M", at=at)
        worlds.start(organization, person, at)

    assert statements(client_of(owner), where(organization)) == whole <= MOST_STATEMENTS
    assert statements(client_of(member), where(organization)) == own <= MOST_OF_MEMBERS
