"""The pool of operating-system users, one for each engine of this machine.

A user is held by a lock on a file that the outermost process of its engine keeps open: the lock
lasts as long as the engine, whatever becomes of the agent, and holds across several portals on one
machine.
"""

import fcntl
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sessions.engines.hosting import StartFailedError

LOCKS = Path("/run/offload-portal-engines")
PREFIX = "offload-engine-"
SUBORDINATES = 65_536
MOST_USERS = 1_000
KILL_SECONDS = 10.0
USERADD_SECONDS = 60


@dataclass(frozen=True, slots=True)
class User:
    """`first_subuid` and `first_subgid` begin ranges of 65,536 that are nobody else's."""

    number: int
    name: str
    uid: int
    gid: int
    first_subuid: int
    first_subgid: int

    def owns(self, uid: int) -> bool:
        """Whether a process or file with this user id belongs to its engine."""
        return uid == self.uid or 0 <= uid - self.first_subuid < SUBORDINATES


@contextmanager
def claimed(taken: frozenset[int]) -> Iterator[tuple[User, int]]:
    """A user that no engine of this machine has, and its lock: give it to the engine's process.

    `taken` are the numbers that engines of this host still have files of.
    """
    for number in range(1, MOST_USERS + 1):
        if number in taken:
            continue
        lock = lock_of(number)
        if lock is None:
            continue
        try:
            user = _ensure(number)
            if not processes_of(user):
                yield user, lock
                return
        finally:
            os.close(lock)
    raise StartFailedError(f"All {MOST_USERS} users of the engine pool are in use.")


def lock_of(number: int) -> int | None:
    """An open file that holds the user's lock, or None where an engine holds it."""
    LOCKS.mkdir(mode=0o700, exist_ok=True)
    file = os.open(LOCKS / str(number), os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def find(number: int) -> User | None:
    """The user with that number, if it was made already and has its subordinate ids."""
    name = f"{PREFIX}{number}"
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    uids, gids = _range("/etc/subuid", name), _range("/etc/subgid", name)
    if uids is None or gids is None:
        return None
    return User(number, name, entry.pw_uid, entry.pw_gid, uids, gids)


def end_processes(user: User) -> None:
    """End whatever runs as the user. For who holds its lock."""
    until = time.monotonic() + KILL_SECONDS
    while (found := processes_of(user)) and time.monotonic() < until:
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.02)


def processes_of(user: User) -> list[int]:
    """The process ids of all that runs as the user or as one of its subordinate ids."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and any(user.owns(uid) for uid in _uids(entry))
    ]


def _uids(process: Path) -> list[int]:
    with suppress(OSError):
        for line in (process / "status").read_text().splitlines():
            if line.startswith("State:") and "Z" in line.split()[1]:
                return []
            if line.startswith("Uid:"):
                return [int(part) for part in line.split()[1:]]
    return []


def _range(path: str, name: str) -> int | None:
    with suppress(OSError, ValueError):
        for line in Path(path).read_text().splitlines():
            owner, first, count = line.split(":")
            if owner == name and int(count) >= SUBORDINATES:
                return int(first)
    return None


def _ensure(number: int) -> User:
    found = find(number)
    if found is not None:
        return found
    name = f"{PREFIX}{number}"
    _useradd(name)
    made = find(number)
    if made is None:
        raise StartFailedError(
            f"The user {name} has no range of {SUBORDINATES} ids in /etc/subuid and /etc/subgid. "
            f"Add one: usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST {name}"
        )
    return made


def _useradd(name: str) -> None:
    """Two at once would refuse each other's lock on /etc/passwd, so they wait here."""
    with (LOCKS / "useradd").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if any(entry.pw_name == name for entry in pwd.getpwall()):
            return
        made = subprocess.run(
            ["useradd", "--system", "--add-subids-for-system", "--no-create-home",
             "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name],
            capture_output=True, text=True, timeout=USERADD_SECONDS, check=False,
        )  # fmt: skip
    if made.returncode:
        raise StartFailedError(f"The user {name} could not be made: {made.stderr.strip()}")
