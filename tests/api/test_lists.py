"""Keyset pages, filters and CSV."""

import csv
import io

import pytest

from offload_portal.common.csv_cells import safe_cell
from sessions.exports import SESSION_COLUMNS
from tests import factories

pytestmark = pytest.mark.django_db


def run(caller, organization, clock, seconds=30, **more):
    """A session of so many seconds that ran a container; the clock moves on with it."""
    started = caller.post("sessions", {"organization": organization.slug, **more}).json()
    report = {
        "sequence": 1,
        "api_calls": 1,
        "containers": [{"id": "c1", "image": "alpine:3", "started_at": started["created_at"]}],
    }
    assert caller.post(f"sessions/{started['id']}/activity", report).status_code == 200
    clock.shift(seconds)
    return caller.post(f"sessions/{started['id']}/stop").json()["id"]


def follow(caller, path):
    """Every page's identifiers, by `next`."""
    pages = []
    while path:
        page = caller.get(path).json()
        pages.append([row["id"] for row in page["results"]])
        path = page["next"]
    return pages


@pytest.fixture
def history(api, member, organization, clock):
    """Five sessions that ended, oldest first."""
    return [run(api(member), organization, clock) for _number in range(5)]


def test_running_ones_come_first_then_newest(api, member, owner, organization, clock, history):
    running = api(member).post("sessions", {"organization": organization.slug}).json()["id"]
    clock.shift(1)
    newer = run(api(owner), organization, clock)
    expected = [running, newer, *reversed(history)]
    caller = api(owner)
    assert follow(caller, "sessions?page_size=3") == [expected[:3], expected[3:6], expected[6:]]
    assert follow(caller, "sessions?page_size=100") == [expected]


def test_pages_go_back_as_they_came(api, owner, history):
    caller = api(owner)
    first = caller.get("sessions?page_size=2").json()
    second = caller.get(first["next"]).json()
    third = caller.get(second["next"]).json()
    assert third["next"] is None
    back = caller.get(third["previous"]).json()
    assert back["results"] == second["results"]
    assert caller.get(back["previous"]).json()["results"] == first["results"]
    assert first["previous"] is None


@pytest.mark.parametrize("later", [0, 1])
def test_a_session_that_ends_between_two_pages_is_neither_lost_nor_doubled(
    api, member, owner, organization, clock, history, later
):
    running = api(member).post("sessions", {"organization": organization.slug}).json()["id"]
    clock.shift(1)
    caller = api(owner)
    first = caller.get("sessions?page_size=1").json()
    assert [row["id"] for row in first["results"]] == [running]
    clock.shift(later)
    api(member).post(f"sessions/{running}/stop")
    rest = [row for page in follow(caller, first["next"]) for row in page]
    assert rest == list(reversed(history))


def test_a_changed_cursor_is_refused(api, owner, organization, history):
    caller = api(owner)
    page = caller.get("sessions?page_size=2").json()
    cursor = page["next"].partition("cursor=")[2].partition("&")[0]
    for changed in (cursor[:-1] + ("A" if cursor[-1] != "A" else "B"), cursor[1:], "a:b:c"):
        answer = caller.get(f"sessions?cursor={changed}")
        assert answer.status_code == 400
        assert "cursor" in answer.json()["errors"]
    other = caller.get(f"organizations/{organization.slug}/audit?cursor={cursor}")
    assert other.status_code == 400


def test_other_lists_have_pages_too(api, owner, member, colleague, editor, organization):
    caller = api(owner)
    here = f"organizations/{organization.slug}"
    for path, key in (
        ("members", lambda row: row["person"]["id"]),
        ("licenses", lambda row: row["person"]["id"]),
        ("audit", lambda row: row["id"]),
    ):
        whole = caller.get(f"{here}/{path}?page_size=100").json()
        assert whole["next"] is None
        found, address = [], f"{here}/{path}?page_size=1"
        while address:
            page = caller.get(address).json()
            found += page["results"]
            address = page["next"]
        assert list(map(key, found)) == list(map(key, whole["results"]))
        assert len(found) > 1
    names = [row["person"]["name"] for row in caller.get(f"{here}/members").json()["results"]]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("state=ended", 2),
        ("state=idle", 1),
        ("state=ended&state=idle", 3),
        ("engine_size=large", 1),
        ("image=nginx", 0),
        ("image=alpine", 2),
        ("image=alpine:3", 2),
        ("label=team=web", 1),
        ("label=team__startswith=w", 0),
        ("label=contains=team", 0),
        ("min_duration_seconds=60", 1),
        ("max_duration_seconds=59", 2),
        ("started_before=2026-03-11T12:00:30Z", 1),
        ("started_after=2026-03-11T12:00:30Z", 2),
        ("user=me", 3),
        ("user=nobody", 0),
        ("user=00000000-0000-7000-8000-000000000000", 0),
        ("user=nobody@example.com", 0),
    ],
)
def test_filters(api, member, organization, clock, query, count):
    caller = api(member)
    run(caller, organization, clock, labels={"team": "web"})
    run(caller, organization, clock, seconds=60, engine_size="large")
    caller.post("sessions", {"organization": organization.slug})
    answer = caller.get(f"sessions?{query}")
    assert answer.status_code == 200, answer.content
    assert len(answer.json()["results"]) == count


def test_the_organization_filter_takes_only_ones_own(api, member, stranger, organization, at):
    factories.organization(stranger, at=at)
    caller = api(stranger)
    foreign = caller.get(f"sessions?organization={organization.slug}")
    unknown = caller.get("sessions?organization=nowhere")
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json() == unknown.json()


def test_a_list_costs_the_same_at_any_length(
    api, owner, organization, clock, history, django_assert_max_num_queries
):
    caller = api(owner)
    caller.get("me")
    caller.get("sessions?page_size=1")  # that it was looked at is kept once an hour
    with django_assert_max_num_queries(12) as one:
        caller.get("sessions?page_size=1")
    with django_assert_max_num_queries(12) as five:
        caller.get("sessions?page_size=5")
    assert len(one) == len(five)


def rows_of(answer):
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.getvalue().decode())))


def test_sessions_as_csv(api, owner, member, organization, history, clock):
    rows = rows_of(api(owner).get(f"organizations/{organization.slug}/sessions.csv"))
    assert rows[0] == [
        "Session ID",
        "Username",
        "Image",
        "Started time",
        "Ended time",
        "Duration (in seconds)",
        "Status",
        "Container count",
    ]
    assert rows[0] == SESSION_COLUMNS
    assert [row[0] for row in rows[1:]] == list(reversed(history))
    newest = [history[-1], member.email, "alpine:3", "2026-03-11T12:02:00Z"]
    assert rows[1] == [*newest, "2026-03-11T12:02:30Z", "30", "ended", "1"]


def test_csv_follows_filters_and_accepts_its_own_type(api, owner, organization, history):
    caller = api(owner)
    path = f"organizations/{organization.slug}/sessions.csv?started_after=2026-03-11T12:02:00Z"
    assert len(rows_of(caller.get(path, Accept="text/csv"))) == 2
    assert caller.get(f"{path}&cursor=x").status_code == 400
    assert caller.get(path, Accept="image/png").status_code == 406


def test_a_member_downloads_only_their_own(api, member, owner, organization, clock):
    mine = run(api(member), organization, clock)
    run(api(owner), organization, clock)
    rows = rows_of(api(member).get(f"organizations/{organization.slug}/sessions.csv"))
    assert [row[0] for row in rows[1:]] == [mine]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_cells_that_a_spreadsheet_would_run_are_neutralised(start):
    assert safe_cell(f"{start}1+1") == f"'{start}1+1"


def test_an_image_that_is_a_formula_comes_out_as_text(api, member, owner, organization, clock):
    caller = api(member)
    started = caller.post("sessions", {"organization": organization.slug}).json()
    image = "=HYPERLINK(1)"
    report = {
        "sequence": 1,
        "api_calls": 1,
        "containers": [{"id": "c", "image": image, "started_at": started["created_at"]}],
    }
    caller.post(f"sessions/{started['id']}/activity", report)
    rows = rows_of(api(owner).get(f"organizations/{organization.slug}/sessions.csv"))
    assert rows[1][2] == f"'{image}"


def test_usage_in_json_and_csv_says_the_same(api, owner, member, organization, clock, history):
    here = f"organizations/{organization.slug}"
    query = "from=2026-03-11T00:00:00Z&to=2026-03-12T00:00:00Z&group_by=member"
    usage = api(owner).get(f"{here}/usage?{query}").json()
    assert usage["totals"]["seconds"] == 150
    assert usage["totals"]["sessions"] == 5
    assert usage["results"][0]["label"] == member.name
    rows = rows_of(api(owner).get(f"{here}/usage.csv?{query}"))
    assert [row[4] for row in rows[1:]] == ["150"]


def test_a_member_sees_only_their_own_use(api, owner, member, colleague, organization, history):
    here = f"organizations/{organization.slug}/usage"
    assert api(member).get(here).json()["totals"]["seconds"] == 150
    assert api(colleague).get(here).json()["totals"]["seconds"] == 0
    assert api(owner).get(here).json()["totals"]["seconds"] == 150


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-03-12T00:00:00Z&to=2026-03-11T00:00:00Z",
        "from=2020-03-12T00:00:00Z",
        "grain=hour&from=2026-01-01T00:00:00Z",
        "grain=week",
        "group_by=person",
        "group_by=label:",
        "group_by=label:1",
        "group_by=label:a%22b",
        "from=2026-03-11T00:00:00Z&to=2126-03-11T00:00:00Z",
        "zone=Mars/Olympus",
    ],
)
def test_an_impossible_range_is_400(api, owner, organization, query):
    answer = api(owner).get(f"organizations/{organization.slug}/usage?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_the_range_is_half_open(api, owner, organization, history):
    here = f"organizations/{organization.slug}/usage?grain=hour"
    until = api(owner).get(f"{here}&from=2026-03-11T11:00:00Z&to=2026-03-11T12:00:00Z").json()
    assert until["totals"]["seconds"] == 0
