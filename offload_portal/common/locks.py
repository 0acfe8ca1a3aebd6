"""The organization's lock: the meter holds it alone, activity reports hold it together.

On PostgreSQL it is an advisory lock of the transaction. SQLite's immediate transactions let one
writer in at a time, which is the same lock.
"""

import uuid

from django.db import connection


def number_of(organization_id: uuid.UUID) -> int:
    """64 signed bits of the identifier; its end is random, its beginning is the time."""
    return int.from_bytes(organization_id.bytes[8:], "big", signed=True)


def _take(function: str, organization_id: uuid.UUID) -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("The organization's lock lives as long as a transaction: open one.")
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [number_of(organization_id)])


def lock_alone(organization_id: uuid.UUID) -> None:
    """Until the transaction ends, nobody else meters or records a fact of the organization."""
    _take("pg_advisory_xact_lock", organization_id)


def lock_together(organization_id: uuid.UUID) -> None:
    """Until the transaction ends, nobody meters the organization."""
    _take("pg_advisory_xact_lock_shared", organization_id)


def let_go_of_connection() -> None:
    """For whoever waits: the thread's connection goes back, unless a transaction needs it."""
    if not connection.in_atomic_block:
        connection.close()
