"""The activity page: figures, filters in its address, the list, the reader's wall."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from offload_portal.common.display import change_text
from offload_portal.pages import activity
from orgs.models import Organization, Person
from tests import factories
from tests.pages.reading import SignIn, statements, words
from tests.sessions import worlds

HOUR = timedelta(hours=1)
MOST_STATEMENTS = 17
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def where(organization: Organization) -> str:
    return reverse("pages:activity", args=[organization.slug])


@pytest.fixture
def world(
    organization: Organization,
    owner: Person,
    member: Person,
    at: datetime,
    clock: time_machine.Traveller,
) -> Organization:
    """An hour of the owner's on a large engine, ten minutes of the member's; two days later."""
    worlds.session(organization, owner, at, 3_600, images=["node:22"], size="large")
    worlds.session(
        organization, member, at + 2 * HOUR, 600, images=["redis:7"], labels={"team": "web"}
    )
    clock.shift(48 * HOUR)
    return organization


def test_the_five_figures_stand_in_docker_s_order(
    world: Organization, owner: Person, client_of: SignIn
) -> None:
    answer = client_of(owner).get(where(world))

    shown = [(figure.label, figure.value) for figure in answer.context["figures"]]
    assert shown == [
        ("Total duration", "1 h 10 m"),
        ("Average duration", "35 m"),
        ("Sessions", "2"),
        ("Unique images", "2"),
        ("Unique users", "2"),
    ]
    assert "4,200 seconds" in answer.content.decode()


@pytest.mark.parametrize(
    ("now", "then", "said"),
    [
        (0, 0, "none before"),
        (None, None, "none before"),
        (5, 0, "new"),
        (0, 5, "−100 %"),
        (112, 100, "+12 %"),
        (97, 100, "−3 %"),
        (1_000, 1_000, "no change"),
        (1_001, 1_000, "no change"),
        (42, 10, "×4.2"),
        (123_456, 1, "×123,456"),
    ],
)
def test_a_change_is_said_in_the_form_that_reads_best(
    now: int | None, then: int | None, said: str
) -> None:
    assert change_text(now, then) == said


def test_owners_and_editors_see_everyone_s_sessions(
    world: Organization, owner: Person, editor: Person, client_of: SignIn
) -> None:
    for person in (owner, editor):
        answer = client_of(person).get(where(world))
        assert len(answer.context["page"].rows) == 2
        assert "Top users" in words(answer)


def test_members_see_my_sessions(world: Organization, member: Person, client_of: SignIn) -> None:
    answer = client_of(member).get(where(world))
    text = words(answer)

    assert "My sessions" in text
    assert len(answer.context["page"].rows) == 1
    assert answer.context["summary"].figures.total_seconds == 600
    assert "Olga Owner" not in text
    assert "Top users" not in text


def test_a_member_can_t_widen_the_list_by_the_address(
    world: Organization, member: Person, owner: Person, client_of: SignIn
) -> None:
    answer = client_of(member).get(where(world), {"user": owner.email})

    assert [row.user_email for row in answer.context["page"].rows] == [member.email]


def test_strangers_and_signed_out_people_see_nothing(
    world: Organization, stranger: Person, client_of: SignIn
) -> None:
    assert client_of(stranger).get(where(world)).status_code == 404
    assert Client().get(where(world)).status_code == 302


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 2),
        ({"period": "7"}, 2),
        ({"period": "90"}, 2),
        ({"period": "billing"}, 2),
        ({"since": "2026-03-11"}, 2),
        ({"since": "2026-03-12"}, 0),
        ({"since": "2026-03-11", "until": "2026-03-11"}, 2),
        ({"engine": "large"}, 1),
        ({"engine": "gpu"}, 0),
        ({"image": "node"}, 1),
        ({"label": "team=web"}, 1),
        ({"label": "team=api"}, 0),
        ({"label": "contains=x"}, 0),
        ({"state": "ended"}, 2),
        ({"state": "running"}, 0),
        ({"least": "60"}, 1),
        ({"most": "10"}, 1),
        ({"least": "10", "most": "60"}, 2),
        ({"least": "0"}, 2),
    ],
)
def test_filters_narrow_figures_and_list_alike(
    world: Organization, owner: Person, client_of: SignIn, query: dict[str, str], found: int
) -> None:
    answer = client_of(owner).get(where(world), query)

    assert len(answer.context["page"].rows) == found
    assert answer.context["summary"].figures.sessions == found


def test_a_person_is_chosen_by_their_address_in_any_case(
    world: Organization, owner: Person, member: Person, client_of: SignIn
) -> None:
    answer = client_of(owner).get(where(world), {"user": member.email.upper()})

    assert [row.user_id for row in answer.context["page"].rows] == [member.pk]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"since": "2026-03-13", "until": "2026-03-12"}, "The last day comes before the first."),
        ({"since": "2024-01-01", "until": "2026-03-01"}, "Choose at most 366 days at once."),
        ({"since": "1926-01-01", "until": "2026-03-01"}, "Choose a day from 1 January 2020 on."),
        ({"since": "0001-01-01"}, "Choose a day from 1 January 2020 on."),
        ({"since": "2026-03-14"}, "The first day lies ahead; there is nothing yet."),
        ({"since": "2026-03-01", "until": "9999-12-31"}, "This day lies too far ahead."),
        ({"since": "2026-02-30"}, "Enter a valid date."),
        ({"until": "yesterday"}, "Enter a valid date."),
        ({"until": "2026-03-12"}, "Choose the first day."),
        ({"period": "custom"}, "Choose the first day."),
        ({"period": "decade"}, "decade is not one of the available choices."),
        ({"user": "nobody@example.com"}, "Nobody in this organization has this address."),
        ({"user": "not an address"}, "Enter a valid email address."),
        ({"state": "asleep"}, "asleep is not one of the available choices."),
        ({"engine": "huge"}, "huge is not one of the available choices."),
        ({"label": "team"}, "Write a label as name=value, for example team=web."),
        ({"label": "=web"}, "Write a label as name=value, for example team=web."),
        ({"least": "many"}, "Enter a whole number."),
        ({"least": "-1"}, "Ensure this value is greater than or equal to 0."),
        ({"most": "9" * 40}, "Ensure this value is less than or equal to 527040."),
        ({"least": "9", "most": "3"}, "The longest can't be shorter than the shortest."),
        ({"image": "x" * 300}, "Ensure this value has at most 255 characters"),
    ],
)
def test_a_filter_that_can_t_be_says_so_beside_its_field(
    world: Organization, owner: Person, client_of: SignIn, query: dict[str, str], sentence: str
) -> None:
    answer = client_of(owner).get(where(world), query)

    assert answer.status_code == 200
    assert sentence in words(answer)
    assert "The filters need a correction" in words(answer)
    assert answer.context["summary"] is None
    for value in query.values():
        assert value in answer.content.decode()


def test_a_nul_byte_is_refused_before_any_query(
    world: Organization, owner: Person, client_of: SignIn
) -> None:
    assert client_of(owner).get(where(world), {"image": "a\x00b"}).status_code == 400


def test_somebody_of_another_organization_is_nobody_here(
    world: Organization, owner: Person, stranger: Person, client_of: SignIn
) -> None:
    factories.subscribed_organization(stranger)

    answer = client_of(owner).get(where(world), {"user": stranger.email})

    assert "Nobody in this organization has this address." in words(answer)


def test_without_a_subscription_there_is_no_billing_period(
    owner: Person, client_of: SignIn
) -> None:
    empty = factories.organization(owner)

    answer = client_of(owner).get(where(empty), {"period": "billing"})

    assert "There is no billing period before a subscription." in words(answer)


def test_an_empty_organization_says_what_will_stand_here(owner: Person, client_of: SignIn) -> None:
    empty = factories.organization(owner)

    text = words(client_of(owner).get(where(empty)))

    assert "No session in this period" in text
    assert "Days on which sessions used compute time will stand here." in text


def test_filters_that_find_nothing_offer_to_be_taken_away(
    world: Organization, owner: Person, client_of: SignIn
) -> None:
    answer = client_of(owner).get(where(world), {"image": "nothing"})

    assert "No session passes these filters" in words(answer)


def test_each_filter_is_a_chip_that_takes_itself_away(
    world: Organization, owner: Person, client_of: SignIn
) -> None:
    answer = client_of(owner).get(where(world), {"image": "node", "state": "ended", "period": "7"})

    chips = {chip.label: (chip.value, chip.url) for chip in answer.context["chips"]}
    assert chips == {
        "Image": ("node", "?state=ended&period=7"),
        "State": ("Ended", "?image=node&period=7"),
    }


def test_days_of_one_s_own_are_a_chip_too(
    world: Organization, owner: Person, client_of: SignIn
) -> None:
    query = {"since": "2026-03-01", "until": "2026-03-12", "period": "7"}

    answer = client_of(owner).get(where(world), query)

    (chip,) = answer.context["chips"]
    assert chip.value == "1 Mar 2026 – 12 Mar 2026"
    assert chip.url == "?"
    assert not any(preset["current"] for preset in answer.context["presets"])


def test_empty_fields_of_the_form_leave_the_address(
    world: Organization, owner: Person, client_of: SignIn
) -> None:
    answer = client_of(owner).get(where(world), {"image": "node", "state": "", "user": ""})

    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{where(world)}?image=node"


def test_the_download_follows_the_filters(
    world: Organization, owner: Person, client_of: SignIn
) -> None:
    html = client_of(owner).get(where(world), {"image": "node"}).content.decode()

    address = reverse("pages:activity_csv", args=[world.slug])
    assert f'href="{address}?image=node"' in html


def test_running_sessions_come_first_and_pages_neither_lose_nor_double(
    organization: Organization,
    owner: Person,
    member: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(activity, "ROWS", 2)
    running = worlds.start(organization, member, at)
    worlds.keep_awake(running, 86_400)
    worlds.report(running, at, 1)
    ended = [worlds.session(organization, owner, at + n * HOUR, 60) for n in range(1, 5)]
    clock.shift(6 * HOUR)
    client = client_of(owner)

    address, seen = where(organization), []
    pages = []
    while address:
        answer = client.get(address)
        pages.append([row.id for row in answer.context["page"].rows])
        seen += pages[-1]
        last = answer
        older = answer.context["older_url"]
        address = where(organization) + older if older else ""
    back = client.get(where(organization) + last.context["newer_url"])

    assert seen == [running.pk, *(session.pk for session in reversed(ended))]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [row.id for row in back.context["page"].rows] == pages[1]


@pytest.mark.parametrize(
    "place", ["", "1", "2.1.a.1", f"1.{'9' * 11}.{'a' * 32}.{'9' * 11}", "1.-1.x.1", "ة" * 40]
)
def test_a_place_in_the_list_that_is_none_is_no_error(
    world: Organization, owner: Person, client_of: SignIn, place: str
) -> None:
    answer = client_of(owner).get(where(world), {"after": place}, follow=True)

    assert answer.status_code == 200


def test_a_row_opens_the_panel_and_its_link_is_the_page(
    world: Organization, owner: Person, client_of: SignIn
) -> None:
    answer = client_of(owner).get(where(world))
    row = answer.context["page"].rows[0]

    address = reverse("pages:session", args=[world.slug, row.id])
    html = answer.content.decode()
    assert f'href="{address}" hx-get="{address}" hx-target="#panel"' in html


def test_the_statements_are_as_many_with_one_session_as_with_twenty(
    organization: Organization,
    owner: Person,
    member: Person,
    at: datetime,
    client_of: SignIn,
    clock: time_machine.Traveller,
) -> None:
    worlds.session(organization, member, at, 60, images=["node:22"])
    worlds.start(organization, owner, at + HOUR)
    clock.shift(HOUR)
    one = statements(client_of(owner), where(organization))
    own = statements(client_of(member), where(organization))

    for number in range(20):
        later = at + HOUR + timedelta(seconds=10 + 10 * number)
        worlds.session(organization, member, later, 5, images=[f"image:{number}"])
    clock.shift(240)

    assert statements(client_of(owner), where(organization)) == one <= MOST_STATEMENTS
    assert statements(client_of(member), where(organization)) == own <= MOST_STATEMENTS
