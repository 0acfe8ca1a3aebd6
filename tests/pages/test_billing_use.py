"""Usage & billing, its usage half: who and what used the period, and to whom it is shown."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from orgs.models import Organization, Person
from sessions import services
from tests import factories
from tests.pages.reading import statements
from tests.sessions import worlds
from tests.sessions.worlds import MINUTE
from tests.usage import worlds as book

pytestmark = pytest.mark.django_db
SignIn = Callable[[Person], Client]
CUTS = ("member", "team", "engine_size", "image", "label:project")


@pytest.fixture
def history(
    organization: Organization, owner: Person, member: Person, at: datetime, clock: Any
) -> None:
    worlds.session(
        organization, member, at, 600, images=["shop:1"], labels={"project": "Geschäft 店"}
    )
    worlds.session(organization, owner, at + 15 * MINUTE, 300)
    services.meter_organization(organization_id=organization.pk, at=at + 30 * MINUTE)
    clock.move_to(at + 30 * MINUTE)


def table(client: Client, organization: Organization, by: str = "") -> list[str]:
    address = reverse("pages:billing", kwargs={"slug": organization.slug})
    response = client.get(address, {"by": by} if by else {})
    assert response.status_code == 200
    html = response.content.decode().partition('id="used-by"')[2].partition("</table>")[0]
    rows = html.split("<tr>")[2:]
    return [" ".join(strip_tags(row.replace("</t", " </t")).split()) for row in rows]


def test_each_cut_adds_up_to_the_total(
    history: None, organization: Organization, owner: Person, client_of: SignIn
) -> None:
    client = client_of(owner)
    found = {by: table(client, organization, by) for by in CUTS}
    total = "Total 2 15 m 0.25 h 100 % $0.00"
    assert {rows[-1] for rows in found.values()} == {total}
    assert found["member"][0] == "Max Member 1 10 m 0.17 h 67 % $0.00"
    assert found["team"][0].startswith("In no team 2")
    assert found["engine_size"][0].startswith("standard 2")
    assert [row.split(" 1 ")[0] for row in found["image"][:-1]] == ["shop:1", "No container"]
    assert [row.split(" 1 ")[0] for row in found["label:project"][:-1]] == [
        "Geschäft 店",
        "Without the label",
    ]


def test_an_unknown_cut_shows_the_first(
    history: None, organization: Organization, owner: Person, client_of: SignIn
) -> None:
    client = client_of(owner)
    for by in ("nothing", "label:", "label:x", "none"):
        assert table(client, organization, by) == table(client, organization)


def test_a_member_sees_their_own_use_and_nobody_elses(
    history: None, organization: Organization, member: Person, client_of: SignIn
) -> None:
    client = client_of(member)
    for by in ("", *CUTS):
        rows = table(client, organization, by)
        assert rows[-1].startswith("Total 1 10 m")
        assert not any("Olga" in row for row in rows)
    assert table(client, organization, "member")[0].startswith("standard")


def test_what_finds_no_room_is_added_up(
    organization: Organization, owner: Person, at: datetime, clock: Any, client_of: SignIn
) -> None:
    for number in range(23):
        person = factories.colleague(organization, f"P{number:02} Person", at=at)
        now = book.allowance(organization).metered_until
        book.use(organization, person, now, 60 + number)
    clock.move_to(book.allowance(organization).metered_until)
    rows = table(client_of(owner), organization)
    assert len(rows) == 22
    assert rows[-2].startswith("3 more, together 3 3 m 3 s")
    assert rows[-1].startswith("Total 23")


def test_nothing_used_says_what_will_stand_there(
    organization: Organization, owner: Person, member: Person, clock: Any, client_of: SignIn
) -> None:
    for person in (owner, member):
        address = reverse("pages:billing", kwargs={"slug": organization.slug})
        page = client_of(person).get(address).content.decode()
        assert "Nothing was used yet" in page


def test_the_changes_of_the_limit_stand_on_the_page(
    history: None,
    organization: Organization,
    owner: Person,
    client_of: SignIn,
    at: datetime,
) -> None:
    book.on_demand(organization, owner, at + 40 * MINUTE, "limited", 25, reason="the big release")
    address = reverse("pages:billing", kwargs={"slug": organization.slug})
    assert "the big release" in client_of(owner).get(address).content.decode()


@pytest.mark.parametrize("by", CUTS)
def test_a_cut_costs_the_same_whatever_the_rows(
    organization: Organization, owner: Person, client_of: SignIn, at: datetime, clock: Any, by: str
) -> None:
    client, counts = client_of(owner), []
    for people in (1, 5):
        for number in range(people):
            person = factories.colleague(organization, f"P{number} Person", at=at)
            now = book.allowance(organization).metered_until
            book.use(organization, person, now, 60)
        clock.move_to(book.allowance(organization).metered_until + timedelta(seconds=1))
        address = reverse("pages:billing", kwargs={"slug": organization.slug})
        counts.append(statements(client, address, {"by": by}))
    assert counts[0] == counts[1] <= 15
