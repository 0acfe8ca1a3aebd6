"""Keeping what a report tells of containers and samples: one statement for each kind."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from offload_portal.common.identifiers import uuid7
from offload_portal.common.rows import instant_value, key_value
from sessions.models import BuildRun, ContainerRun, Sample, Session

# Nine values each: below the 32,766 that a statement of SQLite may have.
MOST_ROWS = 3_000


@dataclass(frozen=True, slots=True)
class ContainerSeen:
    id: str
    image: str
    started_at: datetime
    name: str = ""
    exited_at: datetime | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class BuildSeen:
    """A build; `succeeded` is None where nobody told how it went."""

    id: str
    image: str
    started_at: datetime
    finished_at: datetime | None = None
    succeeded: bool | None = None


@dataclass(frozen=True, slots=True)
class SampleSeen:
    """`cpu_milli_percent`: thousandths of a percent, 100,000 for one whole processor."""

    at: datetime
    cpu_milli_percent: int
    memory_bytes: int
    network_rx_bytes: int = 0
    network_tx_bytes: int = 0


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that nobody had told of before."""

    id: uuid.UUID
    image: str
    started_at: datetime


def keep_runs(session: Session, seen: Sequence[ContainerSeen]) -> list[NewRun]:
    """Runs are new, or they exited; a run that has exited never comes back to life."""
    runs = {uuid7(): container for container in _once_each(seen)}
    kept: set[uuid.UUID] = set()
    for part in _parts(list(runs.items())):
        rows = [
            [
                key_value(key),
                key_value(session.organization_id),
                key_value(session.id),
                container.id,
                container.name,
                container.image,
                instant_value(container.started_at),
                instant_value(container.exited_at),
                container.exit_code,
            ]
            for key, container in part
        ]
        kept |= {_key(row[0]) for row in _insert(ContainerRun, _RUN, rows, _EXITED)}
    return [
        NewRun(key, container.image, container.started_at)
        for key, container in runs.items()
        if key in kept
    ]


def keep_builds(session: Session, seen: Sequence[BuildSeen]) -> None:
    """Builds are new, or they finished; the last that a report tells of one counts."""
    for part in _parts(list({build.id: build for build in seen}.values())):
        rows = [
            [
                key_value(uuid7()),
                key_value(session.organization_id),
                key_value(session.id),
                build.id,
                build.image,
                instant_value(build.started_at),
                instant_value(build.finished_at),
                build.succeeded,
            ]
            for build in part
        ]
        _insert(BuildRun, _BUILD, rows, _FINISHED)


def keep_samples(session: Session, seen: Sequence[SampleSeen], at: datetime) -> None:
    """The first that tells of an instant counts.

    By the client's clock, moved back as far as it is ahead of `at`, and never before the session.
    """
    if not seen:
        return
    ahead = max(timedelta(0), max(sample.at for sample in seen) - at)
    for part in _parts(seen):
        rows = [
            [
                key_value(session.organization_id),
                key_value(session.id),
                instant_value(max(session.created_at, sample.at - ahead)),
                sample.cpu_milli_percent,
                sample.memory_bytes,
                sample.network_rx_bytes,
                sample.network_tx_bytes,
            ]
            for sample in part
        ]
        _insert(Sample, _SAMPLE, rows, "ON CONFLICT DO NOTHING")


def _once_each(seen: Sequence[ContainerSeen]) -> list[ContainerSeen]:
    """A run that a report tells of twice: as it was first told, with its exit."""
    found: dict[tuple[str, datetime], ContainerSeen] = {}
    for container in seen:
        key = (container.id, container.started_at)
        known = found.setdefault(key, container)
        if known.exited_at is None and container.exited_at is not None:
            found[key] = replace(
                known, exited_at=container.exited_at, exit_code=container.exit_code
            )
    return list(found.values())


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), MOST_ROWS):
        yield rows[start : start + MOST_ROWS]


_RUN = (
    "id", "organization_id", "session_id", "container_id", "name", "image", "started_at",
    "exited_at", "exit_code",
)  # fmt: skip
_SAMPLE = (
    "organization_id", "session_id", "at", "cpu_milli_percent", "memory_bytes", "network_rx_bytes",
    "network_tx_bytes",
)  # fmt: skip
_BUILD = (
    "id", "organization_id", "session_id", "build_id", "image", "started_at", "finished_at",
    "succeeded",
)  # fmt: skip
_FINISHED = (
    "ON CONFLICT (organization_id, session_id, build_id) DO UPDATE "
    "SET finished_at = excluded.finished_at, succeeded = excluded.succeeded "
    "WHERE known.finished_at IS NULL AND excluded.finished_at IS NOT NULL"
)
# Nothing is written where a report says again what is known.
_EXITED = (
    "ON CONFLICT (organization_id, session_id, container_id, started_at) DO UPDATE "
    "SET exited_at = excluded.exited_at, exit_code = excluded.exit_code "
    "WHERE known.exited_at IS NULL AND excluded.exited_at IS NOT NULL "
    "RETURNING id"
)


def _insert(
    model: Any, columns: Sequence[str], rows: Sequence[Sequence[Any]], conflict: str
) -> list[Any]:
    """Many rows in one statement; what it returns, if it does."""
    quoted = connection.ops.quote_name
    names = ", ".join(quoted(name) for name in columns)
    row = f"({', '.join(['%s'] * len(columns))})"
    statement = (
        f"INSERT INTO {quoted(model._meta.db_table)} AS known ({names}) "  # noqa: S608 - our names
        f"VALUES {', '.join([row] * len(rows))} {conflict}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [value for values in rows for value in values])
        return cursor.fetchall() if cursor.description else []


def _key(value: Any) -> uuid.UUID:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)
