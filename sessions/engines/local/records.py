"""What the host keeps of an engine beside its files, in a folder that only root may look into.

<session>/engine.json   who it is: written before anything is started
<session>/process       the line of /proc/…/stat of its first process: written by that process
<session>/seen          its time is when the engine last answered
<session>/log           what its processes said
<session>/docker.sock   a second name of its socket
<session>/engine/       all that the engine itself may see and change
"""

import json
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

TAIL_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Record:
    """`user` is its number in the pool, 0 for a trusted engine."""

    user: int
    left_out: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)


def write(folder: Path, record: Record) -> None:
    new = folder / "engine.json.new"
    new.write_text(json.dumps(asdict(record)))
    new.replace(folder / "engine.json")


def read(folder: Path) -> Record | None:
    """None where the start was cut off before anything ran."""
    try:
        found = json.loads((folder / "engine.json").read_text())
        return Record(found["user"], tuple(found["left_out"]), found["timings"])
    except (OSError, ValueError, KeyError):
        return None


def folders(host: Path) -> Iterator[tuple[uuid.UUID, Path]]:
    """All engines of this host, running or not."""
    with suppress(FileNotFoundError):
        for folder in host.iterdir():
            with suppress(ValueError):
                yield uuid.UUID(hex=folder.name), folder


def keep_outside(folder: Path, number: int) -> None:
    with suppress(OSError):
        (folder / "outside").write_text(Path(f"/proc/{number}/stat").read_text())


def is_begun(folder: Path) -> bool:
    """Whether anything was started at all."""
    return (folder / "outside").exists() or (folder / "process").exists()


def runs(folder: Path) -> bool:
    """Whether it runs, or is so young that its first process has not written itself down."""
    if (folder / "process").exists():
        return _living(folder / "process") is not None
    return _living(folder / "outside") is not None


def kill(folder: Path, *, hard: bool = False) -> bool:
    """End all of its processes; whether the two that hold them together are gone.

    The end of the first process is the end of all in its process namespace, and the outermost one
    then sees it off. `hard` is for one that never got so far: its whole process group ends.
    """
    first, outside = _living(folder / "process"), _living(folder / "outside")
    with suppress(ProcessLookupError):
        if first is not None:
            os.kill(first, signal.SIGKILL)
        if outside is not None and hard:
            os.killpg(outside, signal.SIGKILL)
    return first is None and outside is None


def _living(file: Path) -> int | None:
    """The process of that line, if it runs: id and time of start are those that were kept."""
    with suppress(OSError, ValueError, IndexError):
        number, started = _stat(file.read_text())
        if _stat(Path(f"/proc/{number}/stat").read_text()) == (number, started):
            return number
    return None


def _stat(line: str) -> tuple[int, int]:
    """Process id and start, in clock ticks since the machine started. A zombie runs no more."""
    rest = line.rpartition(")")[2].split()
    if rest[0] in ("Z", "X"):
        raise ValueError("It has ended.")
    return int(line.split(" ", 1)[0]), int(rest[19])


def mark_seen(folder: Path, at: datetime) -> None:
    seen = folder / "seen"
    seen.touch()
    os.utime(seen, (at.timestamp(), at.timestamp()))


def seen_at(folder: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp((folder / "seen").stat().st_mtime, UTC)
    except OSError:
        return None


def tail(folder: Path) -> str:
    """The end of what its processes said."""
    try:
        with (folder / "log").open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - TAIL_BYTES))
            return log.read().decode(errors="replace")
    except OSError:
        return ""
