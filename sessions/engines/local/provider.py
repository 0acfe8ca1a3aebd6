"""The provider `local`: starts, finds and removes the engines of this machine."""

import logging
import os
import shutil
import socket
import stat
import subprocess
import threading
import time
import uuid
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from django.conf import settings

from sessions.engines.hosting import Found, Order, Place, StartFailedError, StartInterruptedError
from sessions.engines.local import calls, cgroups, command, fence, machine, reasons, records, users
from sessions.engines.places import SOCKET

logger = logging.getLogger(__name__)

LEAST_FREE_BYTES = 512 * 1024**2
LOOK_EVERY_SECONDS = 0.05
PING_SECONDS = 3.0
END_SECONDS = 15.0
GRACE_SECONDS = 2.0
NO_WALL = "There is no wall: ENGINE_LOCAL_TRUSTED is set, and this engine is root on its machine."


class Local:
    """See `sessions.engines.hosting.Host`. It keeps nothing in memory: a survey finds it all."""

    provider = "local"

    def __init__(self) -> None:
        self.name = settings.ENGINE_HOST_NAME or socket.gethostname()
        self.folder = Path(settings.ENGINE_HOST_DIR)
        self.trusted: bool = settings.ENGINE_LOCAL_TRUSTED

    def problem(self) -> str:
        return machine.problem(self.folder, trusted=self.trusted)

    def capacity(self) -> int:
        return settings.ENGINE_LOCAL_CAPACITY or machine.default_capacity()

    def survey(self) -> tuple[Found, ...]:
        return tuple(self._found(*one) for one in records.folders(self.folder))

    def _found(self, session_id: uuid.UUID, folder: Path) -> Found:
        if records.runs(folder):
            return Found(session_id, alive=True, seen_at=records.seen_at(folder))
        why = reasons.why(records.tail(folder)) if records.is_begun(folder) else ""
        return Found(session_id, alive=False, seen_at=records.seen_at(folder), why=why)

    # --- Start ---------------------------------------------------------------------------------

    def start(self, order: Order) -> Place:
        parts = Parts()
        give_up = time.monotonic() + order.seconds
        folder = self._folder(order.session_id)
        if not records.runs(folder):
            self._launch(order, folder, parts)
        self._wait(order, folder, give_up)
        parts.done("daemon")
        return self._kept_place(folder, parts)

    def _launch(self, order: Order, folder: Path, parts: "Parts") -> None:
        try:
            # What a start that was cut off left there would stand in the way.
            self.remove(order.session_id)
            self._check_room()
            limits = cgroups.limit(_group(order.session_id), order.size)
            if self.trusted:
                users.LOCKS.mkdir(mode=0o700, exist_ok=True)
                self._prepare(folder, records.Record(0, (*limits.left_out, NO_WALL)), None)
                self._spawn(folder, command.trusted(folder), limits, None)
                return
            with users.claimed(self._users_with_files(folder)) as (user, lock):
                parts.done("user")
                fenced = fence.raise_for(user)
                left_out = (*limits.left_out, *([fenced] if fenced else []))
                self._prepare(folder, records.Record(user.number, left_out), user)
                parts.done("wall")
                self._spawn(folder, command.walled(folder, user), limits, lock)
        except (OSError, subprocess.SubprocessError) as error:
            raise StartFailedError(f"The engine could not be prepared: {error}") from error

    def _check_room(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if free < LEAST_FREE_BYTES:
            raise StartFailedError(
                f"The disk is full: {free // 1024**2} MiB are left for {self.folder}, and an "
                f"engine needs {LEAST_FREE_BYTES // 1024**2}. Make room there."
            )

    def _users_with_files(self, mine: Path) -> frozenset[int]:
        """Users of engines whose files are still here: they are not given away before these go."""
        others = (folder for _, folder in records.folders(self.folder) if folder != mine)
        found = (records.read(folder) for folder in others)
        return frozenset(record.user for record in found if record is not None)

    def _prepare(self, folder: Path, record: records.Record, user: users.User | None) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        records.write(folder, record)
        (folder / "root").mkdir(mode=0o700, exist_ok=True)
        for part in ("", "data", "run", "home"):
            made = folder / "engine" / part
            made.mkdir(mode=0o700, exist_ok=True)
            if user is not None:
                os.chown(made, user.uid, user.gid, follow_symlinks=False)

    def _spawn(
        self, folder: Path, argv: list[str], limits: cgroups.Limits, lock: int | None
    ) -> None:
        """Outlives the agent: a process session of its own, and output to a file.

        The lock of the user goes along as an empty input, which the wall closes for the engine.
        """
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL if lock is None else lock, stdout=log, stderr=log,
                cwd="/", env=command.environment(limits.joins), start_new_session=True,
            )  # fmt: skip
        records.keep_outside(folder, process.pid)
        _reap_later(process)

    def _wait(self, order: Order, folder: Path, give_up: float) -> None:
        while time.monotonic() < give_up:
            if order.interrupted.is_set():
                raise StartInterruptedError
            if self._socket(folder) and calls.answers(folder / SOCKET, PING_SECONDS):
                return
            if not records.runs(folder):
                raise StartFailedError(reasons.why(records.tail(folder)))
            time.sleep(LOOK_EVERY_SECONDS)
        log = reasons.why(records.tail(folder)) if records.tail(folder) else ""
        raise StartFailedError(f"The engine did not answer in time. {log}".strip())

    def _socket(self, folder: Path) -> bool:
        """Give the daemon's socket its second name, once it is there.

        A container may put anything in the place of the first name, a link to another engine's
        socket for instance; this is the name that the door and the watcher use.
        """
        link = folder / SOCKET
        if link.exists():
            return True
        made = folder / "engine" / "run" / "docker.sock"
        try:
            os.link(made, link, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if not stat.S_ISSOCK(link.lstat().st_mode):
            link.unlink()
            raise StartFailedError("The engine put something else in the place of its socket.")
        return True

    # --- Afterwards ----------------------------------------------------------------------------

    def place(self, session_id: uuid.UUID) -> Place:
        return self._kept_place(self._folder(session_id), Parts())

    def _kept_place(self, folder: Path, parts: "Parts") -> Place:
        record = records.read(folder) or records.Record(0)
        return Place(str(folder / SOCKET), record.left_out, parts.seconds or record.timings)

    def answers(self, session_id: uuid.UUID, at: datetime) -> bool:
        folder = self._folder(session_id)
        with suppress(OSError, StartFailedError):
            if self._socket(folder) and calls.answers(folder / SOCKET, PING_SECONDS):
                records.mark_seen(folder, at)
                return True
        return False

    def remove(self, session_id: uuid.UUID) -> None:
        folder = self._folder(session_id)
        _end(folder)
        record = records.read(folder)
        if record is not None and record.user:
            _free(record.user)
        cgroups.release(_group(session_id))
        if folder.is_dir():
            _remove_folder(folder)

    def _folder(self, session_id: uuid.UUID) -> Path:
        return self.folder / session_id.hex


class Parts:
    """Stop-watch of a start's parts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def done(self, part: str) -> None:
        now = time.monotonic()
        self.seconds[part] = round(now - self._since, 3)
        self._since = now


def _end(folder: Path) -> None:
    """Until all is gone: nothing is cleared away under a process that still runs."""
    began = time.monotonic()
    while not records.kill(folder, hard=time.monotonic() > began + GRACE_SECONDS):
        if time.monotonic() > began + END_SECONDS:
            raise RuntimeError(f"The processes of {folder} can't be ended.")
        time.sleep(0.01)


def _free(number: int) -> None:
    """End what may still run as the user, unless another engine has the user by now."""
    lock = users.lock_of(number)
    if lock is None:
        return
    try:
        user = users.find(number)
        if user is not None:
            users.end_processes(user)
            fence.lower_for(user)
    finally:
        os.close(lock)


def _group(session_id: uuid.UUID) -> str:
    return session_id.hex


def _reap_later(process: subprocess.Popen[bytes]) -> None:
    """Leave no zombie while the agent lives; afterwards the system's first process does it."""
    threading.Thread(target=process.wait, name=f"engine-{process.pid}", daemon=True).start()


def _remove_folder(folder: Path) -> None:
    """Its own name goes last, so that a removal that was cut off is found again."""
    shutil.rmtree(folder / "engine", ignore_errors=True)
    shutil.rmtree(folder)
