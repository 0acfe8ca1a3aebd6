"""The running portal, as its users meet it: on the embedded default, or as in production."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.conf import settings

from tests import servers
from tests.runtime.processes import free_port, manage, surroundings

PATIENCE_SECONDS = 120
# The demonstration is made first.
DEMONSTRATION_SECONDS = 400
METER_EVERY_SECONDS = "2"
ENGINES = [sys.executable, "manage.py", "engines"]
CELERY = (sys.executable, "-W", "ignore::UserWarning", "-m", "celery", "-q", "-A", "offload_portal")


@dataclass(frozen=True)
class Stack:
    """`said` is where the web server's output is kept, mail included."""

    name: str
    address: str
    folder: Path
    values: Mapping[str, str]
    parts: "dict[str, Part]" = field(default_factory=dict)

    def manage(self, *arguments: str, patience: int = PATIENCE_SECONDS) -> str:
        ended = manage(self.folder, *arguments, patience=patience, **self.values)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()


@contextmanager
def embedded(folder: Path, *, demonstration: bool = False) -> Iterator[Stack]:
    """`manage.py run` with nothing but a data folder."""
    port = free_port()
    values = {
        "PORT": str(port),
        "METER_EVERY_SECONDS": METER_EVERY_SECONDS,
        "DEMO": "1" if demonstration else "0",
    }
    stack = Stack("embedded", f"http://localhost:{port}", folder, values)
    with _process([sys.executable, "manage.py", "run"], stack, "run"):
        wait_until_ready(stack, DEMONSTRATION_SECONDS if demonstration else PATIENCE_SECONDS)
        yield stack


@contextmanager
def production(folder: Path, name: str, **more: str) -> Iterator[Stack]:
    """Web server, worker and scheduler as processes of their own, on PostgreSQL and Redis.

    `more`: further variables. With ENGINE_PROVIDER=local an engine host runs beside them, whose
    engines end with the block.
    """
    with ExitStack() as cleanup:
        database = cleanup.enter_context(servers.postgresql(name))
        cleanup.enter_context(_database(database))
        cache = cleanup.enter_context(servers.redis_of_its_own())
        port = free_port()
        values = {
            "PORT": str(port),
            "METER_EVERY_SECONDS": METER_EVERY_SECONDS,
            "DATABASE_URL": database,
            "REDIS_URL": cache,
            **more,
        }
        stack = Stack("production", f"http://localhost:{port}", folder, values)
        stack.manage("prepare")
        serve = [sys.executable, "manage.py", "serve"]
        worker = [*CELERY, "worker", "--concurrency", "1", "--loglevel", "WARNING"]
        beat = [*CELERY, "beat", "--loglevel", "WARNING", "--pidfile", ""]
        for command, part in ((serve, "web"), (worker, "worker"), (beat, "beat")):
            cleanup.enter_context(_process(command, stack, part))
        if more.get("ENGINE_PROVIDER") == "local":
            # Stopping the process leaves its engines, as it should.
            cleanup.callback(stack.manage, "engines", "--stop-all")
            cleanup.enter_context(_process(ENGINES, stack, "engines"))
        wait_until_ready(stack)
        yield stack


@contextmanager
def _database(address: str) -> Iterator[None]:
    """A new database at the address, dropped afterwards."""
    name = urlsplit(address).path.removeprefix("/")
    server = urlunsplit(urlsplit(address)._replace(path="/postgres"))
    with psycopg.connect(server, autocommit=True) as link:
        link.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        link.execute(f'CREATE DATABASE "{name}"')
    try:
        yield
    finally:
        with psycopg.connect(server, autocommit=True) as link:
            link.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@dataclass
class Part:
    """One process of a stack, with a group of its own for all that it starts."""

    command: list[str]
    log: Path
    surroundings: Mapping[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                self.command, cwd=settings.BASE_DIR, env=self.surroundings, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def crash(self) -> None:
        """SIGKILL for it and what it started, then another start."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)
        self.start()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)


@contextmanager
def _process(command: list[str], stack: Stack, name: str) -> Iterator[None]:
    values = surroundings(stack.folder, **stack.values)
    part = stack.parts[name] = Part(command, stack.folder / f"{name}.log", values)
    part.start()
    try:
        yield
    finally:
        part.stop()


def wait_until_ready(stack: Stack, patience: int = PATIENCE_SECONDS) -> None:
    """Until /readyz finds everything in order: the meter has run then, too."""
    until, found = time.monotonic() + patience, ""
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{stack.address}/readyz", timeout=5):
                return
        except urllib.error.HTTPError as error:
            with error:
                found = error.read().decode()
        except OSError as error:
            found = str(error)
        time.sleep(0.2)
    logs = "\n".join(path.read_text() for path in sorted(stack.folder.glob("*.log")))
    raise AssertionError(f"{stack.name} is not ready: {found}\n{logs}")
