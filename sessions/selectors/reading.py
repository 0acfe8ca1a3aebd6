"""A session whole, in one statement: itself, what the clock reads, and what stands beside it.

For the routes of one session, which are asked all the time (targets P1 and P5). Lists read the same
rows set by set (`selectors.views`); both give the same view.
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection

from offload_portal.common.periods import from_seconds, to_seconds
from offload_portal.common.rows import Columns, key_value, one_row
from offload_portal.common.rows import vendor as database
from orgs.enums import LicenseState
from orgs.models import AccessLoss, License, Membership, Organization, Person, Policy, PolicyMark
from sessions import clock
from sessions.models import ContainerRun, Pulse, Session, Stretch
from sessions.selectors.caps import CapAhead
from sessions.selectors.facts import earliest_end, facts_from
from sessions.selectors.notices import Around
from sessions.selectors.views import SessionView, described
from usage.models import Allowance, LedgerEntry, Subscription
from usage.selectors import SourceUse

_SESSION = Columns(Session, "session")
_PULSE = Columns(Pulse, "pulse")
_ORGANIZATION = Columns(Organization, "organization")
_PERSON = Columns(Person, "person")
_POLICY = Columns(Policy, "policy")
AHEAD = ("spent_at", "sessions_end_at", "on_demand_since")


@dataclass(frozen=True, slots=True)
class ImageSeen:
    """An image's first run, by start (POSIX seconds) and identifier, and how many it had."""

    image: str
    first: tuple[int, uuid.UUID]
    runs: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A session as one statement saw it.

    `role` is what the asker is in its organization, None for a stranger; `metered_until` is the
    watermark. Pulse, organization and person are joined to `session`.
    """

    session: Session
    role: str | None
    metered_until: datetime | None
    facts: clock.Facts
    uses: Mapping[str, SourceUse]
    images: tuple[ImageSeen, ...]
    around: Around

    def view(self, at: datetime) -> SessionView:
        return described(
            self.session,
            self.facts,
            at,
            around=self.around,
            uses=self.uses,
            images=tuple(seen.image for seen in self.images),
            runs=sum(seen.runs for seen in self.images),
        )


def read_session(session_id: uuid.UUID, person_id: uuid.UUID) -> Reading | None:
    """The session and what the person is in its organization; None where there is none."""
    row = one_row(_statement(database()), [key_value(person_id), key_value(session_id)])
    if row is None:
        return None
    parts = iter(row)
    session = _take(_SESSION, parts)
    _join(session, "pulse", _take(_PULSE, parts))
    _join(session, "organization", _take(_ORGANIZATION, parts))
    _join(session, "person", _take(_PERSON, parts))
    policy, mark = _take(_POLICY, parts), next(parts)
    ahead = [next(parts) for _column in range(1 + len(AHEAD))]
    role, metered, stretches, loss, license_end, ends, uses, images = parts
    watermark = 0 if metered is None else int(metered)
    closed = tuple(clock.Stretch(start, idle) for start, idle in _list(stretches))
    below: tuple[clock.EndFact, ...] = ()
    if session.ended_at is None:
        below = _ends(session, watermark, (loss, license_end), _list(ends))
    return Reading(
        session=session,
        role=role,
        metered_until=None if metered is None else from_seconds(watermark),
        facts=facts_from(session, closed, below),
        uses={source: SourceUse(*sums) for source, *sums in _list(uses)},
        images=tuple(
            ImageSeen(image, (started, uuid.UUID(run)), count)
            for image, started, run, count in _list(images)
        ),
        around=_around(session, policy, mark, ahead),
    )


def _around(
    session: Session, policy: Policy | None, mark: int | None, ahead: Sequence[Any]
) -> Around:
    by_limit, *instants = ahead
    spent, end, since = (None if at is None else from_seconds(int(at)) for at in instants)
    cap = CapAhead.read(session.cap_ahead)
    return Around(spent, end, bool(by_limit), since, policy, mark, cap)


def _take(columns: Columns[Any], parts: Iterator[Any]) -> Any:
    return columns.made([next(parts) for _field in columns.fields])


def _join(session: Session, name: str, joined: Any) -> None:
    session._state.fields_cache[name] = joined


def _list(found: Any) -> list[Any]:
    """An aggregate as JSON: PostgreSQL's driver has read it already; none is an empty one."""
    if isinstance(found, str):
        found = json.loads(found)
    return found or []


def _ends(
    session: Session,
    mark: int,
    losses: tuple[int | None, ...],
    subscriptions: list[list[Any]],
) -> tuple[clock.EndFact, ...]:
    """What lower floors decided, counted from the watermark on where it is later (rule 18)."""
    ends = []
    created = to_seconds(session.created_at)
    known = [at for at in losses if at is not None]
    if known:
        at = max(min(known), created, mark)
        ends.append(clock.EndFact(at, clock.EndReason.ACCESS_REVOKED))
    ended = earliest_end((_subscription(*row) for row in subscriptions), session.created_at)
    if ended is not None:
        at = max(to_seconds(ended), mark)
        ends.append(clock.EndFact(at, clock.EndReason.SUBSCRIPTION_ENDED))
    return tuple(ends)


def _subscription(state: str, *instants: int | None) -> Subscription:
    suspended, ended, trial, cancel = (
        None if seconds is None else from_seconds(seconds) for seconds in instants
    )
    return Subscription(
        state=state,
        suspended_at=suspended,
        ended_at=ended,
        trial_ends_at=trial,
        cancel_at=cancel,
    )


# The statement


@dataclass(frozen=True, slots=True)
class _Dialect:
    seconds: str
    collect: str
    array: str
    text: str


_DIALECTS = {
    "postgresql": _Dialect(
        "CAST(FLOOR(EXTRACT(EPOCH FROM {0})) AS bigint)",
        "json_agg",
        "json_build_array",
        "CAST({0} AS text)",
    ),
    "sqlite": _Dialect(
        "CAST(strftime('%%s', {0}) AS integer)", "json_group_array", "json_array", "{0}"
    ),
}


def _table(model: Any) -> str:
    return connection.ops.quote_name(model._meta.db_table)


@cache
def _statement(vendor: str) -> str:
    """The text for a database. Each aggregate finds its rows by an index on the session."""
    of_session = "x.organization_id = session.organization_id AND x.session_id = session.id"
    of_organization = "x.organization_id = session.organization_id"
    return " ".join(
        (
            f"SELECT {_SESSION.sql}, {_PULSE.sql}, {_ORGANIZATION.sql}, {_PERSON.sql},",
            f"{_POLICY.sql}, mark.version, allowance.ends_by_limit,",
            *(f"{_seconds(vendor, f'allowance.{name}')}," for name in AHEAD),
            f"(SELECT x.role FROM {_table(Membership)} AS x",
            f"WHERE {of_organization} AND x.person_id = %s),",
            f"{_seconds(vendor, 'allowance.metered_until')},",
            _stretches(vendor, of_session) + ",",
            _loss(vendor, of_organization) + ",",
            _license_end(vendor, of_organization) + ",",
            _subscriptions(vendor, of_organization) + ",",
            _uses(vendor, of_session) + ",",
            _images(vendor, of_session),
            f"FROM {_table(Session)} AS session",
            f"JOIN {_table(Pulse)} AS pulse ON pulse.session_id = session.id",
            f"JOIN {_table(Organization)} AS organization",
            "ON organization.id = session.organization_id",
            f"JOIN {_table(Person)} AS person ON person.id = session.person_id",
            f"LEFT JOIN {_table(Allowance)} AS allowance",
            "ON allowance.organization_id = session.organization_id",
            f"LEFT JOIN {_table(PolicyMark)} AS mark",
            "ON mark.organization_id = session.organization_id",
            "AND mark.person_id = session.person_id",
            # Only where it is newer than the session's: it is wide, and hardly ever is.
            f"LEFT JOIN {_table(Policy)} AS policy",
            "ON policy.organization_id = session.organization_id",
            "AND (policy.version > session.policy_version",
            "OR mark.version > session.policy_version)",
            "WHERE session.id = %s",
        )
    )


def _seconds(vendor: str, instant: str) -> str:
    return _DIALECTS[vendor].seconds.format(instant)


def _collected(vendor: str, columns: str, rows: str) -> str:
    """The rows' columns as a JSON list of lists, in the rows' order."""
    dialect = _DIALECTS[vendor]
    return f"(SELECT {dialect.collect}({dialect.array}({columns})) FROM ({rows}) AS found)"


def _stretches(vendor: str, own: str) -> str:
    start, idle = _seconds(vendor, "x.started_at"), _seconds(vendor, "x.idle_at")
    rows = f"SELECT {start} AS start, {idle} AS idle FROM {_table(Stretch)} AS x"
    return _collected(
        vendor, "found.start, found.idle", f"{rows} WHERE {own} ORDER BY x.started_at"
    )


def _loss(vendor: str, own: str) -> str:
    """The first loss of those that were recorded after the start; identifiers tell the order."""
    return (
        f"(SELECT MIN({_seconds(vendor, 'x.at')}) FROM {_table(AccessLoss)} AS x "
        f"WHERE {own} AND x.person_id = session.person_id AND x.id > session.id)"
    )


def _license_end(vendor: str, own: str) -> str:
    """Where the grants of the license end, before anybody writes the loss down."""
    return (
        f"(SELECT {_seconds(vendor, 'x.ends_at')} FROM {_table(License)} AS x "
        f"WHERE {own} AND x.person_id = session.person_id AND x.state = '{LicenseState.HELD}')"
    )


def _subscriptions(vendor: str, own: str) -> str:
    """Those that may end; `earliest_end` says when."""
    names = ("suspended_at", "ended_at", "trial_ends_at", "cancel_at")
    columns = ", ".join(f"{_seconds(vendor, f'x.{name}')} AS {name}" for name in names)
    known = " OR ".join(f"x.{name} IS NOT NULL" for name in names)
    rows = f"SELECT x.state, {columns} FROM {_table(Subscription)} AS x"
    found = ", ".join(f"found.{name}" for name in ("state", *names))
    return _collected(vendor, found, f"{rows} WHERE {own} AND ({known})")


def _uses(vendor: str, own: str) -> str:
    columns = "x.source, SUM(x.seconds) AS wall, SUM(x.compute_seconds) AS compute, "
    columns += "SUM(x.cost_microusd) AS cost"
    rows = f"SELECT {columns} FROM {_table(LedgerEntry)} AS x WHERE {own} GROUP BY x.source"
    return _collected(vendor, "found.source, found.wall, found.compute, found.cost", rows)


def _images(vendor: str, own: str) -> str:
    """Images in the order of their first run."""
    key = _DIALECTS[vendor].text.format("x.id")
    each = (
        "SELECT x.image, x.started_at, x.id AS run_id, "
        f"{_seconds(vendor, 'x.started_at')} AS started, {key} AS run, "
        "COUNT(*) OVER (PARTITION BY x.image) AS runs, "
        "ROW_NUMBER() OVER (PARTITION BY x.image ORDER BY x.started_at, x.id) AS place "
        f"FROM {_table(ContainerRun)} AS x WHERE {own}"
    )
    rows = f"SELECT * FROM ({each}) AS each_run WHERE place = 1 ORDER BY started_at, run_id"
    return _collected(vendor, "found.image, found.started, found.run, found.runs", rows)
