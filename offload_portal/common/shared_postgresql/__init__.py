"""PostgreSQL for a process of many threads (settings: WEB_CONNECTIONS)."""

from django.db import connections


def share_connections() -> None:
    """From here on the threads of this process share connections, where it is PostgreSQL."""
    database = connections.settings["default"]
    if database["ENGINE"] != "django.db.backends.postgresql":
        return
    # Django gives a connection back when a request ends; how long it is kept, the pool decides.
    database.update(ENGINE=__name__, CONN_MAX_AGE=0)
