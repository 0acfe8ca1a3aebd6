"""Limits of processors, memory and processes for one engine, where the machine has control groups.

A host with the unified hierarchy (version 2) and one with a hierarchy for each controller
(version 1) are both served. What can't be set is told in sentences, never passed over.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from usage.rates import EngineSize

MOUNTS = Path("/sys/fs/cgroup")
PARENT = "offload-portal-engines"
PERIOD_MICROSECONDS = 100_000
MOST_PROCESSES = 8_192
UNIFIED = ("cpu", "memory", "pids")
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Limits:
    """`joins`: files into which a process writes its id; `left_out`: what could not be limited."""

    joins: tuple[Path, ...]
    left_out: tuple[str, ...]


def limit(name: str, size: EngineSize, mounts: Path = MOUNTS) -> Limits:
    """Make the groups of an engine and set what its size allows it."""
    joins: list[Path] = []
    left_out: list[str] = []
    for what, controller, files in _wanted(size):
        group = _group(mounts, controller, name)
        try:
            if group is None:
                raise OSError(f"there is no control group for {controller}")
            group.mkdir(parents=True, exist_ok=True)
            files(group, group.parent.parent == mounts)
            joins.append(group / "cgroup.procs")
        except OSError as error:
            left_out.append(f"{what} could not be limited: {error.strerror or error}.")
    return Limits(tuple(dict.fromkeys(joins)), (*left_out, *_lacking(size)))


def release(name: str, mounts: Path = MOUNTS) -> None:
    """Remove the groups of an engine that has ended; one that is not there is no error."""
    for group in _groups(mounts, name):
        with suppress(OSError):
            group.rmdir()


def _lacking(size: EngineSize) -> Iterator[str]:
    """What the machine itself has too little of."""
    processors = os.cpu_count() or 1
    if processors < size.vcpus:
        yield f"This machine has {processors} of the {size.vcpus} processors of {size.name}."
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if memory < size.memory_bytes:
        yield f"This machine has less than the {size.memory_bytes // GIB} GiB of {size.name}."
    if size.gpus:
        yield "A GPU is not given to an engine of the provider local."
    yield "The space on the disk is not limited."


Setter = Callable[[Path, bool], None]


def _wanted(size: EngineSize) -> tuple[tuple[str, str, Setter], ...]:
    quota = size.vcpus * PERIOD_MICROSECONDS

    def cpu(group: Path, unified: bool) -> None:
        if unified:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            (group / "cpu.cfs_quota_us").write_text(str(quota))

    def memory(group: Path, unified: bool) -> None:
        file = "memory.max" if unified else "memory.limit_in_bytes"
        (group / file).write_text(str(size.memory_bytes))

    def pids(group: Path, unified: bool) -> None:
        (group / "pids.max").write_text(str(MOST_PROCESSES))

    return (
        ("Processor time", "cpu", cpu),
        ("Memory", "memory", memory),
        ("The number of processes", "pids", pids),
    )


def _group(mounts: Path, controller: str, name: str) -> Path | None:
    if _is_unified(mounts):
        with suppress(OSError):
            _delegate(mounts)
            return mounts / PARENT / name
        return None
    hierarchy = mounts / controller
    return hierarchy / PARENT / name if (hierarchy / "cgroup.procs").exists() else None


def _groups(mounts: Path, name: str) -> Iterator[Path]:
    if _is_unified(mounts):
        yield mounts / PARENT / name
    else:
        yield from (mounts / controller / PARENT / name for controller in UNIFIED)


def _is_unified(mounts: Path) -> bool:
    return (mounts / "cgroup.controllers").exists()


def _delegate(mounts: Path) -> None:
    """Let the groups below have the controllers; already so on a machine with systemd."""
    (mounts / PARENT).mkdir(exist_ok=True)
    for group in (mounts, mounts / PARENT):
        control = group / "cgroup.subtree_control"
        lacking = [f"+{name}" for name in UNIFIED if name not in control.read_text().split()]
        for one in lacking:
            with suppress(OSError):
                control.write_text(one)
