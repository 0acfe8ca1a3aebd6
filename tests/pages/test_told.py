"""What a session's user and owners are told before anything is stopped, on the pages (rule 19)."""

from datetime import datetime

import pytest
import time_machine
from django.urls import reverse

from orgs.models import Organization, Person
from sessions.models import Session
from tests.pages.reading import SignIn, part, statements, words
from tests.sessions import worlds
from tests.sessions.lives import later, meter
from tests.usage.worlds import leave, on_demand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
RUNS_OUT = "Compute time runs out"


@pytest.fixture
def running(
    organization: Organization, member: Person, at: datetime, clock: time_machine.Traveller
) -> Session:
    """Active; what is left lasts until `at` + 1,200 s."""
    leave(organization, 1_200)
    made = worlds.start(organization, member, at)
    worlds.keep_awake(made, 86_400)
    worlds.report(made, at, 1)
    meter(organization, later(at, 60))
    clock.move_to(later(at, 300))
    return made


def session_page(session: Session) -> str:
    return reverse("pages:session", args=[session.organization.slug, session.pk])


def overview(organization: Organization) -> str:
    return reverse("pages:overview", args=[organization.slug])


def test_the_sessions_page_says_when_time_runs_out(
    running: Session, member: Person, client_of: SignIn
) -> None:
    text = words(client_of(member).get(session_page(running)))
    assert RUNS_OUT in text
    assert "at about 12:20 UTC if everybody works on" in text
    assert "On-demand usage" not in text  # a member can't change it


def test_a_second_earlier_it_says_nothing(
    running: Session, member: Person, client_of: SignIn, clock: time_machine.Traveller, at: datetime
) -> None:
    clock.move_to(later(at, 299))
    assert RUNS_OUT not in words(client_of(member).get(session_page(running)))


def test_it_comes_by_itself_while_the_page_is_open(
    running: Session, member: Person, client_of: SignIn
) -> None:
    for target in ("session-head", "panel"):
        answer = client_of(member).get(session_page(running), headers=part(target))
        assert RUNS_OUT in words(answer)


def test_owners_are_led_to_where_they_can_change_it(
    running: Session, owner: Person, client_of: SignIn
) -> None:
    limits = reverse("pages:limits", args=[running.organization.slug])
    for address in (session_page(running), overview(running.organization)):
        answer = client_of(owner).get(address)
        assert RUNS_OUT in words(answer)
        assert f'href="{limits}"' in answer.content.decode()


def test_a_member_sees_it_at_their_running_session(
    running: Session, member: Person, client_of: SignIn
) -> None:
    answer = client_of(member).get(overview(running.organization), headers=part("running"))
    assert RUNS_OUT in words(answer)


def test_a_lower_limit_to_come_is_what_needs_an_owner(
    organization: Organization,
    owner: Person,
    member: Person,
    at: datetime,
    clock: time_machine.Traveller,
    client_of: SignIn,
) -> None:
    leave(organization, 0)
    on_demand(organization, owner, at, "limited", 5)
    made = worlds.start(organization, member, at)
    worlds.keep_awake(made, 86_400)
    worlds.report(made, at, 1)
    clock.move_to(later(at, 100))
    on_demand(organization, owner, later(at, 100), "off")
    text = words(client_of(owner).get(overview(organization)))
    assert "A lower limit takes effect" in text
    assert "at 12:11 UTC, and every running session ends then" in text


def test_notices_cost_the_pages_no_statement(
    running: Session, member: Person, client_of: SignIn, clock: time_machine.Traveller, at: datetime
) -> None:
    client = client_of(member)
    with_notice = statements(client, session_page(running))
    clock.move_to(later(at, 299))
    assert statements(client, session_page(running)) == with_notice
