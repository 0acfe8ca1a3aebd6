"""Sessions as CSV: columns, cells, batches."""

import csv
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from offload_portal.common.csv_cells import csv_lines, csv_response, safe_cell
from orgs.models import Organization, Person
from sessions import exports
from sessions.selectors import filter_for
from tests.sessions import worlds

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_is_marked_as_text(start: str) -> None:
    assert safe_cell(f"{start}1+1") == f"'{start}1+1"


def test_other_cells_stay_as_they_are() -> None:
    assert [safe_cell(value) for value in ("a=b", "", None, 5, -5, "王小明", " =1")] == [
        "a=b",
        "",
        "",
        "5",
        "-5",
        "王小明",
        " =1",
    ]


def test_lines_quote_what_needs_it() -> None:
    assert list(csv_lines([["a,b", 'say "x"', "two\nlines"]])) == [
        '"a,b","say ""x""","two\nlines"\r\n'
    ]


def test_a_download_streams_and_names_its_file() -> None:
    answer = csv_response([["a"], ["b"]], "acme-sessions.csv")

    assert answer.streaming
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="acme-sessions.csv"'
    assert answer.getvalue() == b"a\r\nb\r\n"


@pytest.mark.django_db
def test_the_columns_are_docker_s(organization: Organization, owner: Person, at: datetime) -> None:
    ended = worlds.session(organization, owner, at, 61, images=["node:22", "redis:7"])
    running = worlds.start(organization, owner, at + HOUR)
    worlds.report(running, at + HOUR, 1)

    rows = list(
        exports.session_csv_rows(
            filter_for(owner, organization.pk), at + HOUR + timedelta(seconds=9)
        )
    )

    assert rows == [
        [
            "Session ID",
            "Username",
            "Image",
            "Started time",
            "Ended time",
            "Duration (in seconds)",
            "Status",
            "Container count",
        ],
        [str(running.pk), owner.email, "", "2026-03-11T13:00:00Z", "", "9", "active", "0"],
        [
            str(ended.pk),
            owner.email,
            "node:22; redis:7",
            "2026-03-11T12:00:00Z",
            "2026-03-11T12:01:01Z",
            "61",
            "ended",
            "2",
        ],
    ]


@pytest.mark.django_db
def test_batches_leave_nothing_out_and_double_nothing(
    organization: Organization,
    owner: Person,
    at: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exports, "BATCH", 2)
    made = [worlds.session(organization, owner, at + n * HOUR, 10) for n in range(5)]

    rows = list(exports.session_csv_rows(filter_for(owner, organization.pk), at + 9 * HOUR))

    assert [row[0] for row in rows[1:]] == [str(session.pk) for session in reversed(made)]


@pytest.mark.django_db
def test_the_page_s_download_follows_its_filters_and_its_reader(
    organization: Organization,
    owner: Person,
    member: Person,
    stranger: Person,
    at: datetime,
    clock: time_machine.Traveller,
    client_of: Callable[[Person], Client],
) -> None:
    mine = worlds.session(organization, member, at, 60, images=["=cmd"])
    worlds.session(organization, owner, at + HOUR, 600)
    clock.shift(3 * HOUR)
    address = reverse("pages:activity_csv", args=[organization.slug])

    everything = _rows(client_of(owner).get(address))
    short = _rows(client_of(owner).get(address, {"most": "1"}))
    own = _rows(client_of(member).get(address))

    assert len(everything) == 3
    assert [row[0] for row in short[1:]] == [str(mine.pk)]
    assert [row[0] for row in own[1:]] == [str(mine.pk)]
    assert own[1][2] == "'=cmd"
    assert client_of(stranger).get(address).status_code == 404
    assert Client().get(address).status_code == 302
    wrong = client_of(owner).get(address, {"since": "2026-03-09", "until": "2026-03-01"})
    assert wrong.status_code == 400
    assert wrong.content == b"The filters are not valid: To."


def _rows(answer: object) -> list[list[str]]:
    text = answer.getvalue().decode()  # type: ignore[attr-defined]  # a streaming answer
    return list(csv.reader(text.splitlines()))
