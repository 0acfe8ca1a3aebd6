"""What lies on disk about the session of this machine, so that a crash leaves nothing behind."""

import dataclasses
import uuid
from dataclasses import dataclass, field
from typing import Any

from docker_offload.docker import DEFAULT
from docker_offload.files import read_json, write_json
from docker_offload.store import Store

# ASKED: the start may or may not have reached the portal. STARTED: it has a session. READY: docker
# was told of it. STOPPING: it shall be gone, but the portal could not be told yet.
ASKED, STARTED, READY, STOPPING = "asked", "started", "ready", "stopping"
STAGES = (ASKED, STARTED, READY, STOPPING)


@dataclass(frozen=True)
class Record:
    """Written before each step, so that the next command knows how far the last one came."""

    portal: str
    organization: str
    name: str
    wish: dict[str, Any]
    stage: str = ASKED
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    session_id: str = ""
    before: str = DEFAULT
    external: bool = False

    def at(self, stage: str, **changes: Any) -> "Record":
        return dataclasses.replace(self, stage=stage, **changes)


def load(store: Store) -> Record | None:
    """None where there is none, or where it can't be understood."""
    found = read_json(store.record)
    names = {entry.name for entry in dataclasses.fields(Record)}
    try:
        record = Record(**{name: value for name, value in found.items() if name in names})
    except TypeError:
        return None
    return record if record.stage in STAGES and record.portal else None


def save(store: Store, record: Record) -> Record:
    write_json(store.record, dataclasses.asdict(record))
    return record


def forget(store: Store) -> None:
    store.record.unlink(missing_ok=True)
