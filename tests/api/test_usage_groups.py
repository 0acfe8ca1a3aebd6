"""Usage for charging back: by team, image and label; page, API, CSV and ledger say the same."""

import csv
import io
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from sessions import services
from tests.sessions import worlds
from tests.sessions.lives import later, meter, report, start
from tests.sessions.worlds import MINUTE
from usage.models import LedgerEntry
from usage.selectors import use_by_day

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
GRAINS = ("hour", "day", "month")
GROUPS = ("", "member", "team", "engine_size", "source", "image", "label:project", "label:none")
SUMS = ("seconds", "compute_seconds", "sessions", "cost_microusd")


def get(api, person, organization, **query):
    answer = api(person).get(f"organizations/{organization.slug}/usage?{urlencode(query)}")
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def history(organization, owner, member, at, clock):
    """Three sessions with images and labels; the last one goes on."""
    worlds.session(organization, member, at, 600, images=["shop:1"], labels={"project": "shop"})
    worlds.session(organization, owner, at + 15 * MINUTE, 300)
    running = worlds.start(organization, member, at + 30 * MINUTE, labels={"project": "site"})
    started = at + 30 * MINUTE
    long = worlds.container("site:2", started, None)
    short = worlds.container("site:1", started, 30)
    worlds.report(running, started, 1, containers=[short, long])
    worlds.report(running, started + MINUTE, 2)
    services.meter_organization(organization_id=organization.pk, at=at + 32 * MINUTE)
    clock.move_to(at + 32 * MINUTE)
    return running


def by(api, person, organization, group):
    rows = get(api, person, organization, group_by=group, grain="month")["results"]
    return {row["label"]: (row["group"], row["seconds"]) for row in rows}


def test_a_session_counts_for_the_image_that_ran_longest(api, owner, organization, history):
    assert by(api, owner, organization, "image") == {
        "shop:1": ("shop:1", 600),
        "No container": ("", 300),
        "site:2": ("site:2", 120),
    }


def test_the_image_stays_when_the_session_has_ended(api, owner, organization, history, clock):
    worlds.stop(history, history.created_at + 2 * MINUTE)
    history.refresh_from_db()
    assert history.main_image == "site:2"
    assert by(api, owner, organization, "image")["site:2"] == ("site:2", 120)


def test_a_label_and_its_absence(api, owner, organization, history):
    assert by(api, owner, organization, "label:project") == {
        "shop": ("shop", 600),
        "site": ("site", 120),
        "Without the label": ("", 300),
    }
    assert by(api, owner, organization, "label:x.y/z-1") == {"Without the label": ("", 1_020)}


def test_a_member_gets_their_own_by_each_group(api, member, owner, organization, history):
    for group in GROUPS:
        query = {"group_by": group} if group else {}
        found = get(api, member, organization, **query)
        assert found["totals"]["seconds"] == 720
        assert sum(row["seconds"] for row in found["results"]) == 720


def test_one_second_is_a_range(api, owner, organization, history, at):
    """Use belongs to the quarter that begins in the range."""
    second = timedelta(seconds=1)
    query = {"from": at.isoformat().replace("+00:00", "Z")}
    end = (at + second).isoformat().replace("+00:00", "Z")
    assert get(api, owner, organization, to=end, **query)["totals"]["seconds"] == 600


@pytest.mark.parametrize("seed", range(4))
def test_page_api_csv_and_ledger_say_the_same(api, owner, member, organization, history, seed, at):
    """For random ranges on the quarter, zones, grains and groups."""
    random = Random(seed)
    for _number in range(6):
        start = at + timedelta(minutes=15 * random.randrange(-3, 2))
        end = at + timedelta(minutes=15 * random.randrange(2, 6))
        zone = random.choice(("UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"))
        group, person = random.choice(GROUPS), random.choice((owner, member))
        query = {
            "from": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "to": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "zone": zone,
            "grain": random.choice(GRAINS),
            **({"group_by": group} if group else {}),
        }
        found = get(api, person, organization, **query)
        assert _summed(found["results"]) == tuple(found["totals"][name] for name in SUMS[:2])
        assert _of_csv(api, person, organization, query) == [
            [row["start"], row["group"], *(str(row[name]) for name in SUMS)]
            for row in found["results"]
        ]
        people = None if person == owner else [member.pk]
        days = use_by_day(organization.pk, start, end, ZoneInfo(zone), people=people)
        assert sum(day.compute_seconds for day in days) == found["totals"]["compute_seconds"]
        assert _of_ledger(organization, people, start, end) == found["totals"]["compute_seconds"]


def _summed(rows):
    return tuple(sum(row[name] for row in rows) for name in SUMS[:2])


def _of_csv(api, person, organization, query):
    path = f"organizations/{organization.slug}/usage.csv?{urlencode(query)}"
    text = b"".join(api(person).get(path).streaming_content).decode()
    return [[row[0], row[2], *row[4:]] for row in list(csv.reader(io.StringIO(text)))[1:]]


def _of_ledger(organization, people, start, end):
    """By hand, entry by entry and quarter by quarter."""
    found = 0
    for entry in LedgerEntry.objects.filter(organization=organization):
        if people is not None and entry.person_id not in people:
            continue
        later = (entry.compute_1, entry.compute_2, entry.compute_3)
        for number, amount in enumerate((entry.compute_seconds - sum(later), *later)):
            at = entry.hour.astimezone(UTC) + timedelta(minutes=15 * number)
            found += amount if start <= at < end else 0
    return found


@pytest.mark.parametrize(
    ("zone", "start", "hours"),
    [
        ("America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC), 23),
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC), 25),
        ("Asia/Kathmandu", datetime(2026, 3, 7, 18, 15, tzinfo=UTC), 24),
    ],
)
def test_a_day_has_the_hours_that_its_zone_gave_it(
    api, owner, organization, clock, zone, start, hours
):
    clock.move_to(start + 3 * DAY)
    query = {"from": f"{start:%Y-%m-%dT%H:%M:%SZ}", "zone": zone}
    LedgerEntry.objects.create(
        organization=organization,
        hour=(start + timedelta(hours=hours)).replace(minute=0) - timedelta(hours=1),
        session_id=organization.pk,
        person_id=owner.pk,
        source="committed",
        engine_size="standard",
        period_start=start,
        seconds=1,
        compute_seconds=1,
    )
    (row,) = get(api, owner, organization, **query)["results"]
    assert row["start"] == query["from"]
    assert row["end"] == f"{start + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


def test_member_calls_org_usage_only_own_rows(api, owner, member, organization, at, clock):
    """No 403, and nothing of the others: `forbidden` would say that there is something."""
    for person in (owner, member):
        report(start(organization, person, at), at)
    meter(organization, later(at, 60))
    clock.move_to(later(at, 61))
    for person, seconds in ((owner, 120), (member, 60)):
        rows = get(api, person, organization, group_by="member")["results"]
        assert sum(row["compute_seconds"] for row in rows) == seconds
