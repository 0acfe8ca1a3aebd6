"""What people do on a session's page: answering the prompt; and owners, stopping all."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from orgs.models import Organization, Person
from sessions.models import Session
from tests.pages.reading import SignIn, part, words
from tests.sessions import worlds

MINUTE = timedelta(minutes=1)
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def page(session: Session) -> str:
    return reverse("pages:session", args=[session.organization.slug, session.pk])


@pytest.fixture
def running(
    organization: Organization, member: Person, at: datetime, clock: time_machine.Traveller
) -> Session:
    """Active since a minute."""
    made = worlds.start(organization, member, at)
    worlds.report(made, at, 1)
    clock.shift(60)
    return made


# --- The prompt ---------------------------------------------------------------------------------


@pytest.fixture
def asked(
    organization: Organization, member: Person, at: datetime, clock: time_machine.Traveller
) -> Session:
    """Three minutes without activity: its user is asked, and has two more to answer."""
    made = worlds.start(organization, member, at)
    worlds.report(made, at, 1)
    clock.shift(180)
    return made


def answer_page(session: Session) -> str:
    return reverse("pages:session_answer", args=[session.organization.slug, session.pk])


def test_its_user_is_asked_on_its_page_and_others_read_that_they_are(
    asked: Session, member: Person, owner: Person, client_of: SignIn
) -> None:
    own, other = client_of(member).get(page(asked)), client_of(owner).get(page(asked))

    assert "Are you still working?" in words(own)
    assert "Without an answer the session is idle in 2 m." in words(own)
    assert answer_page(asked) in own.content.decode()
    assert "Its user is asked" in words(other)
    assert answer_page(asked) not in other.content.decode()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [("stay", "it is idle in 5 m"), ("idle", "Nothing runs. It ends in 5 m")],
)
def test_its_user_answers_on_its_page(
    asked: Session, member: Person, client_of: SignIn, answer: str, sentence: str
) -> None:
    text = words(client_of(member).post(answer_page(asked), {"answer": answer}, follow=True))

    assert sentence in text
    assert "Are you still working?" not in text


@pytest.mark.parametrize(
    ("who", "status"), [("owner", 404), ("editor", 404), ("colleague", 404), ("stranger", 404)]
)
def test_nobody_else_answers(
    asked: Session, client_of: SignIn, request: pytest.FixtureRequest, who: str, status: int
) -> None:
    client = client_of(request.getfixturevalue(who))

    assert client.post(answer_page(asked), {"answer": "stay"}).status_code == status


def test_an_answer_is_posted_and_is_one_of_two(
    asked: Session, member: Person, client_of: SignIn
) -> None:
    client = client_of(member)

    assert client.get(answer_page(asked)).status_code == 405
    assert client.post(answer_page(asked), {"answer": "perhaps"}).status_code == 400
    assert Client().post(answer_page(asked), {"answer": "stay"}).status_code == 302


@pytest.mark.parametrize(
    ("after", "sentence"), [(-1, "No prompt is due"), (120, "No prompt is due"), (420, "has ended")]
)
def test_an_answer_at_the_wrong_time_changes_nothing_and_says_so(
    asked: Session,
    member: Person,
    client_of: SignIn,
    clock: time_machine.Traveller,
    after: int,
    sentence: str,
) -> None:
    clock.shift(after)

    text = words(client_of(member).post(answer_page(asked), {"answer": "stay"}, follow=True))

    assert sentence in text


# --- Stopping all -------------------------------------------------------------------------------


def test_who_stopped_it_is_named(
    running: Session, owner: Person, member: Person, client_of: SignIn
) -> None:
    stop = reverse("pages:session_stop", args=[running.organization.slug, running.pk])
    client_of(owner).post(stop)

    assert "Olga Owner stopped it, as an owner" in words(client_of(member).get(page(running)))


def all_page(session: Session) -> str:
    return reverse("pages:stop_all", args=[session.organization.slug])


def test_an_owner_sees_what_is_lost_and_stops_all(
    running: Session, owner: Person, member: Person, client_of: SignIn, at: datetime
) -> None:
    own = worlds.start(running.organization, owner, at + MINUTE)
    client = client_of(owner)
    overview = client.get(reverse("pages:overview", args=[running.organization.slug]))
    asked = words(client.get(all_page(running)))

    done = words(client.post(all_page(running), follow=True))

    assert all_page(running) in overview.content.decode()
    assert "every image and volume" in asked
    assert "Max Member" in asked
    assert "2 sessions were stopped" in done
    reasons = dict(Session.objects.values_list("pk", "end_reason"))
    assert (reasons[running.pk], reasons[own.pk]) == ("stopped_by_owner", "stopped")
    assert "No session was running" in words(client.post(all_page(running), follow=True))
    assert "nothing to stop" in words(client.get(all_page(running), headers=part("panel")))


@pytest.mark.parametrize(
    ("who", "status"), [("editor", 403), ("member", 403), ("colleague", 403), ("stranger", 404)]
)
def test_only_owners_stop_all(
    running: Session, client_of: SignIn, request: pytest.FixtureRequest, who: str, status: int
) -> None:
    client = client_of(request.getfixturevalue(who))

    assert client.get(all_page(running)).status_code == status
    assert client.post(all_page(running)).status_code == status
    running.refresh_from_db()
    assert running.stop_at is None
    assert Client().post(all_page(running)).status_code == 302
