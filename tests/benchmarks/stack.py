"""What a benchmark runs against: a database with data set S and the server as in production."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

from tests import servers
from tests.benchmarks.data import DataSet

ROOT = Path(__file__).resolve().parents[2]
REDIS_DATABASE = 7
PATIENCE_SECONDS = 60
# What is the caller's own; all else of the environment goes on to the server.
OURS = ("DJANGO_SETTINGS_MODULE", "DATA_DIR", "DATABASE_URL", "REDIS_URL", "PORT")


@dataclass(frozen=True)
class World:
    """A database with the data set, and the variables that a server of it needs."""

    made: DataSet
    database: str
    values: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def world(made: DataSet, name: str, fill: Sequence[str] = ()) -> Iterator[World]:
    """A new database of that name, migrated and filled; dropped afterwards.

    `fill`: a module that fills it with other than data set S, and its arguments.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="portal-benchmark-"))
        database = stack.enter_context(servers.postgresql(name))
        stack.enter_context(_database(database))
        cache = f"{stack.enter_context(servers.redis_server()).rstrip('/')}/{REDIS_DATABASE}"
        redis.Redis.from_url(cache).flushdb()
        kept = {key: value for key, value in os.environ.items() if key not in OURS}
        values = {
            "DATA_DIR": folder,
            "DATABASE_URL": database,
            "REDIS_URL": cache,
            "DEMO": "0",
            "ENGINE_PROVIDER": "external",
            "LOG_LEVEL": "WARNING",
            **kept,
        }
        run = [sys.executable, "manage.py", "prepare"]
        subprocess.run(run, cwd=ROOT, env=values, check=True, stdout=subprocess.DEVNULL)
        usual = (
            "tests.benchmarks.data", "--seed", str(made.seed),
            "--organizations", str(made.organizations), "--sessions", str(made.sessions),
        )  # fmt: skip
        command = [sys.executable, "-m", *(fill or usual)]
        subprocess.run(command, cwd=ROOT, env=values, check=True)
        yield World(made, database, values)


@contextmanager
def _database(address: str) -> Iterator[None]:
    name = urlsplit(address).path.removeprefix("/")
    server = urlunsplit(urlsplit(address)._replace(path="/postgres"))

    def again(*statements: str) -> None:
        with psycopg.connect(server, autocommit=True) as link:
            for statement in (f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', *statements):
                link.execute(statement.encode())

    again(f'CREATE DATABASE "{name}"')
    try:
        yield
    finally:
        again()


@contextmanager
def serving(values: Mapping[str, str], port: int, ready: str, **more: str) -> Iterator[int]:
    """`manage.py serve` on the port until the block ends; `ready` is a path that answers 2xx."""
    surroundings = {**values, "PORT": str(port), **more}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve"], cwd=ROOT, env=surroundings, start_new_session=True
    )
    try:
        _wait(f"http://127.0.0.1:{port}{ready}")
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _wait(address: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
