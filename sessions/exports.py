"""Sessions as CSV: the same rows for the page's download and the API."""

from collections.abc import Iterator
from datetime import datetime

from offload_portal.api.pagination import keyset_page
from orgs.models import Organization
from orgs.selectors import MemberFilter, MemberRow, member_rows
from sessions.filters import SessionFilter
from sessions.selectors import SessionView, session_page
from sessions.selectors.members import members_with_use, order_of

BATCH = 500

# Docker's own export has these columns; scripts that read it go on working.
SESSION_COLUMNS = [
    "Session ID",
    "Username",
    "Image",
    "Started time",
    "Ended time",
    "Duration (in seconds)",
    "Status",
    "Container count",
]


def _zulu(at: datetime | None) -> str:
    return "" if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _row(view: SessionView) -> list[str]:
    return [
        str(view.id),
        view.user_email or view.user_name,
        "; ".join(view.images),
        _zulu(view.created_at),
        _zulu(view.ended_at),
        str(view.elapsed_seconds),
        view.state,
        str(view.container_count),
    ]


def session_csv_rows(chosen: SessionFilter, at: datetime) -> Iterator[list[str]]:
    """The head, then each session as of `at`: running ones first, then newest.

    Read in batches by keyset, so that a download of any length holds few rows in memory. Cells
    are made safe by `common.csv_cells`, which writes them. People are codes where insights are
    pseudonymous (`orgs.privacy`).
    """
    yield SESSION_COLUMNS
    page = session_page(chosen, at=at, as_of=at, size=BATCH)
    while True:
        yield from (_row(view.seen_by(chosen.person)) for view in page.rows)
        if not page.has_next:
            return
        page = session_page(chosen, at=at, as_of=at, key=page.last, size=BATCH)


MEMBER_COLUMNS = [
    "Name",
    "Email",
    "Role",
    "Teams",
    "License",
    "Granted to",
    "Joined",
    "Last session",
    "Last sign-in",
]


def _member_row(row: MemberRow) -> list[str]:
    return [
        row.person.name,
        row.person.email,
        row.role,
        "; ".join(name for _id, name in row.teams),
        row.license_state,
        "; ".join(row.grants),
        _zulu(row.joined_at),
        _zulu(row.last_session_at),
        _zulu(row.last_sign_in_at),
    ]


def member_csv_rows(
    organization: Organization, wanted: MemberFilter, *, used: str, sort: str, at: datetime
) -> Iterator[list[str]]:
    """The head, then each member that the filter lets through, read in batches by keyset."""
    yield MEMBER_COLUMNS
    rows, order = members_with_use(organization, wanted, at=at, used=used), order_of(sort)
    cursor = None
    while True:
        page = keyset_page(rows, order=order, cursor=cursor, size=BATCH)
        yield from map(_member_row, member_rows(organization, page.rows, at))
        if page.next is None:
            return
        cursor = page.next
