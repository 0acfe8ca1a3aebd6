"""The audit log as CSV: the same rows for the page's download and the API."""

import json
from collections.abc import Iterable, Iterator

from orgs.selectors import AuditRow

AUDIT_COLUMNS = [
    "Number",
    "Entry ID",
    "At",
    "Event",
    "Actor",
    "Actor e-mail",
    "Subject kind",
    "Subject ID",
    "Subject",
    "Before",
    "After",
    "From",
]


def audit_csv_rows(rows: Iterable[AuditRow]) -> Iterator[list[object]]:
    """The head, then each entry; a number is empty until the entry is sealed."""
    yield [*AUDIT_COLUMNS]
    for row in rows:
        yield [
            row.number,
            row.id,
            row.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            row.event,
            "portal" if row.actor is None else row.actor,
            row.actor_email,
            row.subject_kind,
            row.subject_id,
            row.subject,
            _json(row.before),
            _json(row.after),
            row.origin,
        ]


def _json(values: object) -> str:
    return json.dumps(values, ensure_ascii=False, sort_keys=True) if values else ""
