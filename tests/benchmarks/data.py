"""Data set S of the targets: running sessions in organizations, made by set-based inserts.

    python -m tests.benchmarks.data [--organizations 1000] [--sessions 100000] [--seed 1]

One world is made through the services; its rows are copied in sets, with other keys and times, into
the database that DATABASE_URL names (migrated before). So a column that is new has what the
services write, and what stands in the rows can happen. The same arguments give the same rows.

Each session is a member's of its own, active, metered until now, and stays alive for an hour: its
idle timeout is the longest. Person n has session n and, where n < `tokens`, token n.
"""

import argparse
import hashlib
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

AGE_SECONDS = 7_200  # the oldest session's
HOURS = AGE_SECONDS // 3_600 + 1  # that such a session touches at most
RUNS_EACH = 2
IDLE_TIMEOUT_SECONDS = 3_600
# Three digits of hexadecimal that tell whose identifier it is.
KINDS = (
    "organization", "person", "membership", "license", "session", "token", "ledger", "run",
    "subscription", "pool", "rate", "policy", "grant", "limit",
)  # fmt: skip
NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < %s)"


@dataclass(frozen=True, slots=True)
class DataSet:
    """Names what stands in the database, so that a load generator need not ask it."""

    organizations: int = 1_000
    sessions: int = 100_000
    seed: int = 1
    tokens: int | None = None

    @property
    def each(self) -> int:
        """Sessions of an organization; the last one may have fewer."""
        return -(-self.sessions // self.organizations)

    def identifier(self, kind: str, number: int) -> uuid.UUID:
        return uuid.UUID(prefix(kind) + f"{number:012x}")

    def slug(self, organization: int) -> str:
        return f"bench-{organization}"

    def token(self, number: int) -> str:
        """The value of person `number`'s token, of all scopes."""
        from orgs.services.tokens import ALPHABET, checksum

        digest = hashlib.sha256(f"{self.seed}.{number}".encode()).digest()
        text = "opat_" + "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest)
        return text + checksum(text)


def prefix(kind: str) -> str:
    """The first twenty digits of an identifier; those of a kind follow each other."""
    return f"01900000000070{KINDS.index(kind):02x}8000"


def key(kind: str, number: str) -> str:
    """SQL of the identifier with this number."""
    from django.db import connection

    if connection.vendor == "postgresql":
        return f"CAST('{prefix(kind)}' || lpad(to_hex({number}), 12, '0') AS uuid)"
    return f"'{prefix(kind)}' || printf('%%012x', {number})"


def instant(seconds: str) -> str:
    """SQL of an instant from POSIX seconds."""
    from django.db import connection

    if connection.vendor == "postgresql":
        return f"to_timestamp({seconds})"
    return f"datetime({seconds}, 'unixepoch')"


def scattered(number: str, below: int, seed: int) -> str:
    """SQL of a whole number from 0 to `below` (at most 65,536) that looks like chance."""
    mixed = f"(CAST({number} AS bigint) * 2654435761 + {seed * 40503})"
    return f"({mixed} %% 4294967296 / 65536 %% {below})"


def smaller(one: str, other: str) -> str:
    return f"CASE WHEN {one} < {other} THEN {one} ELSE {other} END"


def copies(row: Any, count: int, *, where: str = "", **changed: str) -> None:
    """Copy the row `count` times; `changed` maps columns to SQL in which `n` is the number."""
    from django.db import connection

    meta = type(row)._meta
    names = [field.column for field in meta.local_concrete_fields]
    keys = [field.column for field in meta.pk_fields]
    if not set(keys) <= set(changed):
        names = [name for name in names if name not in keys]  # the database numbers them
    quoted = connection.ops.quote_name
    table = quoted(meta.db_table)
    columns = ", ".join(quoted(name) for name in names)
    values = ", ".join(changed.get(name, f"old.{quoted(name)}") for name in names)
    is_it = " AND ".join(f"old.{quoted(name)} = %s" for name in keys)
    given = [
        field.get_db_prep_value(getattr(row, field.attname), connection) for field in meta.pk_fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({columns}) {NUMBERS} SELECT {values} "  # noqa: S608 - our own text
            f"FROM numbers, {table} AS old WHERE {is_it}{f' AND {where}' if where else ''}",
            [count - 1, *given],
        )


def make(made: DataSet, at: datetime) -> None:
    """All of it, in one transaction."""
    from django.db import connection, transaction

    from tests.sessions import worlds

    with transaction.atomic():
        world = one_world(at)
        make_organizations(made, world, at)
        make_people(made, world)
        _sessions(made, world, at)
        _tokens(made, at)
        worlds.stop(world["session"], world["began"] + timedelta(seconds=60))
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def one_world(at: datetime) -> Mapping[str, Any]:
    """One of each row, as the services write it; `began` is the instant of its making."""
    from allauth.account.models import EmailAddress

    from orgs.models import Address, License, LicenseGrant, Membership, Policy
    from sessions import services
    from sessions.models import ContainerRun, Pulse, Stretch
    from tests import factories
    from tests.sessions import worlds
    from usage.models import Allowance, LedgerEntry, LimitVersion, Pool, Rate, Subscription

    began = at - timedelta(seconds=2 * AGE_SECONDS)
    owner = factories.person("Olga Template", "template-owner@example.com")
    acme = factories.subscribed_organization(owner, at=began, plan="business")
    worlds.without_limit(acme, owner, began)
    member = factories.licensed_member(acme, "Max Template", at=began)
    session = worlds.start(acme, member, began)
    worlds.report(session, began, 1, containers=[worlds.container("acme/app:1", began, None)])
    services.meter_organization(organization_id=acme.pk, at=began + timedelta(seconds=60))
    of_acme = {"organization_id": acme.pk}
    world = {
        "began": began,
        "organization": acme,
        "slug": Address.objects.get(**of_acme),
        "person": member,
        "address": EmailAddress.objects.get(user=member),
        "membership": Membership.objects.get(person=member),
        "license": License.objects.get(person=member),
        "session": session,
        "pulse": Pulse.objects.get(session=session),
        "ledger": LedgerEntry.objects.get(session_id=session.pk),
        "run": ContainerRun.objects.get(session=session),
        "allowance": Allowance.objects.get(pk=acme.pk),
        "subscription": Subscription.objects.get(**of_acme),
        "pool": Pool.objects.get(**of_acme),
        "rate": Rate.objects.get(**of_acme),
        "policy": Policy.objects.get(**of_acme),
        "grant": LicenseGrant.objects.filter(**of_acme, person=member).get(),
        "limit": LimitVersion.objects.filter(**of_acme).latest("recorded_at"),
    }
    if Stretch.objects.exists():
        raise RuntimeError("The template session was resumed; its copies would not be.")
    return world


def make_organizations(made: DataSet, world: Mapping[str, Any], at: datetime) -> None:
    """With subscription, allowance, rate and policy each; on-demand usage is unlimited."""
    count, each = made.organizations, str(made.each)
    own = {"organization_id": key("organization", "n")}
    copies(
        world["organization"], count, id=key("organization", "n"),
        slug="'bench-' || CAST(n AS text)", name="'Benchmark ' || CAST(n AS text)",
        licenses=each, licenses_held=each,
    )  # fmt: skip
    copies(world["slug"], count, slug="'bench-' || CAST(n AS text)", **own)
    copies(world["subscription"], count, id=key("subscription", "n"), licenses=each, **own)
    until = instant(str(int(at.timestamp())))
    copies(world["allowance"], count, metered_until=until, reserved_compute_seconds="0", **own)
    used = f"{made.each} * 2 * {AGE_SECONDS}"
    copies(
        world["pool"], count, id=key("pool", "n"), compute_seconds="1000000000",
        used_compute_seconds=used, **own,
    )  # fmt: skip
    for name in ("rate", "policy", "limit"):
        copies(world[name], count, id=key(name, "n"), **own)
    everybody = {"kind": "'all'", "person_id": "NULL"}
    copies(world["grant"], count, id=key("grant", "n"), **own, **everybody)


def make_people(made: DataSet, world: Mapping[str, Any]) -> None:
    """Everybody holds a license; the first of each organization owns it."""
    count = made.sessions
    address = "'person-' || CAST(n AS text) || '@example.com'"
    copies(
        world["person"], count, id=key("person", "n"), email=address,
        name="'Person ' || CAST(n AS text)",
    )  # fmt: skip
    copies(world["address"], count, user_id=key("person", "n"), email=address)
    belongs = {
        "organization_id": key("organization", f"n / {made.each}"),
        "person_id": key("person", "n"),
    }
    role = f"CASE WHEN n %% {made.each} = 0 THEN 'owner' ELSE 'member' END"
    copies(world["membership"], count, id=key("membership", "n"), role=role, **belongs)
    copies(world["license"], count, id=key("license", "n"), **belongs)


def _sessions(made: DataSet, world: Mapping[str, Any], at: datetime) -> None:
    """Active since their start, up to two hours ago, with what the ledger has of them."""
    count, now = made.sessions, int(at.timestamp())

    def began(number: str) -> str:
        return f"({now - 60} - {scattered(number, AGE_SECONDS - 60, made.seed)})"

    large = f"{scattered('n', 10, made.seed + 1)} = 0"
    belongs = {"organization_id": key("organization", f"n / {made.each}")}
    copies(
        world["session"], count, id=key("session", "n"), person_id=key("person", "n"),
        created_at=instant(began("n")), ready_at=instant(began("n")),
        engine_size=f"CASE WHEN {large} THEN 'large' ELSE 'standard' END",
        multiplier=f"CASE WHEN {large} THEN 2 ELSE 1 END",
        idle_timeout_seconds=str(IDLE_TIMEOUT_SECONDS), reserved_compute_seconds="0", **belongs,
    )  # fmt: skip
    last = instant(f"{now} - {scattered('n', 45, made.seed + 2)}")
    copies(
        world["pulse"], count, session_id=key("session", "n"),
        started_at=instant(began("n")), last_activity_at=last, last_call_at=last, **belongs,
    )  # fmt: skip
    _ledger(made, world["ledger"], now, began)
    run, of = RUNS_EACH * count, f"n / {RUNS_EACH}"
    copies(
        world["run"], run, id=key("run", "n"), session_id=key("session", of),
        organization_id=key("organization", f"n / {RUNS_EACH * made.each}"),
        container_id="'container-' || CAST(n AS text)", started_at=instant(began(of)),
        image=f"'acme/app-' || CAST({scattered('n', 40, made.seed + 3)} AS text) || ':1'",
    )  # fmt: skip


def _ledger(made: DataSet, entry: Any, now: int, began: Any) -> None:
    """An entry for each hour that a session touched; together they are its billed time."""
    of = f"n / {HOURS}"
    start = began(of)
    hour = f"({start} / 3600 + n %% {HOURS}) * 3600"
    upto = smaller(f"{hour} + 3600", str(now))
    since = f"CASE WHEN {hour} < {start} THEN {start} ELSE {hour} END"
    seconds = f"(({upto}) - ({since}))"
    large = f"{scattered(of, 10, made.seed + 1)} = 0"
    copies(
        entry, HOURS * made.sessions, where=f"{hour} < {now}",
        organization_id=key("organization", f"n / {HOURS * made.each}"), hour=instant(hour),
        id=key("ledger", "n"), session_id=key("session", of), person_id=key("person", of),
        engine_size=f"CASE WHEN {large} THEN 'large' ELSE 'standard' END",
        seconds=seconds, lump_seconds="0", cost_microusd="0",
        compute_seconds=f"{seconds} * CASE WHEN {large} THEN 2 ELSE 1 END",
    )  # fmt: skip


def _tokens(made: DataSet, at: datetime) -> None:
    from orgs.enums import Scope, TokenKind
    from orgs.models import Token
    from orgs.services import tokens

    count = made.sessions if made.tokens is None else made.tokens
    scopes = sorted(str(scope) for scope in Scope)
    rows = (
        Token(
            id=made.identifier("token", number),
            kind=TokenKind.PERSONAL,
            digest=tokens.digest(made.token(number)),
            hint=made.token(number)[: tokens.HINT_LENGTH],
            name="benchmark",
            person_id=made.identifier("person", number),
            scopes=scopes,
            created_at=at,
            # Some are due to be noted again, as many as in a minute of everybody's reports.
            last_used_at=at - timedelta(seconds=number * 7 % 900),
        )
        for number in range(count)
    )
    Token.objects.bulk_create(rows, batch_size=2_000)


def arguments() -> DataSet:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--organizations", type=int, default=1_000)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=None, help="all people have one by default")
    chosen = parser.parse_args()
    return DataSet(chosen.organizations, chosen.sessions, chosen.seed, chosen.tokens)


def main(made: DataSet) -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "offload_portal.settings")
    django.setup()
    from django.conf import settings
    from django.utils import timezone

    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

    start = time.monotonic()
    make(made, timezone.now().replace(microsecond=0))
    print(  # noqa: T201
        f"{made.sessions} sessions in {made.organizations} organizations, "
        f"{time.monotonic() - start:.0f} s"
    )


if __name__ == "__main__":
    main(arguments())
