"""An organization's book from its first second on, for computing the ledger afresh (rule 17).

Rows that the meter changes as it goes (what is used of pools, on demand and of caps) are not
asked: they follow from what was bought and set, and from what sessions did.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from offload_portal.common.periods import boundary, period_number, to_seconds
from usage import drawdown
from usage.changes import CapChanged, Change, LimitChanged, PeriodBoundary
from usage.models import Allowance, Cap, CapVersion, LimitVersion, Pool, Rate, Subscription
from usage.pools import OnDemand, OnDemandMode
from usage.rates import RateTable
from usage.tally import Line

# One entry of the ledger: session, start of the UTC hour, source.
Key = tuple[uuid.UUID, int, str]
Periods = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time of one subscription, half-open, with the book at its start and what changed it."""

    since: int
    until: int
    book: drawdown.Book
    changes: tuple[Change, ...]
    periods: Periods


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a fresh computation comes to: lines by their key, unpaid time, and the book at the end.

    `unpaid` are (wall seconds, compute-seconds) by session; `periods` begin the billing periods.
    """

    lines: dict[Key, Line]
    unpaid: dict[uuid.UUID, tuple[int, int]]
    pool_draws: dict[uuid.UUID, int]
    on_demand_used: int
    cap_used: dict[uuid.UUID, int]
    periods: Periods


def stretches(allowance: Allowance) -> list[Stretch]:
    """One for each subscription, up to the watermark. A fixed number of statements."""
    subscriptions = list(
        Subscription.objects.filter(organization_id=allowance.pk).order_by("started_at", "id")
    )
    starts = [to_seconds(one.started_at) for one in subscriptions]
    ends = [*starts[1:], to_seconds(allowance.metered_until)]
    rows = _Rows(allowance)
    return [
        rows.stretch(subscription.anchor, since, until)
        for subscription, since, until in zip(subscriptions, starts, ends, strict=True)
        if since < until
    ]


class _Rows:
    """What was bought, set and agreed, read once."""

    def __init__(self, allowance: Allowance) -> None:
        here = {"organization_id": allowance.pk}
        self.pools = list(Pool.objects.filter(**here).order_by("bought_at", "id"))
        versions = LimitVersion.objects.standing().filter(**here)
        self.limits = list(versions.order_by("recorded_at", "id"))
        self.rates = RateTable(
            tuple(
                (_midnight(day), rate)
                for day, rate in Rate.objects.filter(**here)
                .order_by("valid_from")
                .values_list("valid_from", "microusd_per_compute_second")
            )
        )
        self.caps = list(Cap.objects.filter(**here).order_by("id").values_list("id", flat=True))
        standing = CapVersion.objects.standing().filter(**here)
        self.cap_versions = list(standing.order_by("recorded_at", "id"))

    def stretch(self, anchor: date, since: int, until: int) -> Stretch:
        periods = tuple(_boundaries(anchor, since, until))
        changes: list[Change] = [PeriodBoundary(at) for at in periods if at > since]
        changes += [change for change in self._limits() if since <= change.at < until]
        changes += [change for change in self._caps() if since <= change.at < until]
        return Stretch(since, until, self._book(since), tuple(changes), periods)

    def _book(self, since: int) -> drawdown.Book:
        before = [change for change in self._limits() if change.at < since]
        limits = {change.cap: change.limit for change in self._caps() if change.at < since}
        return drawdown.Book(
            pools=tuple(self._pools(since)),
            on_demand=_on_demand(before),
            caps=tuple(drawdown.Cap(str(cap), limits.get(str(cap)), 0) for cap in self.caps),
            rates=self.rates,
        )

    def _pools(self, since: int) -> Iterator[drawdown.Pool]:
        for number, row in enumerate(self.pools):
            if to_seconds(row.expires_at) > since:
                yield drawdown.Pool(
                    id=str(row.id),
                    source=drawdown.Source(row.kind),
                    left=row.compute_seconds,
                    starts_at=to_seconds(row.starts_at),
                    expires_at=to_seconds(row.expires_at),
                    order=number,
                )

    def _limits(self) -> list[LimitChanged]:
        found = [
            LimitChanged(
                at=to_seconds(row.effective_at),
                order=number,
                mode=OnDemandMode(row.mode),
                limit=row.limit_microusd,
                let_finish=row.let_finish,
            )
            for number, row in enumerate(self.limits)
        ]
        return sorted(found, key=lambda change: (change.at, change.order))

    def _caps(self) -> list[CapChanged]:
        found = [
            CapChanged(
                to_seconds(row.effective_at), number, str(row.cap_id), row.limit_compute_seconds
            )
            for number, row in enumerate(self.cap_versions)
        ]
        return sorted(found, key=lambda change: (change.at, change.order))


def _on_demand(before: Sequence[LimitChanged]) -> OnDemand:
    if not before:
        return OnDemand(OnDemandMode.OFF)
    last = before[-1]
    return OnDemand(last.mode, last.limit, 0, last.let_finish)


def _boundaries(anchor: date, since: int, until: int) -> Iterator[int]:
    """Where periods begin: the one that `since` lies in, and all before `until`."""
    number = max(0, period_number(anchor, datetime.fromtimestamp(since, UTC)))
    while (at := to_seconds(boundary(anchor, number))) < until:
        yield at
        number += 1


def _midnight(day: date) -> int:
    return to_seconds(datetime(day.year, day.month, day.day, tzinfo=UTC))


def computed(parts: Sequence[Stretch], sessions: Sequence[drawdown.Metered]) -> Fresh:
    """Draw every stretch down. Sessions under caps are passed with them."""
    lines: dict[Key, Line] = {}
    unpaid: dict[uuid.UUID, tuple[int, int]] = {}
    draws: dict[uuid.UUID, int] = defaultdict(int)
    book = None
    periods: list[int] = []
    for part in parts:
        drawn = drawdown.draw(part.book, part.changes, sessions, part.since, part.until)
        for line in drawn.lines:
            key = (uuid.UUID(line.session), line.hour, str(line.source))
            lines[key] = _added(lines[key], line) if key in lines else line
        for session, rest in drawn.unpaid.items():
            before = unpaid.get(uuid.UUID(session), (0, 0))
            unpaid[uuid.UUID(session)] = (
                before[0] + rest.seconds,
                before[1] + rest.compute_seconds,
            )
        for pool, amount in drawn.pool_draws.items():
            draws[uuid.UUID(pool)] += amount
        book = drawn.book
        periods += part.periods
    return Fresh(
        lines=lines,
        unpaid=unpaid,
        pool_draws=dict(draws),
        on_demand_used=book.on_demand.used if book else 0,
        cap_used={uuid.UUID(cap.id): cap.used for cap in book.caps} if book else {},
        periods=tuple(periods),
    )


def _added(one: Line, other: Line) -> Line:
    """Two subscriptions within one hour: their parts of it are one entry."""
    quarters = tuple(
        (first[0] + second[0], first[1] + second[1])
        for first, second in zip(one.quarters, other.quarters, strict=True)
    )
    return Line(
        one.session,
        one.hour,
        one.source,
        one.seconds + other.seconds,
        one.lump_seconds + other.lump_seconds,
        one.compute_seconds + other.compute_seconds,
        one.rate,
        one.cost + other.cost,
        quarters,
    )
