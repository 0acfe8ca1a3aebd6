"""Ending sessions that have been idle for too long (target P10), on PostgreSQL.

    python -m tests.benchmarks.ending_idle [--sessions 100000] [--organizations 1000] [--rounds 3]

Each round makes data set S anew and lets everybody go quiet. Beside the portal's sweep, over the
other half of the organizations: a raw loop that takes a thousand of the sessions at a time with
SKIP LOCKED and writes their ends, without a bill, an audit entry or anything else. Prints the
median seconds for as many sessions as were asked for, with their spread, and the ratio.
"""

import argparse
import os
import statistics
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from tests.benchmarks.data import AGE_SECONDS, IDLE_TIMEOUT_SECONDS, DataSet
from tests.benchmarks.metering_tick import timed
from tests.benchmarks.stack import world

AT_ONCE = 1_000
RAW = """
UPDATE offload_sessions_session SET ended_at = %(at)s, end_reason = 'idle', version = version + 1
WHERE id IN (
    SELECT s.id FROM offload_sessions_session s
    JOIN offload_sessions_pulse p ON p.session_id = s.id
    WHERE s.ended_at IS NULL AND s.organization_id < %(half)s
        AND p.last_activity_at + (s.idle_timeout_seconds + s.idle_end_seconds)
            * interval '1 second' <= %(at)s
    LIMIT %(at_once)s FOR UPDATE OF s SKIP LOCKED)
"""


def raw_loop(at: datetime, half: uuid.UUID) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        while True:
            cursor.execute(RAW, {"at": at, "half": half, "at_once": AT_ONCE})
            if not cursor.rowcount:
                return


def one_round(made: DataSet) -> Mapping[str, float]:
    from sessions import services
    from sessions.models import Session
    from usage.models import Allowance

    began = Allowance.objects.latest("metered_until").metered_until
    at = began + timedelta(seconds=IDLE_TIMEOUT_SECONDS + AGE_SECONDS)
    half = made.identifier("organization", made.organizations // 2)
    running = Session.objects.running()
    seconds = {"raw loop": timed(lambda: raw_loop(at, half))}
    rest = running.count()
    seconds["sweep"] = timed(lambda: services.sweep(at=at))
    if abs(rest - made.sessions // 2) > made.each or running.exists():
        raise SystemExit(f"{running.count()} of {rest} sessions were not ended: void.")
    return seconds


def measure(made: DataSet, rounds: int) -> None:
    taken: dict[str, list[float]] = {}
    for number in range(rounds):
        for name, seconds in _in_a_world(made, number).items():
            taken.setdefault(name, []).append(2 * seconds)
    middle = {name: statistics.median(values) for name, values in taken.items()}
    for name, values in taken.items():
        spread = f"{min(values):.1f} to {max(values):.1f}"
        ratio = middle[name] / middle["raw loop"]
        print(f"{name:9} {middle[name]:.1f} s ({spread}), ratio {ratio:.2f}", flush=True)  # noqa: T201


def _in_a_world(made: DataSet, number: int) -> Mapping[str, float]:
    import django
    from django.conf import settings
    from django.db import connection

    with world(made, f"portal_benchmark_ending_{os.getpid()}") as there:
        if not number:
            os.environ.update({**there.values, "DJANGO_SETTINGS_MODULE": "offload_portal.settings"})
            django.setup()
            settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
        try:
            return one_round(made)
        finally:
            connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--organizations", type=int, default=1_000)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    measure(DataSet(chosen.organizations, chosen.sessions, tokens=0), chosen.rounds)


if __name__ == "__main__":
    main()
