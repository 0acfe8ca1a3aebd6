"""Named, pseudonymous, aggregate: on pages, in the API, in downloads; and who looked."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from orgs.enums import Event, PrivacyMode
from orgs.models import AuditEntry, Organization, Person, Team, TeamMember, WebhookDelivery
from orgs.privacy import pseudonym_of
from orgs.services import webhooks
from sessions.selectors.hindsight import hindsight_of_limit
from sessions.selectors.leaders import leading_images
from sessions.services import set_cap
from tests import factories
from tests.api.conftest import Api, issue
from tests.factories import actor
from tests.pages.reading import SignIn, words
from tests.sessions import worlds
from tests.usage import worlds as book
from usage.selectors.leaders import leading_members

HOUR = timedelta(hours=1)
NOW = datetime(2026, 3, 13, 12, tzinfo=UTC)
ACTIVITY = ("activity", "activity_times", "activity_cost", "activity_outcomes", "activity_advice")
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def people(organization: Organization, at: datetime) -> list[Person]:
    return [factories.licensed_member(organization, f"Zoe{n} Zed", at=at) for n in range(5)]


@pytest.fixture
def place(
    organization: Organization,
    people: list[Person],
    at: datetime,
    clock: time_machine.Traveller,
) -> Organization:
    """Five people with one session each; the first one's is longer and runs another image."""
    team = Team.objects.create(organization=organization, name="Fours", created_at=at)
    for person in people[:4]:
        TeamMember.objects.create(organization=organization, team=team, person=person, joined_at=at)
    for number, person in enumerate(people):
        images = ["node:22"] if number else ["redis:7"]
        begins = at + number * HOUR
        worlds.session(organization, person, begins, 600 if number else 900, images=images)
    clock.shift(48 * HOUR)
    return organization


def set_mode(place: Organization, mode: PrivacyMode) -> None:
    Organization.objects.filter(pk=place.pk).update(privacy=mode)
    place.refresh_from_db()


def page(name: str, place: Organization) -> str:
    return reverse(f"pages:{name}", args=[place.slug])


def looks() -> list[tuple[str, str]]:
    kinds = (Event.INSIGHTS_VIEWED, Event.INSIGHTS_EXPORTED)
    rows = AuditEntry.objects.filter(event__in=kinds).order_by("at", "id")
    return [(row.event, row.after["what"]) for row in rows]


class TestNamed:
    def test_a_look_is_kept_once_an_hour_with_who_and_at_what(
        self,
        place: Organization,
        owner: Person,
        client_of: SignIn,
        clock: time_machine.Traveller,
    ) -> None:
        client = client_of(owner)
        for _again in range(3):
            assert client.get(page("activity", place)).status_code == 200
        assert looks() == [("insights.viewed", "activity")]
        entry = AuditEntry.objects.get(event=Event.INSIGHTS_VIEWED)
        assert (entry.actor_id, entry.subject_id) == (owner.pk, place.pk)
        clock.shift(HOUR)
        client.get(page("activity", place))
        assert len(looks()) == 2

    def test_a_look_at_one_person_or_session_names_them(
        self, place: Organization, owner: Person, people: list[Person], client_of: SignIn
    ) -> None:
        client = client_of(owner)
        client.get(page("activity", place), {"user": people[0].email})
        session = people[0].offload_sessions.get()
        client.get(reverse("pages:session", args=[place.slug, session.pk]))
        entries = AuditEntry.objects.filter(event=Event.INSIGHTS_VIEWED).order_by("at", "id")
        assert [entry.after for entry in entries] == [
            {"what": "activity", "person": str(people[0].pk)},
            {"what": "session", "person": str(people[0].pk)},
        ]
        assert entries[1].subject_id == session.pk

    def test_a_download_is_kept_each_time(
        self, place: Organization, owner: Person, client_of: SignIn
    ) -> None:
        client = client_of(owner)
        for _again in range(2):
            assert client.get(page("activity_csv", place)).getvalue()
        assert looks() == [("insights.exported", "sessions.csv")] * 2

    def test_the_api_keeps_looks_too(
        self, place: Organization, owner: Person, people: list[Person], at: datetime
    ) -> None:
        caller = Api(issue(owner, at))
        session = people[0].offload_sessions.get()
        caller.get(f"sessions?organization={place.slug}")
        caller.get(f"sessions/{session.pk}")
        caller.get(f"sessions/{session.pk}/insights")
        caller.get(f"organizations/{place.slug}/usage?group_by=member")
        caller.get(f"organizations/{place.slug}/sessions.csv")
        assert looks() == [
            ("insights.viewed", "sessions"),
            ("insights.viewed", "session"),
            ("insights.viewed", "usage"),
            ("insights.exported", "sessions.csv"),
        ]

    def test_nobody_is_written_down_for_looking_at_themselves(
        self, place: Organization, people: list[Person], client_of: SignIn, at: datetime
    ) -> None:
        client = client_of(people[0])
        client.get(page("activity", place))
        client.get(page("overview", place))
        session = people[0].offload_sessions.get()
        client.get(reverse("pages:session", args=[place.slug, session.pk]))
        Api(issue(people[0], at)).get("sessions")
        assert looks() == []


class TestPseudonymous:
    @pytest.fixture(autouse=True)
    def _mode(self, place: Organization) -> None:
        set_mode(place, PrivacyMode.PSEUDONYMOUS)

    @pytest.mark.parametrize("name", [*ACTIVITY, "overview", "billing"])
    def test_no_page_names_anybody_but_the_reader(
        self,
        place: Organization,
        owner: Person,
        people: list[Person],
        client_of: SignIn,
        name: str,
    ) -> None:
        said = client_of(owner).get(page(name, place)).content.decode()
        for person in people:
            assert person.name not in said
            assert person.email not in said
            assert str(person.pk) not in said

    def test_codes_stand_for_people_and_choose_them(
        self, place: Organization, owner: Person, people: list[Person], client_of: SignIn
    ) -> None:
        one = pseudonym_of(place.pk, people[0].pk)
        client = client_of(owner)
        assert one.name in words(client.get(page("activity", place)))
        for typed in (one.code, one.code.lower(), one.name, str(one.id)):
            answer = client.get(page("activity", place), {"user": typed})
            assert answer.context["summary"].figures.total_seconds == 900, typed

    def test_an_address_finds_nobody_but_oneself(
        self, place: Organization, owner: Person, people: list[Person], client_of: SignIn
    ) -> None:
        client = client_of(owner)
        answer = client.get(page("activity", place), {"user": people[0].email})
        assert "Nobody in this organization has this code" in words(answer)
        worlds.session(place, people[1], datetime.fromisoformat("2026-03-13T12:00:00Z"), 60)
        mine = client_of(people[1]).get(page("activity", place))
        assert mine.context["summary"].figures.sessions == 2

    def test_the_api_and_downloads_show_codes(
        self, place: Organization, owner: Person, people: list[Person], at: datetime
    ) -> None:
        caller = Api(issue(owner, at))
        rows = caller.get(f"sessions?organization={place.slug}").json()["results"]
        codes = {pseudonym_of(place.pk, person.pk).name for person in people}
        assert {row["user"]["name"] for row in rows} == codes
        assert {row["user"]["email"] for row in rows} == {""}
        assert not {row["user"]["id"] for row in rows} & {str(person.pk) for person in people}
        usage = caller.get(f"organizations/{place.slug}/usage?group_by=member").json()
        assert {row["label"] for row in usage["results"]} == codes
        for what in ("sessions.csv", "usage.csv?group_by=member"):
            answer = caller.get(f"organizations/{place.slug}/{what}")
            text = b"".join(answer.streaming_content).decode()
            assert not any(person.email in text or person.name in text for person in people)

    def test_the_api_finds_by_code_and_not_by_address(
        self, place: Organization, owner: Person, people: list[Person], at: datetime
    ) -> None:
        caller = Api(issue(owner, at))
        one = pseudonym_of(place.pk, people[0].pk)
        for typed, count in ((one.code, 1), (str(one.id), 1), (people[0].email, 0)):
            found = caller.get(f"sessions?user={typed}").json()["results"]
            assert len(found) == count, typed
        assert caller.get(f"sessions?user={people[0].pk}").json()["results"] == []

    def test_the_audit_log_keeps_and_does_not_show_who_ran_what(
        self, place: Organization, owner: Person, client_of: SignIn, at: datetime
    ) -> None:
        said = words(client_of(owner).get(reverse("orgs:audit", args=[place.slug])))
        assert "Starts and ends of sessions are kept and not shown" in said
        rows = Api(issue(owner, at)).get(f"organizations/{place.slug}/audit").json()["results"]
        assert not [row for row in rows if row["action"].startswith("session.")]
        assert AuditEntry.objects.filter(event=Event.SESSION_ENDED).count() == 5

    def test_members_last_sessions_are_not_told(
        self, place: Organization, owner: Person, people: list[Person], at: datetime
    ) -> None:
        rows = Api(issue(owner, at)).get(f"organizations/{place.slug}/members").json()["results"]
        assert {row["last_session_at"] for row in rows} == {None}
        worlds.session(place, people[0], NOW, 60)
        sorted_by_use = f"organizations/{place.slug}/members?sort=-last_session"
        rows = Api(issue(owner, at)).get(sorted_by_use).json()["results"]
        assert rows[0]["person"]["id"] != str(people[0].pk), "nor is their order"

    def test_nothing_is_kept_of_looks_at_codes(
        self, place: Organization, owner: Person, client_of: SignIn
    ) -> None:
        client_of(owner).get(page("activity", place))
        assert looks() == []


class TestAggregate:
    @pytest.fixture(autouse=True)
    def _mode(self, place: Organization) -> None:
        set_mode(place, PrivacyMode.AGGREGATE)

    def test_five_people_are_summed_and_none_is_listed(
        self, place: Organization, owner: Person, people: list[Person], client_of: SignIn
    ) -> None:
        answer = client_of(owner).get(page("activity", place))
        assert answer.context["summary"].figures.sessions == 5
        assert answer.context["page"].rows == ()
        assert answer.context["summary"].people == ()
        assert [use.image for use in answer.context["summary"].images] == []
        assert "Others' sessions are not listed" in words(answer)

    @pytest.mark.parametrize("name", ACTIVITY)
    @pytest.mark.parametrize("query", ["image=node:22", "team={team}"])
    def test_four_people_are_not_summed(
        self, place: Organization, owner: Person, client_of: SignIn, name: str, query: str
    ) -> None:
        team = Team.objects.get(name="Fours")
        answer = client_of(owner).get(f"{page(name, place)}?{query.format(team=team.pk)}")
        assert "Fewer than five people" in words(answer)
        assert "summary" not in answer.context or answer.context["summary"] is None

    @pytest.mark.parametrize("name", ACTIVITY)
    def test_pages_name_nobody(
        self,
        place: Organization,
        owner: Person,
        people: list[Person],
        client_of: SignIn,
        name: str,
    ) -> None:
        said = client_of(owner).get(page(name, place)).content.decode()
        assert "Fewer than five people" not in said
        for person in people:
            assert person.name not in said
            assert person.email not in said
            assert pseudonym_of(place.pk, person.pk).code not in said

    def test_a_session_of_somebody_else_is_as_unknown(
        self,
        place: Organization,
        owner: Person,
        people: list[Person],
        client_of: SignIn,
        at: datetime,
    ) -> None:
        session = people[0].offload_sessions.get()
        where = reverse("pages:session", args=[place.slug, session.pk])
        assert client_of(owner).get(where).status_code == 404
        assert client_of(people[0]).get(where).status_code == 200
        caller = Api(issue(owner, at))
        assert caller.get(f"sessions/{session.pk}").status_code == 404
        assert caller.get(f"sessions/{session.pk}/insights").status_code == 404
        assert caller.get("sessions").json()["results"] == []

    def test_usage_by_member_is_one_row_of_all(
        self, place: Organization, owner: Person, at: datetime
    ) -> None:
        caller = Api(issue(owner, at))
        usage = caller.get(f"organizations/{place.slug}/usage?group_by=member&grain=month").json()
        (row,) = usage["results"]
        assert (row["group"], row["compute_seconds"]) == ("folded", 3_300)
        assert usage["totals"]["compute_seconds"] == 3_300, "what is paid is always told"
        by_image = caller.get(f"organizations/{place.slug}/usage?group_by=image&grain=month")
        assert by_image.json()["results"] == []

    def test_everyone_goes_on_seeing_their_own(
        self, place: Organization, people: list[Person], client_of: SignIn, at: datetime
    ) -> None:
        answer = client_of(people[0]).get(page("activity", place))
        assert answer.context["summary"].figures.total_seconds == 900
        assert len(answer.context["page"].rows) == 1
        usage = Api(issue(people[0], at)).get(f"organizations/{place.slug}/usage?group_by=image")
        assert [row["group"] for row in usage.json()["results"]] == ["redis:7"]

    def test_owners_see_how_many_run_and_may_stop_all(
        self, place: Organization, owner: Person, people: list[Person], client_of: SignIn
    ) -> None:
        worlds.start(place, people[0], datetime.fromisoformat("2026-03-13T12:00:00Z"))
        said = words(client_of(owner).get(page("overview", place)))
        assert "1 session runs." in said
        assert "Stop all" in said


def test_owners_choose_the_mode_and_that_is_kept(
    organization: Organization, owner: Person, editor: Person, client_of: SignIn, at: datetime
) -> None:
    settings = reverse("orgs:settings", args=[organization.slug])
    values = {"name": organization.name, "zone": "UTC", "privacy": "pseudonymous"}
    client_of(owner).post(settings, values)
    organization.refresh_from_db()
    assert organization.privacy == "pseudonymous"
    entry = AuditEntry.objects.get(event=Event.ORGANIZATION_CHANGED)
    assert (entry.before["privacy"], entry.after["privacy"]) == ("named", "pseudonymous")
    where = f"organizations/{organization.slug}"
    assert Api(issue(editor, at)).patch(where, {"privacy_mode": "named"}).status_code == 403
    changed = Api(issue(owner, at)).patch(where, {"privacy_mode": "aggregate"})
    assert changed.json()["privacy_mode"] == "aggregate"
    assert Api(issue(owner, at)).patch(where, {"privacy_mode": "secret"}).status_code == 400


class TestElsewhere:
    """What leaves the portal without a page: webhooks, alerts, and what a limit would have done."""

    def test_webhooks_tell_that_a_session_ended_and_not_whose(
        self, place: Organization, owner: Person, people: list[Person]
    ) -> None:
        order: dict[str, Any] = {"actor": actor(owner), "at": NOW, "organization": place}
        webhooks.add_endpoint(
            url="https://hooks.example.com/", events=["session.ended", "cap.changed"], **order
        )
        for number, mode in enumerate(PrivacyMode):
            set_mode(place, mode)
            worlds.session(place, people[0], NOW + number * HOUR, 60)
        bodies = [
            json.loads(row.body)["data"]
            for row in WebhookDelivery.objects.filter(event="session.ended").order_by("created_at")
        ]
        assert [body["person"] for body in bodies] == [str(people[0].pk), None, None]
        assert [body["actor_id"] for body in bodies] == [str(people[0].pk), None, None]
        assert {body["reason"] for body in bodies} == {"stopped"}
        set_cap(scope="person", subject_id=people[0].pk, limit_compute_seconds=72_000, **order)
        row = WebhookDelivery.objects.get(event="cap.changed")
        assert str(owner.pk) in row.body, "what isn't about sessions is told as it was"

    def test_alerts_name_codes_or_nobody(self, place: Organization, people: list[Person]) -> None:
        since = NOW - 60 * HOUR
        assert leading_members(place, since, NOW)[0].name == people[0].name
        set_mode(place, PrivacyMode.PSEUDONYMOUS)
        one = pseudonym_of(place.pk, people[0].pk)
        assert leading_members(place, since, NOW)[0].name == one.name
        assert len(leading_images(place, since)) == 2
        set_mode(place, PrivacyMode.AGGREGATE)
        assert leading_members(place, since, NOW) == []
        assert leading_images(place, since) == [], "of four people, and of one"

    def test_what_a_limit_would_have_refused_is_of_codes(
        self, place: Organization, owner: Person, people: list[Person], at: datetime
    ) -> None:
        def refused() -> list[str]:
            found = hindsight_of_limit(place, 0)
            assert found is not None
            return [session.person_name for session in found.refused]

        worlds.without_limit(place, owner, NOW)
        book.leave(place, 60)
        worlds.session(place, people[0], NOW, 600)
        worlds.session(place, people[1], NOW + HOUR, 600)
        assert refused() == [people[1].name]
        set_mode(place, PrivacyMode.PSEUDONYMOUS)
        assert refused() == [pseudonym_of(place.pk, people[1].pk).name]
        set_mode(place, PrivacyMode.AGGREGATE)
        assert refused() == []
