"""The operators' page of engines: for staff alone, with every host, engine, wait and mismatch."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from offload_portal.common.identifiers import uuid7
from orgs.models import Organization, Person
from sessions.engines import announcements
from sessions.enums import EngineState
from sessions.models import Engine, Pulse, Session, StartTicket
from sessions.services import hosting
from tests import factories
from tests.pages.reading import SignIn, part, statements, words
from tests.sessions import worlds

SECOND = timedelta(seconds=1)
PAGE = "/operators/engines/"
MOST_STATEMENTS = 20
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock", "host")]


@pytest.fixture
def host(settings, at: datetime) -> None:
    """One host lives, and every session gets an engine there."""
    settings.ENGINE_PROVIDER = "local"
    announcements.announce(host_name="host-1", capacity=4, at=at)


@pytest.fixture
def operator(db: None) -> Person:
    return factories.operator()


def taken(
    organization: Organization, person: Person, at: datetime, slot: int = 1, host: str = "host-1"
) -> Session:
    made = worlds.start(organization, person, at)
    assert hosting.take_engine(session_id=made.pk, host_name=host, slot=slot)
    return made


def ready(session: Session, at: datetime, *left_out: str) -> None:
    hosting.note_ready(
        at=at, session_id=session.pk, address="/run/engine.sock", left_out=left_out,
        timings={"daemon": 1.9, "user": 0.03, "wall": 0.2},
    )  # fmt: skip


def detail(session: Session) -> str:
    return reverse("pages:operators_engine", args=[session.pk])


@pytest.mark.parametrize("who", ["owner", "editor", "member", "stranger"])
def test_for_everybody_but_operators_it_does_not_exist(
    organization: Organization,
    member: Person,
    at: datetime,
    client_of: SignIn,
    request: pytest.FixtureRequest,
    who: str,
) -> None:
    made = taken(organization, factories.licensed_member(organization, "Mia", at=at), at)
    client = client_of(request.getfixturevalue(who))

    for address in (PAGE, detail(made), reverse("pages:operators_engine", args=[uuid7()])):
        assert client.get(address).status_code == 404
        assert client.post(address).status_code in (404, 405)
    assert "Operators" not in words(client.get(reverse("orgs:account")))


def test_nobody_is_sent_to_the_sign_in_page(at: datetime) -> None:
    for address in (PAGE, reverse("pages:operators_engine", args=[uuid7()])):
        assert "/account/login/" in Client().get(address).headers["Location"]


def test_an_operator_is_made_by_a_command_and_finds_the_way(
    client_of: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", factories.PASSWORD)
    call_command("createsuperuser", interactive=False, email="Ops@Example.com", verbosity=0)
    made = Person.objects.get(email="ops@example.com")

    answer = client_of(made).get(reverse("orgs:account"))

    assert f'href="{PAGE}"' in answer.content.decode()
    factories.second_factor(made)
    assert client_of(made).get(PAGE).status_code == 200


def test_without_anything_it_says_what_will_stand_there(
    operator: Person, client_of: SignIn
) -> None:
    announcements.withdraw("host-1")

    text = words(client_of(operator).get(PAGE))

    assert "No engine host has spoken" in text
    assert "No engine is there now" in text


def test_a_host_shows_its_places_and_when_it_last_spoke(
    organization: Organization,
    member: Person,
    operator: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
) -> None:
    ready(taken(organization, member, at), at)
    clock.shift(29)
    (alive,) = client_of(operator).get(PAGE).context["now"].hosts
    clock.shift(1)
    (silent,) = client_of(operator).get(PAGE).context["now"].hosts

    assert (alive.capacity, alive.engines, alive.ready, alive.free) == (4, 1, 1, 3)
    assert (alive.lives, silent.lives) == (True, False)


def test_an_engine_shows_its_start_by_parts_and_what_was_left_out(
    organization: Organization, member: Person, operator: Person, at: datetime, client_of: SignIn
) -> None:
    made = taken(organization, member, at)
    ready(made, at, "The memory could not be limited.")
    client = client_of(operator)

    for answer in (client.get(PAGE), client.get(detail(made), headers=part("panel"))):
        text = words(answer)
        assert "The memory could not be limited." in text
        assert "Max Member" in text
        assert "place 1" in text
    assert "2.13 s user 0.03 · wall 0.2 · daemon 1.9" in words(client.get(PAGE))
    assert "Start: daemon" in words(client.get(detail(made)))


def test_a_failed_start_says_why(
    organization: Organization, member: Person, operator: Person, at: datetime, client_of: SignIn
) -> None:
    made = taken(organization, member, at)
    hosting.note_failed(at=at + SECOND, session_id=made.pk, reason="The disk is full.")
    hosting.note_removed(at=at + SECOND, session_id=made.pk)
    client = client_of(operator)

    assert "The disk is full." not in words(client.get(PAGE))
    assert "The disk is full." in words(client.get(PAGE, {"state": "failed"}))
    assert "The disk is full." in words(client.get(detail(made)))


def test_only_those_of_the_organization_get_a_link_to_what_the_session_ran(
    organization: Organization, owner: Person, operator: Person, at: datetime, client_of: SignIn
) -> None:
    made = taken(organization, owner, at)
    link = reverse("pages:session", args=[organization.slug, made.pk])
    Person.objects.filter(pk=owner.pk).update(is_staff=True)
    owner.refresh_from_db()
    factories.second_factor(owner)

    assert link not in client_of(operator).get(detail(made)).content.decode()
    assert link in client_of(owner).get(detail(made)).content.decode()


@pytest.mark.parametrize(
    ("state", "found"),
    [("", 2), ("ready", 1), ("starting", 1), ("lost", 0), ("all", 3), ("removed", 1), ("x", 2)],
)
def test_engines_are_found_by_their_state(
    organization: Organization,
    operator: Person,
    at: datetime,
    client_of: SignIn,
    state: str,
    found: int,
) -> None:
    people = [factories.licensed_member(organization, f"P {n}", at=at) for n in range(3)]
    made = [taken(organization, person, at, slot) for slot, person in enumerate(people, 1)]
    ready(made[0], at)
    hosting.note_removed(at=at, session_id=made[2].pk)

    answer = client_of(operator).get(PAGE, {"state": state})

    assert len(answer.context["rows"]) == found


def test_engines_are_found_by_their_host(
    organization: Organization, member: Person, operator: Person, at: datetime, client_of: SignIn
) -> None:
    taken(organization, member, at)
    client = client_of(operator)

    assert len(client.get(PAGE, {"host": "host-1"}).context["rows"]) == 1
    assert "No engine passes these filters" in words(client.get(PAGE, {"host": "other"}))
    assert client.get(PAGE, {"host": "\x00"}).status_code in (200, 400)


def test_pages_go_by_keys_in_both_directions(
    organization: Organization, operator: Person, at: datetime, client_of: SignIn
) -> None:
    one = worlds.start(organization, factories.licensed_member(organization, "P", at=at), at)
    made = [one.pk]
    for _ in range(119):
        # As the first, under an identifier of its own.
        one.pk = uuid7()
        one.save(force_insert=True)
        Pulse.objects.create(session=one, organization=organization)
        Engine.objects.create(session=one, organization=organization, provider="local", asked_at=at)
        made.append(one.pk)
    client = client_of(operator)

    def rows(**query: str) -> tuple[list[object], dict[str, object]]:
        page = client.get(PAGE, query).context["now"].page
        return [row.session.id for row in page.rows], {"newer": page.newer, "older": page.older}

    first, beside_first = rows()
    second, beside_second = rows(older=str(beside_first["older"]))
    third, beside_third = rows(older=str(beside_second["older"]))
    back, _ = rows(newer=str(beside_third["newer"]))

    assert [*first, *second, *third] == made[::-1]
    assert beside_first["newer"] is None
    assert beside_third["older"] is None
    assert back == second


def test_who_waits_stands_there_in_order_until_they_give_up(
    organization: Organization,
    member: Person,
    colleague: Person,
    operator: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
) -> None:
    for person, ago in ((member, 2), (colleague, 9)):
        StartTicket.objects.create(
            organization=organization, person=person, asked_at=at - ago * SECOND, seen_at=at
        )
    client = client_of(operator)
    clock.shift(59)
    now = client.get(PAGE).context["now"]
    clock.shift(1)

    assert [(row.place, row.person) for row in now.queue] == [
        (1, "Cora Colleague"),
        (2, "Max Member"),
    ]
    assert client.get(PAGE).context["now"].queue == ()


def mismatches(answer: object) -> list[str]:
    return [trouble.kind for trouble in answer.context["now"].troubles]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("after", "kinds"), [(60, []), (61, ["engine_without_session"])])
def test_an_engine_that_outlives_its_session_for_a_minute_needs_a_look(
    organization: Organization,
    member: Person,
    operator: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
    after: int,
    kinds: list[str],
) -> None:
    made = taken(organization, member, at)
    ready(made, at)
    worlds.stop(made, at)
    clock.shift(after)
    announcements.announce(host_name="host-1", capacity=4, at=at + after * SECOND)

    assert mismatches(client_of(operator).get(PAGE)) == kinds


@pytest.mark.parametrize(("after", "kinds"), [(60, []), (61, ["not_taken"])])
def test_an_engine_that_no_host_takes_needs_a_look(
    organization: Organization,
    member: Person,
    operator: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
    after: int,
    kinds: list[str],
) -> None:
    worlds.start(organization, member, at)
    clock.shift(after)

    assert mismatches(client_of(operator).get(PAGE)) == kinds


def test_engines_of_a_silent_host_need_a_look(
    organization: Organization,
    member: Person,
    operator: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
) -> None:
    ready(taken(organization, member, at), at)
    client = client_of(operator)
    assert mismatches(client.get(PAGE)) == []
    clock.shift(30)

    answer = client.get(PAGE)

    assert mismatches(answer) == ["host_silent"]
    assert "Start manage.py engines there again" in words(answer)


@pytest.mark.parametrize(("after", "kinds"), [(60, []), (61, ["session_without_engine"])])
def test_a_session_whose_engine_is_gone_needs_a_look(
    organization: Organization,
    member: Person,
    operator: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
    after: int,
    kinds: list[str],
) -> None:
    made = taken(organization, member, at)
    ready(made, at)
    Engine.objects.filter(pk=made.pk).update(state=EngineState.REMOVED, slot=None)
    clock.shift(after)

    assert mismatches(client_of(operator).get(PAGE)) == kinds


def test_the_first_page_asks_for_itself_again_and_an_older_one_does_not(
    organization: Organization, member: Person, operator: Person, at: datetime, client_of: SignIn
) -> None:
    made = taken(organization, member, at)
    client = client_of(operator)

    first = client.get(PAGE, {"state": "starting"}, headers=part("operators-engines"))
    older = client.get(PAGE, {"older": str(made.pk)}, headers=part("operators-engines"))

    assert first.content.decode().lstrip().startswith("<div")
    assert 'hx-get="/operators/engines/?state=starting"' in first.content.decode()
    assert "hx-trigger" not in older.content.decode().split(">")[0]


def test_the_statements_are_as_many_for_one_engine_as_for_twenty(
    organization: Organization, operator: Person, at: datetime, client_of: SignIn
) -> None:
    announcements.announce(host_name="host-1", capacity=40, at=at)
    people = [factories.licensed_member(organization, f"P {n}", at=at) for n in range(9)]
    client = client_of(operator)
    taken(organization, people[0], at)
    one = statements(client, PAGE)
    for slot, person in enumerate(people[1:], 2):
        taken(organization, person, at, slot)

    assert statements(client, PAGE) == one <= MOST_STATEMENTS
