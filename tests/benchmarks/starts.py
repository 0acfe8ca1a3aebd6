"""Starts and stops of sessions (targets P7 and P8), with PostgreSQL and Redis as in production.

    python -m tests.benchmarks.starts [--seconds 6] [--rounds 5] [--only P7]

16 connections start a session and stop it, each pair with another person's token: P7 in 1,000
organizations, P8 in one. Beside it in the same run: pgbench with the full metering transaction
written by hand, a start's and a stop's, over as many organizations. An answer outside 2xx makes the
run void. Prints pairs a second and the latency of a request, as medians with their spread.
"""
# ruff: noqa: S608 - all of it is our own text

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks import load
from tests.benchmarks.data import DataSet, prefix
from tests.benchmarks.stack import World, serving, world
from tests.runtime.processes import free_port

CONNECTIONS = 16
# People of one organization, so that nobody is asked for twice at a time.
PEOPLE = 256
# As the portal records it: in whole seconds.
NOW = "date_trunc('second', now())"


@dataclass
class Pairs:
    """What one run saw: pairs of start and stop, and the seconds of each request."""

    seconds: float = 0.0
    count: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    def p99_ms(self) -> float:
        ordered = sorted(self.latencies)
        return 1_000 * ordered[int(0.99 * (len(ordered) - 1))]


def post(
    link: load.Link, token: str, path: str, body: dict[str, Any]
) -> tuple[dict[str, Any], float]:
    """The body of the answer and how long it took. Raises VoidRunError."""
    text = json.dumps(body).encode()
    start = time.perf_counter()
    link.send(
        f"POST /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(text)}\r\n\r\n".encode()
        + text,
        start,
    )
    answer = None
    while answer is None:
        answer = link.answer()
    took = time.perf_counter() - start
    head, _, rest = answer.partition(load.END_OF_HEAD)
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise load.VoidRunError(answer.decode(errors="replace"))
    return dict(json.loads(rest)), took


def client(made: DataSet, port: int, mine: int, until: float, seen: Pairs, seed: int) -> None:
    """One connection: starts and stops for people whose number is `mine` of CONNECTIONS."""
    chance, link = random.Random(seed), load.Link(port)
    while time.perf_counter() < until:
        person = chance.randrange(made.sessions // CONNECTIONS) * CONNECTIONS + mine
        token = made.token(person)
        wish = {"organization": made.slug(person // made.each)}
        session, started = post(link, token, "sessions", wish)
        _stopped, stopped = post(link, token, f"sessions/{session['id']}/stop", {})
        seen.latencies += (started, stopped)
        seen.count += 1
    link.socket.close()


def pairs(made: DataSet, port: int, seconds: float, seed: int) -> Pairs:
    """As many pairs as CONNECTIONS clients get. Raises what one of them raised."""
    total, failed = Pairs(), []
    until = time.perf_counter() + seconds

    def work(number: int) -> None:
        try:
            client(made, port, number, until, total, seed * CONNECTIONS + number)
        except Exception as error:
            failed.append(error)

    start = time.perf_counter()
    threads = [threading.Thread(target=work, args=[n]) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    total.seconds = time.perf_counter() - start
    return total


def emptied(database: str) -> None:
    """The people of the data set, with no session of theirs but one to copy from."""
    with psycopg.connect(database, autocommit=True) as link:
        link.execute("TRUNCATE usage_ledgerentry, offload_sessions_containerrun CASCADE")
        link.execute(
            "UPDATE offload_sessions_session SET ended_at = created_at, end_reason = 'idle'"
        )
        link.execute("UPDATE usage_allowance SET reserved_compute_seconds = 0")
        link.execute("VACUUM ANALYZE")


# The transactions by hand


def columns(link: psycopg.Connection, table: str, changed: dict[str, str]) -> str:
    """`INSERT` of a copy of a row of the table, with other values in some columns."""
    rows = link.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
        " AND is_identity = 'NO' ORDER BY ordinal_position",
        [table],
    ).fetchall()
    names = [str(row[0]) for row in rows]
    values = ", ".join(changed.get(name, f'old."{name}"') for name in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table} ({quoted}) SELECT {values} FROM {table} AS old"


def script(there: World) -> str:
    """A start and a stop as one would write them: the lock, what must be read, what is written."""
    made = there.made

    def key(kind: str, name: str) -> str:
        return f"CAST('{prefix(kind)}' || lpad(to_hex({name}), 12, '0') AS uuid)"

    organization, person = key("organization", ":o"), key("person", ":p")
    of_it = f"organization_id = {organization}"
    with psycopg.connect(there.database) as link:
        entry = link.execute("SELECT id FROM orgs_auditentry LIMIT 1").fetchone()
        assert entry is not None
        session = columns(link, "offload_sessions_session", {
            "id": "gen_random_uuid()", "organization_id": organization, "person_id": person,
            "created_at": NOW, "ready_at": NOW, "ended_at": "NULL", "end_reason": "''",
            "reserved_compute_seconds": "60",
        })  # fmt: skip
        pulse = columns(link, "offload_sessions_pulse", {
            "session_id": "':s'", "organization_id": organization, "started_at": "NULL",
            "last_activity_at": "NULL", "last_call_at": "NULL",
        })  # fmt: skip
        audit = columns(link, "orgs_auditentry", {
            "id": "gen_random_uuid()", "organization_id": organization, "at": NOW,
        })  # fmt: skip
    template = key("session", "0")
    lock = (
        "SELECT pg_advisory_xact_lock(:o);\n"
        f"SELECT * FROM usage_allowance WHERE {of_it} FOR UPDATE;\n"
    )
    facts = (
        f"SELECT * FROM usage_subscription WHERE {of_it};\n"
        "SELECT * FROM offload_sessions_session AS s JOIN offload_sessions_pulse AS p"
        f" ON p.session_id = s.id WHERE s.{of_it} AND s.ended_at IS NULL;\n"
        f"SELECT * FROM usage_limitversion WHERE {of_it} AND effective_at > {NOW};\n"
        f"SELECT * FROM usage_pool WHERE {of_it};\nSELECT * FROM usage_rate WHERE {of_it};\n"
    )
    told = f"{audit} WHERE old.id = '{entry[0]}';\n"
    return (
        f"\\set p random(0, {made.sessions - 1})\n\\set o :p / {made.each}\n"
        f"BEGIN;\n{lock}{facts}"
        f"SELECT * FROM orgs_membership WHERE {of_it} AND person_id = {person};\n"
        f"SELECT * FROM orgs_license WHERE {of_it} AND person_id = {person};\n"
        f"SELECT * FROM orgs_policy WHERE {of_it};\n"
        f"UPDATE usage_allowance SET metered_until = {NOW} WHERE {of_it};\n"
        "UPDATE usage_allowance SET reserved_compute_seconds = reserved_compute_seconds + 60"
        f" WHERE {of_it};\n"
        f"{session} WHERE old.id = {template} RETURNING id AS s \\gset\n"
        f"{pulse} WHERE old.session_id = {template};\n{told}COMMIT;\n"
        f"BEGIN;\n{lock}{facts}"
        f"UPDATE usage_allowance SET metered_until = {NOW} WHERE {of_it};\n"
        f"UPDATE offload_sessions_session SET ended_at = {NOW}, end_reason = 'stopped',"
        f" stop_at = {NOW}, stop_reason = 'stopped', version = version + 1,"
        " reserved_compute_seconds = 0 WHERE id = ':s';\n"
        "UPDATE usage_allowance SET reserved_compute_seconds = reserved_compute_seconds - 60"
        f" WHERE {of_it};\n{told}COMMIT;\n"
    )


def pgbench(there: World, path: Path, seconds: float) -> float:
    """Pairs a second of the transactions by hand. A deadlock would end it with an error."""
    program = shutil.which("pgbench") or next(
        str(found) for found in Path("/usr/lib/postgresql").glob("*/bin/pgbench")
    )
    ran = subprocess.run(
        [
            program, "--no-vacuum", f"--client={CONNECTIONS}", f"--time={max(1, round(seconds))}",
            f"--file={path}", there.database,
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.search(r"tps = ([0-9.]+)", ran.stdout)
    if found is None:
        raise RuntimeError(ran.stdout + ran.stderr)
    return float(found[1])


def deadlocks(database: str) -> int:
    with psycopg.connect(database) as link:
        row = link.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def measure(there: World, seconds: float, rounds: int) -> list[tuple[str, str]]:
    emptied(there.database)
    late: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "start-and-stop.sql"
        path.write_text(script(there))
        more = {"WEB_WORKERS": "2", "API_REQUESTS_PER_MINUTE": "1000000"}
        with serving(there.values, free_port(), "/healthz", **more) as port:
            pairs(there.made, port, 2.0, 0)
            turn = iter(range(1, rounds + 1))

            def ours() -> float:
                seen = pairs(there.made, port, seconds, next(turn))
                late.append(seen.p99_ms())
                return seen.rate

            runs: list[tuple[str, Callable[[], float]]] = [
                ("pairs a second", ours),
                ("pgbench", lambda: pgbench(there, path, seconds)),
            ]
            figures = load.in_turn(runs, rounds)
    middle = {name: statistics.median(values) for name, values in figures.items()}
    rows = [(name, load.median(values)) for name, values in figures.items()]
    rows.append(("p99 of a request, ms", load.median(late)))
    rows.append(("to pgbench", f"{middle['pairs a second'] / middle['pgbench']:.3g}"))
    return [*rows, ("deadlocks", str(deadlocks(there.database)))]


def _know_the_models() -> None:
    """Only to make tokens: this process asks no database through Django."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.environment")
    django.setup()


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["P7", "P8"])
    chosen = parser.parse_args()
    _know_the_models()
    sets = {"P7": DataSet(1_000, 2_000), "P8": DataSet(1, PEOPLE)}
    for name, made in sets.items():
        if chosen.only not in (None, name):
            continue
        with world(made, f"portal_benchmark_{name.lower()}_{os.getpid()}") as there:
            rows = measure(there, chosen.seconds, chosen.rounds)
        for what, value in rows:
            print(f"{name} {what:24} {value}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
