"""What operators see of engines: hosts, engines, the queue, and what does not fit together."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet

from sessions.engines.announcements import HostSaid, hosts_said
from sessions.enums import EngineState
from sessions.models import Engine, Session, StartTicket
from sessions.selectors.views import SessionView, views_of

PAGE_SIZE = 50
MOST_TROUBLES = 50
MOST_WAITING = 50
# A removal and a start take seconds; what is unsettled for longer is worth a look.
SETTLES_IN = timedelta(seconds=60)
ALL, FAILED = "all", "failed"
# The parts of a start in the order of their happening; others follow by name.
PARTS = ("user", "wall", "daemon")


@dataclass(frozen=True, slots=True)
class EngineFilter:
    """`state`: "" for those there now, an EngineState, `failed` (with a reason) or `all`."""

    state: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class HostRow:
    """An engine host. `capacity` and `said_at` are None where the portal has no word of it."""

    name: str
    capacity: int | None
    said_at: datetime | None
    lives: bool
    engines: int
    ready: int

    @property
    def free(self) -> int | None:
        return None if self.capacity is None else max(0, self.capacity - self.engines)


@dataclass(frozen=True, slots=True)
class EngineRow:
    """One engine with its session. `timings`: (part, seconds) of its start, in order."""

    session: SessionView
    organization: str
    provider: str
    state: EngineState
    host: str
    slot: int | None
    asked_at: datetime
    ready_at: datetime | None
    removed_at: datetime | None
    address: str
    timings: tuple[tuple[str, float], ...]
    left_out: tuple[str, ...]
    failure: str

    @property
    def start_seconds(self) -> float | None:
        return round(sum(seconds for _, seconds in self.timings), 2) if self.timings else None


@dataclass(frozen=True, slots=True)
class EnginePage:
    """Rows newest first; `newer` and `older` are the keys of the pages beside it."""

    rows: tuple[EngineRow, ...]
    newer: uuid.UUID | None
    older: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class QueueRow:
    """Who waits for an engine; `place` counts from one."""

    place: int
    organization: str
    person: str
    asked_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """A session and an engine that do not fit together. `kind` is a stable word."""

    kind: str
    session: SessionView
    organization: str
    host: str
    since: datetime


@dataclass(frozen=True, slots=True)
class EnginesNow:
    hosts: tuple[HostRow, ...]
    states: Mapping[str, int]
    page: EnginePage
    queue: tuple[QueueRow, ...]
    queue_length: int
    troubles: tuple[Trouble, ...]

    @property
    def capacity(self) -> int:
        return sum(host.capacity or 0 for host in self.hosts if host.lives)

    @property
    def there(self) -> int:
        return sum(self.states.values())


def engines_now(
    wanted: EngineFilter,
    *,
    at: datetime,
    older_than: uuid.UUID | None = None,
    newer_than: uuid.UUID | None = None,
    size: int = PAGE_SIZE,
) -> EnginesNow:
    """All of it in a fixed number of statements. Keys are identifiers of sessions."""
    said = hosts_said()
    counts = _counts()
    hosts = _hosts(said, counts, at)
    rows, newer, older = _page(_matching(wanted), older_than, newer_than, size)
    broken = _unsettled(hosts, at)
    lonely = _without_engine(at)
    sessions = _sessions_of([*rows, *broken])
    views = {view.id: view for view in views_of([*sessions, *lonely], at)}
    queue, queue_length = _queue(at)
    return EnginesNow(
        hosts=hosts,
        states=_by_state(counts),
        page=EnginePage(tuple(_row(row, views) for row in rows), newer, older),
        queue=queue,
        queue_length=queue_length,
        troubles=_troubles(broken, lonely, hosts, views, at),
    )


def engine_of(session_id: uuid.UUID, at: datetime) -> EngineRow | None:
    """One engine; None where the session has none or does not exist."""
    row = _engines().filter(pk=session_id).first()
    if row is None:
        return None
    return _row(row, {view.id: view for view in views_of(_sessions_of([row]), at)})


def _engines() -> QuerySet[Engine]:
    return Engine.objects.select_related("organization")


def _sessions_of(engines: Sequence[Engine]) -> list[Session]:
    """Their sessions as views show them, each once."""
    wanted = {engine.session_id for engine in engines}
    return list(Session.objects.as_shown().filter(pk__in=wanted).order_by("pk"))


def _counts() -> dict[tuple[str, str], int]:
    """Engines that are there, by host and state."""
    rows = Engine.objects.there().values("host_name", "state").order_by("host_name", "state")
    return {
        (row["host_name"], row["state"]): row["count"] for row in rows.annotate(count=Count("pk"))
    }


def _by_state(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    found = {state.value: 0 for state in EngineState if state != EngineState.REMOVED}
    for (_host, state), count in counts.items():
        found[state] += count
    return found


def _hosts(
    said: Sequence[HostSaid], counts: Mapping[tuple[str, str], int], at: datetime
) -> tuple[HostRow, ...]:
    """Those that spoke, and those of which engines are left."""
    words = {host.name: host for host in said}
    names = {*words, *(name for name, _ in counts if name)}
    return tuple(_host(name, words.get(name), counts, at) for name in sorted(names))


def _host(
    name: str, said: HostSaid | None, counts: Mapping[tuple[str, str], int], at: datetime
) -> HostRow:
    return HostRow(
        name=name,
        capacity=said.capacity if said else None,
        said_at=said.said_at if said else None,
        lives=said is not None and said.lives(at),
        engines=sum(count for (host, _), count in counts.items() if host == name),
        ready=counts.get((name, EngineState.READY), 0),
    )


def _matching(wanted: EngineFilter) -> QuerySet[Engine]:
    rows = _engines()
    if wanted.state == FAILED:
        rows = rows.exclude(failure="")
    elif wanted.state in EngineState.values:
        rows = rows.filter(state=wanted.state)
    elif wanted.state != ALL:
        rows = rows.exclude(state=EngineState.REMOVED)
    return rows.filter(host_name=wanted.host) if wanted.host else rows


def _page(
    rows: QuerySet[Engine], older: uuid.UUID | None, newer: uuid.UUID | None, size: int
) -> tuple[list[Engine], uuid.UUID | None, uuid.UUID | None]:
    """Identifiers rise with time, so they are order and key in one."""
    if newer is not None:
        found = list(rows.filter(pk__gt=newer).order_by("pk")[: size + 1])
        more, found = len(found) > size, found[:size][::-1]
        return found, found[0].pk if more else None, found[-1].pk if found else None
    if older is not None:
        rows = rows.filter(pk__lt=older)
    found = list(rows.order_by("-pk")[: size + 1])
    more, found = len(found) > size, found[:size]
    first = found[0].pk if found and older is not None else None
    return found, first, found[-1].pk if more else None


def _row(row: Engine, views: Mapping[uuid.UUID, SessionView]) -> EngineRow:
    return EngineRow(
        session=views[row.session_id],
        organization=row.organization.name,
        provider=row.provider,
        state=EngineState(row.state),
        host=row.host_name,
        slot=row.slot,
        asked_at=row.asked_at,
        ready_at=row.ready_at,
        removed_at=row.removed_at,
        address=row.address,
        timings=_timings(row.timings),
        left_out=tuple(row.left_out),
        failure=row.failure,
    )


def _timings(parts: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """A database may keep the parts in an order of its own."""
    order = {name: place for place, name in enumerate(PARTS)}
    return tuple(sorted(parts.items(), key=lambda part: (order.get(part[0], len(PARTS)), part[0])))


def _queue(at: datetime) -> tuple[tuple[QueueRow, ...], int]:
    """Those who still ask, in their order; the first ones, and how many there are."""
    waiting = StartTicket.objects.still_asking(at).order_by("asked_at", "id")
    first = list(waiting.select_related("organization", "person")[: MOST_WAITING + 1])
    length = len(first) if len(first) <= MOST_WAITING else waiting.count()
    rows = tuple(
        QueueRow(place, row.organization.name, row.person.shown_name, row.asked_at, row.seen_at)
        for place, row in enumerate(first[:MOST_WAITING], 1)
    )
    return rows, length


# --- What does not fit together ----------------------------------------------------------------


def _unsettled(hosts: Iterable[HostRow], at: datetime) -> list[Engine]:
    """Engines whose session is over, that no host has taken, or whose host is silent."""
    before = at - SETTLES_IN
    silent = [host.name for host in hosts if not host.lives]
    over = Q(session__ended_at__lt=before) | Q(session__stop_at__lt=before)
    untaken = Q(state=EngineState.WANTED, host_name="", asked_at__lt=before)
    rows = _engines().exclude(state=EngineState.REMOVED)
    return list(
        rows.filter(over | untaken | Q(host_name__in=silent)).order_by("pk")[:MOST_TROUBLES]
    )


def _without_engine(at: datetime) -> list[Session]:
    """Sessions that go on though what the portal brought them is gone."""
    gone = Q(engine=None) | Q(engine__state__in=(EngineState.REMOVED, EngineState.LOST))
    rows = Session.objects.as_shown().filter(ended_at=None, created_at__lt=at - SETTLES_IN)
    rows = rows.exclude(provider="external").filter(gone)
    return list(rows.order_by("pk")[:MOST_TROUBLES])


def _troubles(
    broken: Iterable[Engine],
    lonely: Iterable[Session],
    hosts: Iterable[HostRow],
    views: Mapping[uuid.UUID, SessionView],
    at: datetime,
) -> tuple[Trouble, ...]:
    said = {host.name: host.said_at for host in hosts}
    found = []
    for row in broken:
        view, host = views[row.session_id], row.host_name
        kind, since = _why_unsettled(row, view, said, at)
        found.append(Trouble(kind, view, row.organization.name, host, since))
    for session in lonely:
        view = views[session.pk]
        if view.is_running:
            name = session.organization.name
            found.append(Trouble("session_without_engine", view, name, "", view.created_at))
    return tuple(found)


def _why_unsettled(
    row: Engine, view: SessionView, said: Mapping[str, datetime | None], at: datetime
) -> tuple[str, datetime]:
    if not view.is_running:
        return "engine_without_session", view.ended_at or row.asked_at
    if row.host_name:
        return "host_silent", said.get(row.host_name) or row.ready_at or row.asked_at
    return "not_taken", row.asked_at
