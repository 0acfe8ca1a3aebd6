"""A person's own sessions and use, for their download (product.md rule 27)."""

from collections.abc import Iterator, Mapping
from typing import Any

from offload_portal.common.json_stream import Section
from orgs.models import Person
from orgs.selectors.own_data import own_sections
from sessions.models import BuildRun, ContainerRun, Session
from usage.models import LedgerEntry

BATCH = 500
Rows = Iterator[Mapping[str, Any]]
SESSION_NAMES = (
    "id",
    "organization_id",
    "engine_size",
    "labels",
    "client",
    "created_at",
    "ready_at",
    "ended_at",
    "end_reason",
    "active_seconds",
    "billed_seconds",
    "container_count",
)
RUN_NAMES = ("session_id", "name", "image", "started_at", "exited_at", "exit_code")
BUILD_NAMES = ("session_id", "image", "started_at", "finished_at", "succeeded")
ENTRY_NAMES = ("session_id", "organization_id", "hour", "source", "compute_seconds")


def everything_of(person: Person) -> Iterator[Section]:
    """Every section of the download, in the order of the floors."""
    yield from own_sections(person)
    yield "sessions", _sessions(person)
    yield "container_runs", _runs(person)
    yield "builds", _builds(person)
    yield "usage_entries", _entries(person)


def _sessions(person: Person) -> Rows:
    rows = Session.objects.filter(person=person).order_by("id")
    yield from rows.values(*SESSION_NAMES).iterator(chunk_size=BATCH)


def _runs(person: Person) -> Rows:
    rows = ContainerRun.objects.filter(session__person=person).order_by("session_id", "pk")
    yield from rows.values(*RUN_NAMES).iterator(chunk_size=BATCH)


def _builds(person: Person) -> Rows:
    rows = BuildRun.objects.filter(session__person=person).order_by("session_id", "pk")
    yield from rows.values(*BUILD_NAMES).iterator(chunk_size=BATCH)


def _entries(person: Person) -> Rows:
    """Session by session: the ledger has an index by session, none by person."""
    sessions = Session.objects.filter(person=person).order_by("id")
    batch = list(sessions.values_list("organization_id", "id")[:BATCH])
    while batch:
        rows = LedgerEntry.objects.filter(
            organization_id__in={organization for organization, _session in batch},
            session_id__in=[session for _organization, session in batch],
        )
        yield from rows.order_by("session_id", "hour", "source", "id").values(*ENTRY_NAMES)
        batch = list(
            sessions.filter(id__gt=batch[-1][1]).values_list("organization_id", "id")[:BATCH]
        )
