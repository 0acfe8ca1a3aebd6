"""A year of ended sessions (data set L of the targets), made by copying sessions that were lived.

    python -m tests.benchmarks.year_data [--organizations 10] [--people 50000] [--sessions 2000000]

A few dozen sessions live through the services, with containers that exit and fail, labels, stops
and idle ends. Each is copied, moved by whole hours over the year, to somebody of an organization:
every other copy to the first one, so that it is by far the largest. What stands in the ledger is
what the meter wrote, so it explains each copy; on every third day on-demand usage paid for it.
Rollups are made from the ledger. Samples are left out: no chart of a period reads them.

PostgreSQL only, in the database that DATABASE_URL names (migrated before).
"""

import argparse
import os
import time
from datetime import datetime, timedelta
from typing import Any

from tests.benchmarks.data import (
    DataSet,
    copies,
    key,
    make_organizations,
    make_people,
    one_world,
    scattered,
)

LIVED = 48
DAYS = 365
IMAGES = 400
DAY_BEGINS_HOUR = 7  # UTC; the last of twelve hours in which sessions start begins eleven later
MICROUSD = 3  # a compute-second, on demand
WRITTEN_AT = {
    "offload_sessions_session": "created_at",
    "offload_sessions_pulse": "last_call_at",
    "offload_sessions_containerrun": "started_at",
    "usage_ledgerentry": "hour",
}


def fill(people: DataSet, sessions: int, at: datetime) -> None:
    """Organizations with their people, then the year of sessions up to yesterday."""
    from django.db import connection, transaction

    from tests.sessions import worlds
    from usage.services import rollups

    base = (at - timedelta(days=DAYS + 1)).replace(hour=DAY_BEGINS_HOUR, minute=0, second=0)
    with transaction.atomic():
        began = (base - timedelta(days=LIVED + 1)).replace(day=1)
        world = one_world(began)
        worlds.stop(world["session"], world["began"] + timedelta(seconds=60))
        lived = _lived(world["organization"], world["person"], base)
        make_organizations(people, world, at)
        make_people(people, world)
        each = sessions // LIVED
        for number, session in enumerate(lived):
            _copied(session, number * each, each, LIVED - number, people)
    rollups.rebuild_everywhere()
    with connection.cursor() as cursor:
        for table, column in WRITTEN_AT.items():
            # Rows lie in the order in which they would have been written, not as they were copied.
            cursor.execute(f"CREATE INDEX written_at ON {table} ({column})")
            cursor.execute(f"CLUSTER {table} USING written_at")
            cursor.execute("DROP INDEX written_at")
        cursor.execute("VACUUM ANALYZE")


def _lived(organization: Any, member: Any, base: datetime) -> list[Any]:
    """Sessions of 20 seconds to two hours, begun within an hour on a day each."""
    from sessions import services
    from tests.sessions import worlds

    found = []
    for number in range(LIVED):
        at = base - timedelta(days=LIVED - number) + timedelta(seconds=number * 73)
        seconds = int(20 * 1.14**number)
        session = worlds.start(
            organization, member, at, size="large" if number % 10 == 3 else "standard",
            labels={"project": f"project-{number % 20}"},
        )  # fmt: skip
        runs = [
            worlds.container("acme/app:1", at, min(30, seconds)),
            worlds.container("acme/job:1", at, min(20, seconds), code=int(number % 5 == 4)),
        ]
        for sequence, second in enumerate(range(0, seconds, 240), 1):
            worlds.report(session, at + timedelta(seconds=second), sequence, containers=runs)
            runs = []
        if number % 3:
            worlds.stop(session, at + timedelta(seconds=seconds))
        else:
            services.meter_organization(
                organization_id=organization.pk, at=at + timedelta(seconds=seconds + 3_600)
            )
        session.refresh_from_db()
        found.append(session)
    return found


def _copied(session: Any, first: int, count: int, days_early: int, people: DataSet) -> None:
    """Copies with the numbers from `first` on, with everything that was recorded of the session."""
    from sessions.models import ContainerRun, Pulse, Stretch
    from usage.models import LedgerEntry

    number = f"({first} + n)"
    other = f"1 + {scattered(number, people.organizations - 1, 5)}"
    organization = f"(CASE WHEN n %% 2 = 0 THEN 0 ELSE {other} END)"
    # The lesser of two, so that some use far more than others.
    one, two = scattered(number, people.each, 6), scattered(number, people.each, 7)
    person = f"({organization} * {people.each} + LEAST({one}, {two}))"
    day = scattered(number, DAYS, 8)
    moved = f"interval '1 hour' * (({day} + {days_early}) * 24 + {scattered(number, 12, 9)})"
    belongs = {"organization_id": key("organization", organization)}
    of_session = {**belongs, "session_id": key("session", number)}

    def later(*columns: str) -> dict[str, str]:
        return {column: f"old.{column} + {moved}" for column in columns}

    image = f"'acme/app-' || {scattered(number, IMAGES, 10)} || ':1'"
    copies(
        session, count, id=key("session", number), person_id=key("person", person), **belongs,
        main_image=image, **later("created_at", "ready_at", "stop_at", "ended_at"),
    )  # fmt: skip
    pulse = Pulse.objects.get(session=session)
    times = later("started_at", "last_activity_at", "last_call_at", "idled_at")
    copies(pulse, count, **of_session, **times)
    anew = {"id": "gen_random_uuid()"}
    for stretch in Stretch.objects.filter(session=session):
        copies(stretch, count, **anew, **of_session, **later("started_at", "idle_at"))
    for run in ContainerRun.objects.filter(session=session):
        copies(run, count, **anew, **of_session, image=image, **later("started_at", "exited_at"))
    on_demand = f"{day} %% 3 = 0"
    for entry in LedgerEntry.objects.filter(session_id=session.pk):
        hour = f"(old.hour + {moved})"
        rate = f"(CASE WHEN {on_demand} THEN {MICROUSD} ELSE 0 END)"
        copies(
            entry, count, **anew, **of_session, person_id=key("person", person), hour=hour,
            source=f"CASE WHEN {on_demand} THEN 'on_demand' ELSE 'committed' END",
            period_start=f"date_trunc('month', {hour} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'",
            rate_microusd=rate, cost_microusd=f"old.compute_seconds * {rate}",
        )  # fmt: skip


def arguments() -> tuple[DataSet, int]:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--organizations", type=int, default=10)
    parser.add_argument("--people", type=int, default=50_000)
    parser.add_argument("--sessions", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    return DataSet(chosen.organizations, chosen.people, chosen.seed, 0), chosen.sessions


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "offload_portal.settings")
    django.setup()
    from django.conf import settings
    from django.utils import timezone

    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    people, sessions = arguments()
    start = time.monotonic()
    fill(people, sessions, timezone.now().replace(microsecond=0))
    print(f"{sessions} sessions of a year, {time.monotonic() - start:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
