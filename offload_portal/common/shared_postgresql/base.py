"""Django's PostgreSQL backend over connections that a process's threads share.

A thread has one from its first statement to the end of its request, or until it closes it.
"""

from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base

from offload_portal.common.shared_postgresql.pool import Pool


class DatabaseWrapper(base.DatabaseWrapper):
    # Django's own place for pools, for each alias of the process.
    _connection_pools: dict[str, Pool] = {}

    @property
    def pool(self) -> Pool:
        if self.alias not in self._connection_pools:
            made = Pool(
                self._connected,
                most=settings.WEB_CONNECTIONS,
                keep_seconds=settings.DATABASE_CONN_MAX_AGE,
            )
            # Of two threads that come first, one's is used by both.
            self._connection_pools.setdefault(self.alias, made)
        return self._connection_pools[self.alias]

    def _connected(self) -> psycopg.Connection:
        parameters: dict[str, Any] = {**self.get_connection_params(), "autocommit": True}
        connection = psycopg.connect(**parameters)
        self._configure_connection(connection)  # type: ignore[attr-defined]  # the stubs lack it
        return connection
