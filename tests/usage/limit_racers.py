"""One process of eight threads that reserve room, by the portal's statement or by a naive one.

    python -m tests.usage.limit_racers DSN KIND ORGANIZATION ATTEMPTS

Prints how many reservations it was given. `guarded` is the statement that comes on standard input,
as the portal sends it; the naive ones are what everybody writes first (targets, finding 3).
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

THREADS, WANTED = 8, 60
READ = (
    "SELECT left_compute_seconds, reserved_compute_seconds FROM usage_allowance"
    " WHERE organization_id = %s"
)
WRITE = "UPDATE usage_allowance SET reserved_compute_seconds = %s WHERE organization_id = %s"
ADD = (
    "UPDATE usage_allowance SET reserved_compute_seconds = reserved_compute_seconds + %s"
    " WHERE organization_id = %s"
)


def guarded(link: psycopg.Connection, organization: str, statement: str) -> bool:
    return link.execute(statement.encode()).rowcount == 1


def read_then_write(link: psycopg.Connection, organization: str, _statement: str) -> bool:
    """Reads the balance, decides, writes what it computed."""
    left, reserved = _read(link, organization)
    if left - reserved < WANTED:
        return False
    link.execute(WRITE, [reserved + WANTED, organization])
    return True


def add_after_read(link: psycopg.Connection, organization: str, _statement: str) -> bool:
    """Reads the balance, decides, lets the database add: no update is lost, and it oversells."""
    left, reserved = _read(link, organization)
    if left - reserved < WANTED:
        return False
    link.execute(ADD, [WANTED, organization])
    return True


def _read(link: psycopg.Connection, organization: str) -> tuple[int, int]:
    row = link.execute(READ, [organization]).fetchone()
    assert row is not None
    # What a request does between looking and booking.
    time.sleep(0.002)
    return int(row[0]), int(row[1])


KINDS = {"guarded": guarded, "read_then_write": read_then_write, "add_after_read": add_after_read}


def race(dsn: str, kind: str, organization: str, attempts: int, statement: str) -> int:
    def run(_thread: int) -> int:
        with psycopg.connect(dsn, autocommit=True) as link:
            return sum(KINDS[kind](link, organization, statement) for _try in range(attempts))

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(run, range(THREADS)))


if __name__ == "__main__":
    dsn, kind, organization, attempts = sys.argv[1:]
    print(race(dsn, kind, organization, int(attempts), sys.stdin.read()))  # noqa: T201
