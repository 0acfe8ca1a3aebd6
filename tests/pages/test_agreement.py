"""Page, API and CSV agree for whatever filters, in zones whose clocks change.

One world of half a hundred sessions about the nights on which clocks go forward or back in New
York, Lord Howe (by half an hour) and nowhere in Kathmandu (whose days begin at 18:15 UTC); then
filters by chance. `HYPOTHESIS_PROFILE` and a printed seed replay what fails.
"""

import csv
import io
import random
from collections import ChainMap
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offload_portal.common.periods import day_start
from orgs.models import Organization, Person, Team, TeamMember
from sessions.services import sweep
from tests import factories
from tests.api.conftest import Api, issue
from tests.pages.reading import SignIn
from tests.sessions import worlds

ZONES = ("Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York")
# Nights on which clocks change: 8 March in New York, 4 April in Lord Howe; and a plain one.
NIGHTS = (
    datetime(2026, 3, 8, 4, tzinfo=UTC),
    datetime(2026, 3, 20, 17, tzinfo=UTC),
    datetime(2026, 4, 4, 12, tzinfo=UTC),
)
IMAGES = ("node:22", "redis:7", "acme/web:main")
NOW = datetime(2026, 4, 7, 9, 30, 7, tzinfo=UTC)
pytestmark = [pytest.mark.django_db, pytest.mark.generated]


@pytest.fixture
def place() -> Iterator[Organization]:
    owner = factories.person("Olga Owner")
    begin = NIGHTS[0] - timedelta(days=1)
    with time_machine.travel(NOW, tick=False):
        made = factories.subscribed_organization(owner, at=begin)
        worlds.without_limit(made, owner, begin)
        people = [owner, *(factories.licensed_member(made, f"M{n} M", at=begin) for n in range(3))]
        team = Team.objects.create(organization=made, name="Web", created_at=begin)
        for person in people[1:3]:
            TeamMember.objects.create(organization=made, team=team, person=person, joined_at=begin)
        _live(made, people)
        yield made


def _live(place: Organization, people: list[Person]) -> None:
    """One session after the other, so that each is recorded as it was."""
    chance = random.Random(11)
    for night in NIGHTS:
        at = night
        for number in range(16):
            person = people[number % len(people)]
            size = chance.choice(("standard", "large"))
            labels = {"team": chance.choice(("web", "api"))}
            images = chance.sample(IMAGES, chance.randrange(3))
            seconds = chance.choice((1, 59, 600, 1_799, 1_800, 5_000))
            if number % 5 == 4:  # started and forgotten
                worlds.start(place, person, at, size=size, labels=labels)
                sweep(at=at + timedelta(minutes=20))
                seconds = 1_200
            else:
                worlds.session(place, person, at, seconds, images=images, size=size, labels=labels)
            at += timedelta(seconds=seconds + chance.randrange(1, 1_500))
    made = worlds.start(place, people[1], NOW - timedelta(minutes=4))
    worlds.report(made, NOW - timedelta(minutes=2), 1)


FIRST_DAYS = st.dates(date(2026, 3, 6), date(2026, 3, 22))
DAYS = st.dates(date(2026, 3, 6), date(2026, 4, 7))
# One or two at a time, so that most let something through.
NARROWING: Any = st.one_of(
    *(
        st.fixed_dictionaries({name: values})
        for name, values in {
            "user": st.sampled_from(("olga", "m0", "m2")),
            "team": st.just(value=True),
            "state": st.sampled_from(("ended", "running", "failed", "idle", "active")),
            "engine": st.sampled_from(("standard", "large", "gpu")),
            "image": st.sampled_from(("node", "node:22", "redis:7", "acme/web:main")),
            "label": st.sampled_from(("team=web", "team=api", "team=none")),
            "least": st.integers(0, 31),
            "most": st.integers(0, 90),
        }.items()
    )
)
FILTERS = st.builds(
    lambda zone, days, narrowed: {"zone": zone, "days": days, **dict(ChainMap(*narrowed))},
    st.sampled_from(ZONES),
    st.tuples(FIRST_DAYS, DAYS).map(sorted),
    st.lists(NARROWING, max_size=2),
)


class Asked:
    """The same question in the words of the page and of the API."""

    def __init__(self, place: Organization, wanted: dict[str, Any]) -> None:
        self.wanted, self.place = wanted, place
        self.zone = ZoneInfo(wanted["zone"])
        first, last = wanted["days"]
        self.start = day_start(self.zone, first)
        self.end = min(day_start(self.zone, last + timedelta(days=1)), NOW + timedelta(seconds=1))
        emails = Person.objects.order_by("pk").values_list("email", flat=True)
        self.user = next(
            (email for email in emails if email.startswith(wanted.get("user", "?"))), ""
        )
        self.team = str(Team.objects.get().pk) if wanted.get("team") else ""

    @property
    def is_sound(self) -> bool:
        least, most = self.wanted.get("least"), self.wanted.get("most")
        backwards = least is not None and most is not None and least > most
        return not backwards and self.start < self.end

    def of_page(self) -> dict[str, str]:
        first, last = self.wanted["days"]
        found = {"since": first.isoformat(), "until": last.isoformat()}
        for name in ("state", "engine", "image", "label", "least", "most"):
            if name in self.wanted:
                found[name] = str(self.wanted[name])
        return (
            found
            | ({"user": self.user} if self.user else {})
            | ({"team": self.team} if self.team else {})
        )

    def of_api(self) -> list[tuple[str, str]]:
        found = [
            ("started_after", self.start.strftime("%Y-%m-%dT%H:%M:%SZ")),
            ("started_before", self.end.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ]
        state = self.wanted.get("state")
        states = ("starting", "idle", "active") if state == "running" else (state,)
        found += [("state", each) for each in states if each]
        names = {"engine": "engine_size", "image": "image", "label": "label"}
        found += [
            (theirs, self.wanted[ours]) for ours, theirs in names.items() if ours in self.wanted
        ]
        for ours, theirs in (("least", "min"), ("most", "max")):
            if ours in self.wanted:
                found.append((f"{theirs}_duration_seconds", str(self.wanted[ours] * 60)))
        found += [("user", self.user)] if self.user else []
        return found + ([("team", self.team)] if self.team else [])


def test_page_api_and_csv_agree_for_whatever_filters(
    place: Organization, client_of: SignIn
) -> None:
    owner = factories.first_owner(place)
    client, caller = client_of(owner), Api(issue(owner, NOW))
    looked = {"sessions": 0, "narrowed": 0}

    @settings(
        max_examples=80,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(FILTERS)
    def agree(wanted: dict[str, Any]) -> None:
        asked = Asked(place, wanted)
        if not asked.is_sound:
            return
        Person.objects.filter(pk=owner.pk).update(zone=wanted["zone"])
        found = _of_page(client, place, asked)
        rows = _of_api(caller, place, asked)
        assert found == rows, "page and API"
        assert _of_csv(client, place, asked) == rows, "the page's CSV"
        assert _of_csv_of_api(caller, place, asked) == rows, "the API's CSV"
        looked["sessions"] += len(rows)
        looked["narrowed"] += bool(rows) and len(wanted) > 2
        _looks_agree(client, place, asked, rows)
        if set(wanted) <= {"zone", "days", "user"}:
            _usage_agrees(client, caller, place, asked)

    agree()
    assert looked["sessions"] > 100, "the filters let something through"
    assert looked["narrowed"] >= 10


Rows = dict[str, int]  # seconds by session


def _address(name: str, place: Organization) -> str:
    return reverse(f"pages:{name}", args=[place.slug])


def _of_page(client: Client, place: Organization, asked: Asked) -> Rows:
    """Every row of the list, page by page; the five figures are of them."""
    found: Rows = {}
    where = f"{_address('activity', place)}?" + "&".join(
        f"{name}={value}" for name, value in asked.of_page().items()
    )
    answer = client.get(_address("activity", place), asked.of_page())
    figures = answer.context["summary"].figures
    while True:
        for row in answer.context["page"].rows:
            assert str(row.id) not in found
            found[str(row.id)] = row.elapsed_seconds
        if not answer.context["older_url"]:
            break
        answer = client.get(_address("activity", place) + answer.context["older_url"])
    assert (figures.sessions, figures.total_seconds) == (len(found), sum(found.values())), where
    return found


def _of_api(caller: Api, place: Organization, asked: Asked) -> Rows:
    query = "&".join(f"{name}={value}" for name, value in asked.of_api())
    address = f"sessions?organization={place.slug}&page_size=7&{query}"
    found: Rows = {}
    while address:
        body = caller.get(address).json()
        for row in body["results"]:
            found[row["id"]] = row["elapsed_seconds"]
        address = body["next"]
    return found


def _read(content: bytes) -> Rows:
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    return {row["Session ID"]: int(row["Duration (in seconds)"]) for row in rows}


def _of_csv(client: Client, place: Organization, asked: Asked) -> Rows:
    answer: Any = client.get(_address("activity_csv", place), asked.of_page())
    return _read(answer.getvalue())


def _of_csv_of_api(caller: Api, place: Organization, asked: Asked) -> Rows:
    query = "&".join(f"{name}={value}" for name, value in asked.of_api())
    answer = caller.get(f"organizations/{place.slug}/sessions.csv?{query}")
    return _read(answer.getvalue())


def _looks_agree(client: Client, place: Organization, asked: Asked, rows: Rows) -> None:
    """Times, cost and outcomes add up to the summary, to the second."""
    query = asked.of_page()
    summary = client.get(_address("activity", place), query).context["summary"]
    times = client.get(_address("activity_times", place), query).context
    cost = client.get(_address("activity_cost", place), {**query, "by": "image"}).context
    outcomes = client.get(_address("activity_outcomes", place), query).context
    ended = sum(end.sessions for end in outcomes["found"].ends)
    assert ended + outcomes["found"].running == len(rows)
    assert times["found"].lengths.count == ended
    engines = sum(day.time.total for day in cost["engine_days"])
    assert engines == summary.figures.total_seconds == sum(rows.values())
    used = summary.compute_seconds
    assert sum(hour.compute_seconds for hour in times["found"].week) == used
    assert sum(row.now.compute_seconds for row in cost["cost_rows"]) == used


def _usage_agrees(client: Client, caller: Api, place: Organization, asked: Asked) -> None:
    """Day by day the trend is what the API says of usage, in JSON and in CSV."""
    days = client.get(_address("activity", place), asked.of_page()).context["summary"].days
    by_member = "&group_by=member" if asked.user else ""
    query = (
        f"from={asked.start:%Y-%m-%dT%H:%M:%SZ}&to={asked.end:%Y-%m-%dT%H:%M:%SZ}"
        f"&grain=day&zone={asked.zone}{by_member}"
    )
    body = caller.get(f"organizations/{place.slug}/usage?{query}").json()
    person = str(Person.objects.get(email=asked.user).pk) if asked.user else ""
    rows = [row for row in body["results"] if row["group"] == person]
    theirs = {
        datetime.fromisoformat(row["start"]).astimezone(asked.zone).date(): row["compute_seconds"]
        for row in rows
    }
    assert {day.day: day.compute_seconds for day in days if day.seconds} == theirs
    text = caller.get(f"organizations/{place.slug}/usage.csv?{query}").getvalue().decode()
    table = csv.DictReader(io.StringIO(text.removeprefix("﻿")))
    assert sum(int(row["Compute-seconds"]) for row in table if row["Group"] == person) == sum(
        theirs.values()
    )
