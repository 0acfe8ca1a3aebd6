"""Requests of members as lists and pages show them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from offload_portal.common.refusals import not_found
from orgs.enums import RequestKind, RequestState
from orgs.models import MemberRequest, Organization, Person
from orgs.selectors.access import PersonRef, reference


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One request with whose it is and who answered; `answered_by` "" for nobody known."""

    id: uuid.UUID
    person: PersonRef
    kind: RequestKind
    state: RequestState
    note: str
    wanted_seconds: int | None
    created_at: datetime
    answered_at: datetime | None
    answered_by: str
    answer: str
    until: datetime | None

    @property
    def is_open(self) -> bool:
        return self.state == RequestState.OPEN


def requests_in(
    organization: Organization, *, only_of: Person | None = None, state: str = ""
) -> QuerySet[MemberRequest]:
    """Everyone's or one person's; page them by (-created_at, -id), then `request_rows`."""
    rows = MemberRequest.objects.filter(organization=organization)
    if only_of is not None:
        rows = rows.filter(person=only_of)
    if state:
        rows = rows.filter(state=state)
    return rows.select_related("person", "answered_by")


def request_rows(rows: Sequence[MemberRequest]) -> tuple[RequestRow, ...]:
    return tuple(
        RequestRow(
            id=row.pk,
            person=reference(row.person),
            kind=RequestKind(row.kind),
            state=RequestState(row.state),
            note=row.note,
            wanted_seconds=row.wanted_seconds,
            created_at=row.created_at,
            answered_at=row.answered_at,
            answered_by=row.answered_by.shown_name if row.answered_by else "",
            answer=row.answer,
            until=row.until,
        )
        for row in rows
    )


def find_request(
    organization: Organization, request_id: uuid.UUID, *, only_of: Person | None = None
) -> RequestRow:
    """One of them, or 404; `only_of` finds nobody else's."""
    found = requests_in(organization, only_of=only_of).filter(pk=request_id).order_by("id")
    rows = request_rows(list(found))
    if not rows:
        raise not_found()
    return rows[0]


def open_requests(organization: Organization) -> int:
    """How many wait for an owner."""
    return MemberRequest.objects.open().filter(organization=organization).count()
