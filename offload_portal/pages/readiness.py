"""Whether the portal can do its work: each check says nothing, or what is not in order."""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from offload_portal.celery import app
from offload_portal.common import heartbeat
from orgs.selectors.audit_chain import last_check
from usage.selectors.reconciled import organizations_that_differ

TICKS = 3
Check = Callable[[datetime], str | None]

# Once all migrations are applied they stay so while this process lives.
_migrated: set[str] = set()


def database(at: datetime) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return None


def migrations(at: datetime) -> str | None:
    name = str(connection.settings_dict["NAME"])
    if name in _migrated:
        return None
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        return f"{len(waiting)} migrations are not applied: run `manage.py migrate`."
    _migrated.add(name)
    return None


def broker(at: datetime) -> str | None:
    if settings.CELERY_BROKER_URL.startswith("filesystem:"):
        folder = Path(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"])
        return None if os.access(folder, os.W_OK) else f"{folder} can't be written."
    with app.connection_for_write() as link:
        link.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    return None


def kept(at: datetime) -> str | None:
    cache.set("readiness", at.isoformat(), timeout=60)
    return None if cache.get("readiness") else "The cache forgets what it was told."


def meter(at: datetime) -> str | None:
    """The sweep has run within three ticks."""
    beat = heartbeat.last_beat("meter")
    if beat is None:
        return "The meter has not run yet: are a worker and a scheduler running?"
    age = int((at - beat).total_seconds())
    if age > TICKS * settings.METER_EVERY_SECONDS:
        return f"The meter last ran {age} seconds ago: are a worker and a scheduler running?"
    return None


def audit(at: datetime) -> str | None:
    """The last nightly check of the audit log found it whole; none yet is in order, too."""
    last = last_check()
    if last is None or not last.findings:
        return None
    return f"The audit log is not whole ({last.findings} findings): run `manage.py verify_audit`."


def reconciliation(at: datetime) -> str | None:
    """The last nightly comparison found ledger, rollups and sessions to say the same."""
    count = organizations_that_differ()
    if not count:
        return None
    return f"The numbers of {count} organizations differ: run `manage.py reconcile`."


CHECKS: Mapping[str, Check] = {
    "database": database,
    "migrations": migrations,
    "broker": broker,
    "cache": kept,
    "meter": meter,
    "audit": audit,
    "reconciliation": reconciliation,
}


def trouble(at: datetime) -> dict[str, str]:
    """What is not in order, by the name of the check; empty when all is well."""
    found = {}
    for name, check in CHECKS.items():
        try:
            sentence = check(at)
        except Exception as error:  # whatever a driver raises is an answer here
            sentence = f"It does not answer: {type(error).__name__}."
        if sentence:
            found[name] = sentence
    return found
