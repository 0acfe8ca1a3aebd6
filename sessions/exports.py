"""Sessions as CSV: the same rows for the page's download and the API."""

from collections.abc import Iterator
from datetime import datetime

from sessions.filters import SessionFilter
from sessions.selectors import SessionView, session_page

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
        view.user_email,
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
    are made safe by `common.csv_cells`, which writes them.
    """
    yield SESSION_COLUMNS
    page = session_page(chosen, at=at, as_of=at, size=BATCH)
    yield from map(_row, page.rows)
    while page.has_next:
        page = session_page(chosen, at=at, as_of=at, key=page.last, size=BATCH)
        yield from map(_row, page.rows)
