"""The processes of a running portal, watched: one that dies is started again."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.conf import settings

STOP_SECONDS = 8
LONGEST_PAUSE = 30
# A child that lived this long had started well: its next pause is short again.
LIVED_WELL_SECONDS = 60

WEB_APPLICATION = "offload_portal.wsgi:application"
# Running as root is the operator's choice; the warning says nothing that `ps` does not.
NO_ROOT_WARNING = "ignore:You're running the worker with superuser privileges"
CELERY = (sys.executable, "-W", NO_ROOT_WARNING, "-m", "celery")


def web_command() -> list[str]:
    """Granian over WSGI: `WEB_WORKERS` processes with up to `WEB_THREADS` threads each."""
    # Connections that are open but ask nothing count as well.
    most_open = max(1_024, 4 * settings.WEB_THREADS)
    return [
        sys.executable, "-m", "granian", WEB_APPLICATION,
        "--interface", "wsgi", "--no-ws", "--log-level", "error",
        "--host", settings.WEB_HOST, "--port", str(settings.PORT),
        "--workers", str(settings.WEB_WORKERS),
        "--blocking-threads", str(settings.WEB_THREADS),
        "--backlog", str(most_open), "--backpressure", str(most_open),
        "--respawn-failed-workers", "--workers-kill-timeout", "5",
    ]  # fmt: skip


def worker_command() -> list[str]:
    """One worker that does one task at a time: enough beside the embedded database."""
    return [
        *CELERY, "--quiet", "--app", "offload_portal", "worker", "--pool", "solo",
        "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip


def beat_command() -> list[str]:
    return [*CELERY, "--quiet", "--app", "offload_portal", "beat", "--loglevel", "WARNING",
            "--pidfile", ""]  # fmt: skip


def _end_with_parent() -> None:
    """On Linux a child gets SIGTERM when its parent dies, however that dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


@dataclass
class Child:
    """One process. `pause`: the seconds its next start waits, doubled at each early death."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 1.0
    due: float = 0.0

    def start(self) -> None:
        # A session of its own: Ctrl-C reaches the parent alone, which then ends them in order.
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "offload_portal.settings"},
            cwd=settings.BASE_DIR,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        self.started = time.monotonic()

    def watch(self, tell: Callable[[str], None]) -> None:
        """Notice a death, and start again when its pause is over."""
        now = time.monotonic()
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            self.pause = 1.0 if now - self.started > LIVED_WELL_SECONDS else self.pause
            tell(f"The {self.name} ended with {code}; it starts again in {self.pause:.0f} s.")
            self.process, self.due = None, now + self.pause
            self.pause = min(self.pause * 2, LONGEST_PAUSE)
        elif now >= self.due:
            self.start()

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def stopped(self, by: float) -> None:
        """Wait until it has ended; after `by` (monotonic seconds) end it and what it started."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, by - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass
class Family:
    """All children: started in order, stopped together."""

    children: list[Child] = field(default_factory=list)

    def add(self, name: str, command: Sequence[str]) -> Child:
        child = Child(name, command)
        child.start()
        self.children.append(child)
        return child

    def watch(self, tell: Callable[[str], None]) -> None:
        for child in self.children:
            child.watch(tell)

    def stop(self) -> None:
        for child in self.children:
            child.ask_to_stop()
        by = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.stopped(by)
