"""Times, cost, outcomes and advice: filters, walls, empty organizations, things out of measure."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from orgs.models import Organization, Person
from sessions.models import Session
from sessions.selectors import find_session, insights
from sessions.services import ContainerSeen
from tests import factories
from tests.pages.reading import SignIn, statements, words
from tests.sessions import worlds

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LOOKS = ("activity", "activity_times", "activity_cost", "activity_outcomes", "activity_advice")
OWN_LOOKS = LOOKS[:-1]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


def where(name: str, organization: Organization) -> str:
    return reverse(f"pages:{name}", args=[organization.slug])


@pytest.mark.parametrize("name", LOOKS)
def test_an_organization_without_a_session_is_told_what_will_stand_there(
    organization: Organization, owner: Person, client_of: SignIn, name: str
) -> None:
    answer = client_of(owner).get(where(name, organization))
    assert answer.status_code == 200
    assert "will stand here" in words(answer) or name == "activity_advice"


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("since=2026-03-10&until=2026-03-01", "The last day comes before the first."),
        ("since=2020-01-01&until=2120-01-01", "This day lies too far ahead."),
        ("since=1926-01-01", "Choose a day from 1 January 2020 on."),
        ("since=2020-01-01", "Choose at most 366 days at once."),
        ("user=nobody@example.com", "Nobody in this organization has this address."),
        ("team=01a22c00-0000-7000-8000-000000000000", "is not one of the available choices"),
        ("team=x", "is not one of the available choices"),
        ("label=web", "Write a label as name=value, for example team=web."),
    ],
)
def test_a_filter_that_can_t_be_is_said_on_each_look(
    organization: Organization,
    owner: Person,
    client_of: SignIn,
    name: str,
    query: str,
    said: str,
) -> None:
    answer = client_of(owner).get(f"{where(name, organization)}?{query}")
    assert answer.status_code == 200
    assert said in words(answer)
    assert "The filters need a correction" in words(answer)


def test_somebody_of_another_organization_is_as_unknown(
    organization: Organization, owner: Person, client_of: SignIn, at: datetime
) -> None:
    foreign = factories.person("Fay Foreign")
    factories.subscribed_organization(foreign, at=at, name="Other")
    answer = client_of(owner).get(where("activity_cost", organization), {"user": foreign.email})
    assert "Nobody in this organization has this address." in words(answer)


@pytest.mark.parametrize("name", OWN_LOOKS)
def test_members_see_their_own(
    organization: Organization,
    owner: Person,
    member: Person,
    client_of: SignIn,
    at: datetime,
    clock: time_machine.Traveller,
    name: str,
) -> None:
    worlds.session(organization, owner, at, 3_600, images=["secret:1"])
    worlds.session(organization, member, at + 2 * HOUR, 600, images=["mine:1"])
    clock.shift(DAY)
    answer = client_of(member).get(where(name, organization))
    said = words(answer)
    assert "secret:1" not in said
    assert owner.name not in said
    if name == "activity_outcomes":
        assert answer.context["found"].runs == 1
    if name == "activity_times":
        assert answer.context["found"].lengths.longest == 600


@pytest.mark.parametrize(("name", "most"), [*zip(LOOKS, (17, 10, 14, 9, 14), strict=True)])
def test_statements_are_as_many_for_one_session_as_for_many(
    organization: Organization,
    owner: Person,
    client_of: SignIn,
    at: datetime,
    clock: time_machine.Traveller,
    name: str,
    most: int,
) -> None:
    people = [factories.licensed_member(organization, f"P{n} P", at=at) for n in range(3)]

    def lived(count: int, begin: datetime) -> None:
        for number in range(count):
            person = people[number % 3]
            start = begin + number * HOUR
            made = worlds.session(organization, person, start, 600, images=[f"i{number}:1"])
            runs = [worlds.container(f"f{number}:1", start, 5, code=1)]
            other = worlds.start(organization, person, made.ended_at or start)
            worlds.report(other, made.ended_at or start, 1, containers=runs)

    lived(1, at)
    clock.shift(12 * HOUR)
    one = statements(client_of(owner), where(name, organization))
    lived(12, at + 13 * HOUR)
    clock.shift(40 * HOUR)
    assert statements(client_of(owner), where(name, organization)) == one <= most


def test_a_session_of_one_second_and_one_of_thirty_days(
    organization: Organization,
    owner: Person,
    client_of: SignIn,
    at: datetime,
    clock: time_machine.Traveller,
) -> None:
    worlds.session(organization, owner, at, 1)
    long = worlds.start(organization, owner, at + HOUR)
    worlds.keep_awake(long, 31 * 86_400)
    long.refresh_from_db()
    worlds.without_limit(organization, owner, at + HOUR)
    worlds.report(long, at + HOUR, 1)
    worlds.stop(long, at + HOUR + 30 * DAY)
    clock.shift(timedelta(days=31))
    client = client_of(owner)
    query = {"since": "2026-03-01", "until": "2026-04-12"}
    lengths = client.get(where("activity_times", organization), query).context["found"].lengths
    assert (lengths.count, lengths.longest) == (2, 30 * 86_400)
    assert [each.count for each in lengths.bins if each.count] == [1, 1]
    cost = client.get(where("activity_cost", organization), query).context
    assert sum(day.time.total for day in cost["engine_days"]) == 30 * 86_400 + 1
    for session in Session.objects.all():
        page = client.get(reverse("pages:session", args=[organization.slug, session.pk]))
        assert page.status_code == 200


def test_ten_thousand_containers_and_a_label_of_a_thousand_values(
    organization: Organization,
    owner: Person,
    client_of: SignIn,
    at: datetime,
    clock: time_machine.Traveller,
) -> None:
    made = worlds.start(organization, owner, at, labels={"ticket": "T-0"})
    second = timedelta(seconds=1)
    runs = [
        ContainerSeen(f"c{number}", f"image-{number % 50}:1", at, f"n{number}", at + second, 1)
        for number in range(10_000)
    ]
    worlds.report(made, at + HOUR / 60, 1, containers=runs)
    worlds.stop(made, at + HOUR)
    made.refresh_from_db()
    copies = [
        Session(
            **{
                field.attname: getattr(made, field.attname)
                for field in Session._meta.concrete_fields
                if field.attname != "id"
            }
        )
        for _number in range(999)
    ]
    for number, copy in enumerate(copies, 1):
        copy.labels = {"ticket": f"T-{number}"}
    Session.objects.bulk_create(copies)
    clock.shift(DAY)
    client = client_of(owner)
    outcomes = client.get(where("activity_outcomes", organization)).context["found"]
    assert (outcomes.runs, outcomes.failed_runs, outcomes.failing_images) == (10_000, 10_000, 50)
    cost = client.get(where("activity_cost", organization), {"by": "label:ticket"})
    assert cost.status_code == 200
    page = client.get(reverse("pages:session", args=[organization.slug, made.pk]))
    assert "9,800 more are in the insights of the API" in words(page)
    seen = insights(find_session(owner, made.pk)[0], at + DAY)
    assert len(seen.runs) == 10_000
    Session.objects.filter(pk__in=[copy.pk for copy in copies]).delete()


def test_filters_come_along_from_look_to_look(
    organization: Organization, owner: Person, client_of: SignIn
) -> None:
    query = "?engine=large&since=2026-03-01&until=2026-03-11"
    answer = client_of(owner).get(where("activity_times", organization) + query)
    assert [look["url"].partition("?")[2] for look in answer.context["views"]] == [query[1:]] * 5
    cut = client_of(owner).get(where("activity_cost", organization) + query)
    assert all(
        each["url"].startswith("?engine=large&since=2026-03-01&until=2026-03-11&by=")
        for each in cut.context["cuts"]
    )


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("month", datetime(2026, 2, 28, 18, 15, tzinfo=UTC), None),
        (
            "last_month",
            datetime(2026, 1, 31, 18, 15, tzinfo=UTC),
            datetime(2026, 2, 28, 18, 15, tzinfo=UTC),
        ),
    ],
)
def test_months_are_of_the_zone(
    organization: Organization,
    owner: Person,
    client_of: SignIn,
    at: datetime,
    period: str,
    start: datetime,
    end: datetime | None,
) -> None:
    Person.objects.filter(pk=owner.pk).update(zone="Asia/Kathmandu")
    answer = client_of(owner).get(where("activity", organization), {"period": period})
    found = answer.context["summary"].period
    assert (found.start, found.end) == (start, end or at + timedelta(seconds=1))


def test_pages_go_out_compressed_and_files_and_api_as_they_are(
    organization: Organization, owner: Person, client_of: SignIn
) -> None:
    client = client_of(owner)
    gzip = {"Accept-Encoding": "gzip"}
    page = client.get(where("activity", organization), headers=gzip)
    assert page.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in page.headers["Vary"]
    assert len(page.content) * 4 < len(client.get(where("activity", organization)).content)
    for path in (where("activity_csv", organization), "/api/v1/plans", "/healthz"):
        assert "Content-Encoding" not in client.get(path, headers=gzip).headers


def test_only_those_who_see_everything_get_advice(
    organization: Organization, member: Person, client_of: SignIn
) -> None:
    client: Client = client_of(member)
    assert client.get(where("activity_advice", organization)).status_code == 403
    assert "Advice" not in words(client.get(where("activity", organization)))
