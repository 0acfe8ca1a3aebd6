"""Activity reports (targets P1, P2, P3), on data set S with PostgreSQL and Redis.

    python -m tests.benchmarks.reports [--sessions 100000] [--organizations 1000] [--seconds 6]

16 connections report for sessions by chance, each report with its own session's token. Beside it in
the same run: pgbench with the same statements, and a server with a view that does `SELECT 1`. Any
answer outside 2xx makes the run void. Prints medians with their spread.
"""

import argparse
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.benchmarks import load
from tests.benchmarks.data import DataSet, prefix
from tests.benchmarks.stack import World, serving, world
from tests.runtime.processes import free_port

CONNECTIONS, ROUNDS, WARM_SECONDS = 16, 5, 3.0
# Healthchecks' ping on the machine of the targets.
PEER_A_SECOND = 591
PLACES = ("/usr/lib/postgresql",)


def reports(made: DataSet, seed: int) -> Iterator[bytes]:
    """One connection's requests. Sequences rise as the clock does."""
    chance = random.Random(seed)
    while True:
        number = chance.randrange(made.sessions)
        body = b'{"sequence": %d, "running_containers": 1, "api_calls": 1}' % time.time_ns()
        path = f"/api/v1/sessions/{made.identifier('session', number)}/activity"
        yield (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {made.token(number)}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


def ones() -> Iterator[bytes]:
    while True:
        yield b"GET /one HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Measuring:
    """The two servers and pgbench, each asked for one figure at a time."""

    def __init__(self, there: World, portal: int, bare: int, script: Path, seconds: float) -> None:
        self.there, self.portal, self.bare = there, portal, bare
        self.script, self.seconds = script, seconds
        self.seed = 0

    def _requests(self) -> list[Iterator[bytes]]:
        self.seed += CONNECTIONS
        return [reports(self.there.made, self.seed + n) for n in range(CONNECTIONS)]

    def reports(self, rate: float | None = None) -> load.Run:
        return load.run(self.portal, self._requests(), self.seconds, rate)

    def ones(self, rate: float | None = None) -> load.Run:
        return load.run(self.bare, [ones() for _ in range(CONNECTIONS)], self.seconds, rate)

    def pgbench(self) -> float:
        """Transactions a second of the same statements, prepared."""
        ran = subprocess.run(
            [
                _pgbench(), "--no-vacuum", "--protocol=prepared", f"--client={CONNECTIONS}",
                f"--time={max(1, round(self.seconds))}", f"--file={self.script}",
                f"--define=sessions={self.there.made.sessions - 1}", self.there.database,
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        found = re.search(r"tps = ([0-9.]+)", ran.stdout)
        if found is None or ran.returncode:
            raise RuntimeError(ran.stdout + ran.stderr)
        return float(found[1])


def _pgbench() -> str:
    found = shutil.which("pgbench")
    for place in PLACES:
        found = found or next((str(path) for path in Path(place).glob("*/bin/pgbench")), None)
    if found is None:
        raise RuntimeError("pgbench is missing: apt-get install postgresql-contrib")
    return found


def script(there: World) -> str:
    """A report's statements as the portal sends them, for a session by chance.

    The token is found by its identifier, since pgbench makes no digests: an index of one row, too.
    """
    from django.db import connection

    from orgs.selectors import tokens
    from sessions.selectors import reading
    from sessions.services import reporting

    def key(kind: str) -> str:
        return f"CAST('{prefix(kind)}' || lpad(to_hex(CAST(:n AS integer)), 12, '0') AS uuid)"

    by_token = tokens._OF_PERSON.replace("token.digest = %s", f"token.id = {key('token')}")
    read = reading._statement(connection.vendor) % (key("person"), key("session"))
    # What the guard compares with comes out of the same statement.
    seen = (
        "session.version AS version, session.organization_id AS organization, "
        "allowance.metered_until AS mark, pulse.sequence AS sequence, "
        "pulse.last_activity_at AS activity, pulse.last_call_at AS call, "
        "('x' || right(replace(CAST(session.organization_id AS text), '-', ''), 16))::bit(64)"
        "::bigint AS lock"
    )
    whence = ' FROM "offload_sessions_session" AS session'
    read = read.replace(whence, f", {seen}{whence}", 1)
    texts = iter(
        [
            *("CAST(:sequence AS bigint) + 1", "now()", "now()", "1", "0"),
            *(key("session"), ":sequence", ":activity", ":call"),
            *(key("session"), ":version", ":organization", ":mark", ":lock"),
        ]
    )
    write = re.sub("%s", lambda _found: next(texts), reporting.statement("postgresql"))
    return f"\\set n random(0, :sessions)\n{by_token};\n{read} \\gset\n{write};\n"


def measure(there: World, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.sql"
        path.write_text(script(there))
        workers = {"WEB_WORKERS": "2"}
        bare = {**workers, "DJANGO_SETTINGS_MODULE": "tests.benchmarks.bare"}
        with (
            serving(there.values, free_port(), "/healthz", **workers) as portal,
            serving(there.values, free_port(), "/one", **bare) as one,
        ):
            measuring = Measuring(there, portal, one, path, seconds)
            for warm in (measuring.reports, measuring.ones):
                warm()
            tell(measuring)


def tell(measuring: Measuring) -> None:
    """The table: most a second, then latencies at half of that."""
    most = load.in_turn(
        [("reports a second", lambda: measuring.reports().rate), ("pgbench", measuring.pgbench)],
        ROUNDS,
    )
    middle = {name: statistics.median(values) for name, values in most.items()}
    half = middle["reports a second"] / 2

    def p99(run: load.Run) -> float:
        return 1_000 * run.percentile(0.99)

    late = load.in_turn(
        [
            ("report p99 ms", lambda: p99(measuring.reports(half))),
            ("SELECT 1 p99 ms", lambda: p99(measuring.ones(half))),
        ],
        ROUNDS,
    )
    for name, values in {**most, **late}.items():
        print(f"{name:24} {load.median(values)}")  # noqa: T201
    ratio = partial("{:24} {:.3g}".format)
    print(ratio("P1 to Healthchecks", middle["reports a second"] / PEER_A_SECOND))  # noqa: T201
    print(ratio("P2 to pgbench", middle["reports a second"] / middle["pgbench"]))  # noqa: T201
    medians = [statistics.median(values) for values in late.values()]
    print(ratio("P3 to SELECT 1", medians[0] / medians[1]))  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--organizations", type=int, default=1_000)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=6.0)
    chosen = parser.parse_args()
    made = DataSet(chosen.organizations, chosen.sessions)
    with world(made, "portal_benchmark_reports") as there:
        import os

        import django

        # Only to know the statements; this process reads nothing.
        os.environ.update({**there.values, "DJANGO_SETTINGS_MODULE": "offload_portal.settings"})
        django.setup()
        measure(there, chosen.seconds)


if __name__ == "__main__":
    main()
