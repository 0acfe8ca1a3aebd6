"""A session's page: what it did, what keeps it alive, why it ended; stopping it."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from offload_portal.common.identifiers import uuid7
from orgs.models import Organization, Person
from sessions import services
from sessions.models import Session
from sessions.services import SampleSeen
from tests import factories
from tests.pages.reading import HTMX, SignIn, part, statements, words
from tests.sessions import worlds

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MOST_STATEMENTS = 14
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def page(session: Session) -> str:
    return reverse("pages:session", args=[session.organization.slug, session.pk])


def stop_page(session: Session) -> str:
    return reverse("pages:session_stop", args=[session.organization.slug, session.pk])


@pytest.fixture
def running(
    organization: Organization, member: Person, at: datetime, clock: time_machine.Traveller
) -> Session:
    """Active since a minute, with one container that runs and one that failed."""
    made = worlds.start(organization, member, at, labels={"team": "web"})
    runs = [
        worlds.container("node:22", at, None, name="build"),
        worlds.container("redis:7", at, 5, code=3),
    ]
    worlds.report(made, at, 1, containers=runs, samples=[SampleSeen(at, 50_000, 1024**3)])
    clock.shift(60)
    return made


def test_its_user_owners_and_editors_see_it(
    running: Session, owner: Person, editor: Person, member: Person, client_of: SignIn
) -> None:
    for person in (owner, editor, member):
        answer = client_of(person).get(page(running))
        text = words(answer)
        assert "Max Member" in text
        assert "Kept alive by running containers" in text
        assert "idle in 4 m" in text


def test_a_colleague_a_stranger_and_nobody_see_what_they_see_of_no_session(
    running: Session, colleague: Person, stranger: Person, client_of: SignIn
) -> None:
    unknown = reverse("pages:session", args=[running.organization.slug, uuid7()])

    for person in (colleague, stranger):
        foreign = client_of(person).get(page(running))
        missing = client_of(person).get(unknown)
        assert foreign.status_code == missing.status_code == 404
        assert client_of(person).get(stop_page(running)).status_code == 404
        assert client_of(person).post(stop_page(running)).status_code == 404
    assert Client().get(page(running)).status_code == 302
    running.refresh_from_db()
    assert running.stop_at is None


def test_it_does_not_stand_under_another_organization_s_address(
    running: Session, member: Person, client_of: SignIn, at: datetime
) -> None:
    other = factories.subscribed_organization(member, at=at, name="Other")

    answer = client_of(member).get(reverse("pages:session", args=[other.slug, running.pk]))

    assert answer.status_code == 404


def test_it_tells_what_the_session_did(running: Session, member: Person, client_of: SignIn) -> None:
    answer = client_of(member).get(page(running))
    text = words(answer)

    assert "node:22" in text
    assert "Exit code 3" in text
    assert "Not exited when last seen" in text
    assert "team=web" in text
    assert "First activity; billing begins" in text
    assert "Container failed redis:7 (3)" in text
    assert str(running.pk) in text
    assert answer.context["timeline"].figure["data"]
    assert answer.context["resources"].figure["data"][0]["y"] == [50.0]


def test_the_cost_stands_by_source(
    organization: Organization,
    member: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
) -> None:
    made = worlds.session(organization, member, at, 1_800, size="large")
    clock.shift(HOUR)

    answer = client_of(member).get(page(made))

    (cost,) = answer.context["costs"]
    assert (cost.label, cost.seconds, cost.compute_seconds) == ("Committed", 1_800, 3_600)
    assert "Its user stopped it." in words(answer)


@pytest.mark.parametrize(
    ("after", "sentence"),
    [
        (0, "Kept alive by calls to the Docker API"),
        (0, "it is idle in 5 m and ends in 10 m."),
        (300, "Nothing runs. It ends in 5 m unless something does."),
        (599, "It ends in 1 s"),
        (600, "It was idle for 5 m, so it ended by itself."),
    ],
)
def test_it_says_why_it_is_as_it_is(
    organization: Organization,
    member: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
    after: int,
    sentence: str,
) -> None:
    made = worlds.start(organization, member, at)
    worlds.report(made, at, 1, running=0)
    clock.shift(after)

    assert sentence in words(client_of(member).get(page(made)))


def test_a_job_that_declared_itself_alive_is_named(
    organization: Organization, member: Person, at: datetime, client_of: SignIn
) -> None:
    made = worlds.start(organization, member, at)
    worlds.report(made, at, 1, running=0)
    services.keep_alive(
        actor=factories.actor(member), at=at, session=made, label="training", until=at + HOUR
    )

    text = words(client_of(member).get(page(made)))

    assert "Kept alive by the job “training”." in text
    assert "until 11 Mar 2026, 13:00" in text
    assert "it is idle in 1 h and ends in 1 h 5 m." in text


def test_a_session_that_never_did_anything_is_a_whole_page(
    organization: Organization, member: Person, at: datetime, client_of: SignIn
) -> None:
    made = worlds.start(organization, member, at)

    text = words(client_of(member).get(page(made)))

    assert "No container yet" in text
    assert "Nothing told what the engine used." in text


def test_sessions_of_one_second_and_of_thirty_days_are_whole_pages(
    organization: Organization,
    owner: Person,
    member: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
) -> None:
    worlds.without_limit(organization, owner, at)
    short = worlds.session(organization, member, at, 1)
    long = worlds.start(organization, member, at + HOUR)
    worlds.keep_awake(long, 31 * 86_400)
    worlds.report(long, at + HOUR, 1)
    clock.shift(HOUR + timedelta(days=30))

    assert "1 s" in words(client_of(member).get(page(short)))
    assert "720 h" in words(client_of(member).get(page(long)))


def test_the_head_is_answered_alone_while_it_runs(
    running: Session, member: Person, client_of: SignIn
) -> None:
    answer = client_of(member).get(page(running), headers=part("session-head"))

    assert answer.content.decode().lstrip().startswith("<section")
    assert "HX-Refresh" not in answer.headers
    assert 'hx-trigger="every 5s"' in answer.content.decode()


def test_once_it_has_ended_the_head_asks_for_the_whole_page_and_no_more(
    running: Session, member: Person, client_of: SignIn, clock: time_machine.Traveller
) -> None:
    clock.shift(HOUR)

    answer = client_of(member).get(page(running), headers=part("session-head"))

    assert answer.headers["HX-Refresh"] == "true"
    assert "every 5s" not in answer.content.decode()


def test_body_and_panel_are_parts_of_the_same_view(
    running: Session, member: Person, client_of: SignIn
) -> None:
    client = client_of(member)

    body = client.get(page(running), headers=part("session-body")).content.decode()
    panel = client.get(page(running), headers=part("panel")).content.decode()

    assert 'id="session-body"' in body
    assert "<html" not in body
    assert "data-panel" in panel
    assert f'href="{page(running)}"' in panel
    assert stop_page(running) in panel


def test_a_polled_part_after_signing_out_leads_to_the_sign_in_page(running: Session) -> None:
    answer = Client().get(page(running), headers=HTMX)

    assert "HX-Redirect" in answer.headers


def test_stopping_asks_first_and_says_what_is_lost(
    running: Session, member: Person, client_of: SignIn
) -> None:
    client = client_of(member)

    whole = client.get(stop_page(running))
    panel = client.get(stop_page(running), headers=part("panel"))

    for answer in (whole, panel):
        assert "1 container that was running when last seen" in words(answer)
        assert "every image and volume on the engine" in words(answer)
    running.refresh_from_db()
    assert running.stop_at is None


def test_its_user_stops_it_and_is_billed_to_that_second(
    running: Session, member: Person, client_of: SignIn
) -> None:
    answer = client_of(member).post(stop_page(running), follow=True)

    running.refresh_from_db()
    assert (running.end_reason, running.billed_seconds) == ("stopped", 60)
    assert answer.redirect_chain == [(page(running), 302)]
    assert "The session was stopped" in words(answer)


@pytest.mark.parametrize(
    ("back", "name"), [("overview", "pages:overview"), ("activity", "pages:activity")]
)
def test_an_owner_stops_it_and_goes_back_to_where_the_button_was(
    running: Session, owner: Person, client_of: SignIn, back: str, name: str
) -> None:
    answer = client_of(owner).post(stop_page(running), {"back": back})

    running.refresh_from_db()
    assert running.end_reason == "stopped_by_owner"
    assert answer.headers["Location"] == reverse(name, args=[running.organization.slug])


def test_an_address_of_one_s_own_is_no_way_back(
    running: Session, owner: Person, client_of: SignIn
) -> None:
    answer = client_of(owner).post(stop_page(running), {"back": "https://example.com/"})

    assert answer.headers["Location"] == page(running)


def test_an_editor_can_t_stop_it(running: Session, editor: Person, client_of: SignIn) -> None:
    client = client_of(editor)

    for answer in (client.get(stop_page(running)), client.post(stop_page(running))):
        assert answer.status_code == 403
        assert "Only its user or an owner of the organization can stop a session." in words(answer)
    running.refresh_from_db()
    assert running.stop_at is None
    assert stop_page(running) not in client.get(page(running)).content.decode()


def test_stopping_what_has_ended_changes_nothing(
    running: Session, member: Person, client_of: SignIn, clock: time_machine.Traveller
) -> None:
    clock.shift(HOUR)

    answer = client_of(member).post(stop_page(running), follow=True)

    assert "has ended already" in words(answer)
    running.refresh_from_db()
    assert running.stop_at is None


def test_names_of_containers_and_labels_are_text(
    organization: Organization, member: Person, at: datetime, client_of: SignIn
) -> None:
    made = worlds.start(organization, member, at, labels={"<b>": "<script>x</script>"})
    runs = [worlds.container("<img src=x>", at, 5, name="王小明" * 60)]
    worlds.report(made, at, 1, containers=runs)

    html = client_of(member).get(page(made)).content.decode()

    assert "<img src=x>" not in html
    assert "<script>x" not in html
    assert "&lt;img src=x&gt;" in html


def test_the_statements_are_as_many_for_one_container_as_for_twenty(
    organization: Organization, member: Person, at: datetime, client_of: SignIn
) -> None:
    made = worlds.start(organization, member, at)
    worlds.report(made, at, 1, containers=[worlds.container("node:22", at)])
    one = statements(client_of(member), page(made))

    runs = [worlds.container(f"image:{n}", at) for n in range(20)]
    samples = [SampleSeen(at + n * MINUTE, 1, 1) for n in range(20)]
    worlds.report(made, at, 2, containers=runs, samples=samples)

    assert statements(client_of(member), page(made)) == one <= MOST_STATEMENTS
