"""The meter's tick over data set S (target P9), on PostgreSQL.

    python -m tests.benchmarks.metering_tick [--sessions 100000] [--organizations 1000] [--rounds 5]

Each tick is a minute after the one before it; everybody stays active. Beside it, in the same run
and over the same rows: one statement written by hand that adds the minute to each session's entry
and moves the watermarks, asking nothing. Every second minute is its. Prints the median seconds of
each with their spread, their ratio, and how many organizations the fast path took.
"""

import argparse
import os
import statistics
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from tests.benchmarks.data import DataSet
from tests.benchmarks.stack import world

MINUTE = timedelta(minutes=1)
BY_HAND = """
WITH used AS (
    SELECT s.organization_id, s.id AS session_id, s.person_id, s.engine_size,
        extract(epoch FROM least(%(until)s,
            p.last_activity_at + s.idle_timeout_seconds * interval '1 second')
            - a.metered_until)::bigint AS seconds, s.multiplier
    FROM offload_sessions_session s
    JOIN offload_sessions_pulse p ON p.session_id = s.id
    JOIN usage_allowance a ON a.organization_id = s.organization_id
    WHERE s.ended_at IS NULL
),
written AS (
    INSERT INTO usage_ledgerentry AS e (organization_id, hour, id, session_id, person_id, source,
        engine_size, period_start, seconds, lump_seconds, compute_seconds, rate_microusd,
        cost_microusd, reason)
    SELECT organization_id, date_trunc('hour', %(since)s, 'UTC'), gen_random_uuid(), session_id,
        person_id, 'committed', engine_size, %(since)s, seconds, 0, seconds * multiplier, 0, 0, ''
    FROM used
    ON CONFLICT (organization_id, hour, session_id, source) WHERE corrects IS NULL
    DO UPDATE SET seconds = e.seconds + excluded.seconds,
        compute_seconds = e.compute_seconds + excluded.compute_seconds
)
UPDATE usage_allowance SET metered_until = %(until)s
"""


def by_hand(until: datetime) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_HAND, {"until": until, "since": until - MINUTE})


def tick(until: datetime) -> int:
    """The portal's; give how many organizations the fast path took."""
    from sessions.services.far import meter_far
    from usage.models import Allowance

    return len(meter_far(due=dict(Allowance.objects.values_list("pk", "metered_until")), at=until))


def whole(until: datetime) -> int:
    """With everything that the scheduler's task does each minute, warnings too."""
    from sessions import services

    return services.sweep(at=until).metered


def timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def measure(made: DataSet, rounds: int) -> None:
    """In turn, each a minute on from the one before, whoever that was."""
    from usage.models import Allowance

    ways: dict[str, Callable[[datetime], object]] = {
        "by hand": by_hand,
        "fast path": tick,
        "whole sweep": whole,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    until = Allowance.objects.latest("metered_until").metered_until
    for _round in range(rounds):
        for name, act in ways.items():
            until += MINUTE
            seconds[name].append(timed(partial(act, until)))
            late = Allowance.objects.filter(pk__in=_keys(made), metered_until__lt=until).count()
            if late:
                raise SystemExit(f"{late} organizations were left behind by {name}: void.")
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        spread = f"{min(values):.2f} to {max(values):.2f}"
        ratio = middle[name] / middle["by hand"]
        print(f"{name:12} {middle[name]:.2f} s ({spread}), ratio {ratio:.2f}", flush=True)  # noqa: T201


def _keys(made: DataSet) -> list[uuid.UUID]:
    return [made.identifier("organization", number) for number in range(made.organizations)]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--organizations", type=int, default=1_000)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    made = DataSet(chosen.organizations, chosen.sessions, tokens=0)
    with world(made, f"portal_benchmark_tick_{os.getpid()}") as there:
        import django

        os.environ.update({**there.values, "DJANGO_SETTINGS_MODULE": "offload_portal.settings"})
        django.setup()
        measure(made, chosen.rounds)


if __name__ == "__main__":
    main()
