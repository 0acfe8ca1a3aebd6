"""Drawing an organization's allowance down, and what is left (product.md rules 16 to 19).

The caller holds the organization's lock (`lock`) for the whole transaction. The arithmetic is
`usage.drawdown`'s; here rows become a book and what it says becomes rows.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from django.db.models import F, Q
from django.db.models.functions import Greatest

from offload_portal.common.locks import lock_alone
from offload_portal.common.periods import to_seconds
from usage import drawdown
from usage.forecast import Onward
from usage.models import Allowance, Cap, LedgerEntry, LimitVersion, Pool, Rate, UnpaidTime
from usage.pools import in_turn, payers
from usage.rates import RateTable
from usage.services.cap_rows import (
    Onwards,
    cap_changes,
    cap_values,
    caps_of,
    look_ahead_of_caps,
    write_caps,
)
from usage.services.entries import SessionTime, write_lines
from usage.services.foresight import FIELDS as FORESEEN
from usage.services.foresight import foresee, horizon, note_payer
from usage.services.periods import roll_period

__all__ = [
    "Exhausted",
    "SessionTime",
    "Swept",
    "book_of",
    "caps_of",
    "draw",
    "lock",
    "look_ahead",
    "next_source",
    "refresh_left",
    "release",
    "reserve",
]


@dataclass(frozen=True, slots=True)
class Exhausted:
    """An end for want of time: its instant (POSIX seconds), and the cap with `cap_reached`."""

    at: int
    reason: str
    cap: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Swept:
    """What a window came to: who ends by exhaustion, what each one drew.

    `on_demand_at` is when use moved to on-demand, if it did.
    """

    exhausted: Mapping[uuid.UUID, Exhausted]
    drawn: Mapping[uuid.UUID, int]
    on_demand_at: datetime | None = None


def lock(organization_id: uuid.UUID) -> Allowance | None:
    """The organization's lock and its allowance; None before its first subscription."""
    lock_alone(organization_id)
    return Allowance.objects.select_for_update().filter(pk=organization_id).first()


def draw(
    allowance: Allowance,
    times: Sequence[SessionTime],
    until: datetime,
    caps: Sequence[Cap] = (),
) -> Swept:
    """Move the watermark to `until` and write what the window used, in this transaction.

    `caps` are all that the organization has (`caps_of`); their rows are brought up to date.

    What happens at `until` itself before anybody starts there (a period's boundary, a limit
    that comes into force) is applied to the allowance, so that a start meets it.
    """
    since, first_period = allowance.metered_until, allowance.period_start
    boundaries = _boundaries(allowance, until)
    limits, coming = _limit_changes(allowance, since, until)
    changes = cap_changes(caps, since, until)
    metered = [_metered(time) for time in times]
    drawn = drawdown.draw(
        book_of(allowance, caps),
        [*(drawdown.PeriodBoundary(at) for at in boundaries), *limits, *changes],
        metered,
        to_seconds(since),
        to_seconds(until),
    )
    periods = [*([to_seconds(first_period)] if first_period else []), *boundaries]
    write_lines(allowance, periods, drawn.lines, times)
    _write_pools(drawn.pool_draws)
    _write_unpaid(allowance, drawn.unpaid)
    switched = note_payer(allowance, drawn)
    staying = [time for time in times if str(time.session_id) not in drawn.ends]
    onwards = [time.onward for time in staying]
    _write_allowance(allowance, drawn.book, boundaries, limits, until, (coming, onwards))
    write_caps(allowance, caps, drawn.book, boundaries, changes, _under_caps(staying), until)
    return Swept(
        exhausted={uuid.UUID(key): _exhausted(end) for key, end in drawn.ends.items()},
        drawn=_by_session(drawn.lines),
        on_demand_at=switched,
    )


def _exhausted(end: drawdown.Ended) -> Exhausted:
    return Exhausted(end.at, str(end.reason), None if end.cap is None else uuid.UUID(end.cap))


def _under_caps(times: Sequence[SessionTime]) -> Onwards:
    found: dict[uuid.UUID, list[Onward]] = {}
    for time in times:
        if time.onward is not None:
            for cap in time.caps:
                found.setdefault(cap, []).append(time.onward)
    return found


def _metered(time: SessionTime) -> drawdown.Metered:
    return drawdown.Metered(
        id=str(time.session_id),
        order=time.order,
        multiplier=time.multiplier,
        spans=time.spans,
        lumps=time.lumps,
        caps=tuple(str(cap) for cap in time.caps),
        ended_at=time.ended_at,
    )


def _by_session(lines: Sequence[drawdown.Line]) -> dict[uuid.UUID, int]:
    used: dict[uuid.UUID, int] = {}
    for line in lines:
        key = uuid.UUID(line.session)
        used[key] = used.get(key, 0) + line.compute_seconds
    return used


# From rows to a book


def book_of(allowance: Allowance, caps: Sequence[Cap] = ()) -> drawdown.Book:
    """What is true at the watermark, as the arithmetic takes it."""
    return drawdown.Book(
        pools=_pools(allowance),
        on_demand=_on_demand(allowance),
        caps=cap_values(caps),
        rates=_rates(allowance),
    )


def _pools(allowance: Allowance) -> tuple[drawdown.Pool, ...]:
    rows = (
        Pool.objects.filter(
            organization_id=allowance.organization_id, expires_at__gt=allowance.metered_until
        )
        .filter(compute_seconds__gt=F("used_compute_seconds"))
        .order_by("bought_at", "id")
    )
    return tuple(
        drawdown.Pool(
            id=str(row.id),
            source=drawdown.Source(row.kind),
            left=row.left_compute_seconds,
            starts_at=to_seconds(row.starts_at),
            expires_at=to_seconds(row.expires_at),
            order=number,
        )
        for number, row in enumerate(rows)
    )


def _on_demand(allowance: Allowance) -> drawdown.OnDemand:
    return drawdown.OnDemand(
        mode=drawdown.OnDemandMode(allowance.on_demand_mode),
        limit=allowance.on_demand_limit_microusd,
        used=allowance.on_demand_used_microusd,
        let_finish=allowance.let_finish,
    )


def _rates(allowance: Allowance) -> RateTable:
    rows = Rate.objects.filter(organization_id=allowance.organization_id).order_by("valid_from")
    return RateTable(
        tuple((_midnight(row.valid_from), row.microusd_per_compute_second) for row in rows)
    )


def _midnight(day: date) -> int:
    return to_seconds(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _boundaries(allowance: Allowance, until: datetime) -> list[int]:
    """Open every period that begins up to and at `until`; gives their first instants."""
    found = []
    while allowance.period_end is not None and allowance.period_end <= until:
        boundary = allowance.period_end
        roll_period(allowance, boundary)
        found.append(to_seconds(boundary))
    return found


def _limit_changes(
    allowance: Allowance, since: datetime, until: datetime
) -> tuple[list[drawdown.LimitChanged], list[drawdown.LimitChanged]]:
    """Limits that come into force in the window or at its end, and those in sight after it.

    In the order of recording. A version recorded later replaces those that were still to come,
    also where it came into force before the window.
    """
    last = to_seconds(until)
    coming = {
        "organization_id": allowance.organization_id,
        "effective_at__gte": since,
        "effective_at__lt": horizon(until),
        "recorded_at__lte": until,
    }
    # Hardly any window has one, and asking for those that stand is dear.
    if not LimitVersion.objects.filter(**coming).exists():
        return [], []
    rows = LimitVersion.objects.standing().filter(**coming).order_by("recorded_at", "id")
    changes = [
        drawdown.LimitChanged(
            at=to_seconds(row.effective_at),
            order=number,
            mode=drawdown.OnDemandMode(row.mode),
            limit=row.limit_microusd,
            let_finish=row.let_finish,
        )
        for number, row in enumerate(rows)
    ]
    now = [change for change in changes if change.at <= last]
    return now, [change for change in changes if change.at > last]


# From what was drawn to rows


def _write_pools(draws: Mapping[str, int]) -> None:
    for pool, drawn in sorted(draws.items()):
        if drawn:
            Pool.objects.filter(pk=pool).update(
                used_compute_seconds=F("used_compute_seconds") + drawn
            )


def _write_unpaid(allowance: Allowance, unpaid: Mapping[str, drawdown.Unpaid]) -> None:
    for session, rest in sorted(unpaid.items()):
        row, _created = UnpaidTime.objects.get_or_create(
            organization_id=allowance.organization_id, session_id=session
        )
        UnpaidTime.objects.filter(pk=row.pk).update(
            seconds=F("seconds") + rest.seconds,
            compute_seconds=F("compute_seconds") + rest.compute_seconds,
        )


def _write_allowance(
    allowance: Allowance,
    book: drawdown.Book,
    boundaries: Sequence[int],
    limits: Sequence[drawdown.LimitChanged],
    until: datetime,
    ahead: tuple[Sequence[drawdown.LimitChanged], Sequence[Onward | None]],
) -> None:
    """Also what is in sight: `ahead` are limits to come, and how sessions go on."""
    last = to_seconds(until)
    used = 0 if last in boundaries else book.on_demand.used
    in_force = [limit for limit in limits if limit.at <= last]
    if in_force:
        newest = max(in_force, key=lambda limit: (limit.at, limit.order))
        allowance.on_demand_mode = str(newest.mode)
        allowance.on_demand_limit_microusd = newest.limit
        allowance.let_finish = newest.let_finish
    allowance.on_demand_used_microusd = used
    allowance.metered_until = until
    then = replace(book, on_demand=_on_demand(allowance))
    allowance.left_compute_seconds = drawdown.left(then, last)
    foresee(allowance, then, ahead[0], _going_on(ahead[1]), until)
    allowance.save(
        update_fields=[
            *FORESEEN,
            "metered_until",
            "period_start",
            "period_end",
            "on_demand_mode",
            "on_demand_limit_microusd",
            "let_finish",
            "on_demand_used_microusd",
            "left_compute_seconds",
        ]
    )


def _going_on(onwards: Sequence[Onward | None]) -> list[Onward]:
    return [onward for onward in onwards if onward is not None]


def look_ahead(
    allowance: Allowance, onwards: Sequence[Onward], under: Onwards, at: datetime
) -> list[Cap]:
    """Look anew after a change at the watermark `at`, so that notices come and go with it.

    `onwards` is how each session goes on, `under` the same by cap; gives the caps as they are now.
    """
    _now, coming = _limit_changes(allowance, at, at)
    foresee(allowance, book_of(allowance), coming, onwards, at)
    allowance.save(update_fields=FORESEEN)
    return look_ahead_of_caps(allowance, under, at)


# What is left, and reservations


def refresh_left(allowance: Allowance, at: datetime) -> None:
    """Write anew what is left after a change of pools or limits at the watermark `at`."""
    allowance.left_compute_seconds = drawdown.left(book_of(allowance), to_seconds(at))
    allowance.save(update_fields=["left_compute_seconds"])


def reserve(organization_id: uuid.UUID, compute_seconds: int) -> bool:
    """Reserve in one guarded statement; False where too little is left (rule 19)."""
    enough = Q(left_compute_seconds=None) | Q(
        left_compute_seconds__gte=F("reserved_compute_seconds") + compute_seconds
    )
    changed = (
        Allowance.objects.filter(pk=organization_id)
        .filter(enough)
        .update(reserved_compute_seconds=F("reserved_compute_seconds") + compute_seconds)
    )
    return changed == 1


def release(organization_id: uuid.UUID, compute_seconds: int) -> None:
    """Give back what a session had reserved and did not use."""
    if compute_seconds:
        Allowance.objects.filter(pk=organization_id).update(
            reserved_compute_seconds=Greatest(F("reserved_compute_seconds") - compute_seconds, 0)
        )


def next_source(organization_id: uuid.UUID, at: datetime) -> tuple[str, int]:
    """Who pays the next compute-second, and its rate in micro-dollars (0: paid ahead)."""
    allowance = Allowance.objects.get(pk=organization_id)
    book = book_of(allowance)
    pools = in_turn(book.pools)
    payer = next(payers(pools, book.on_demand, book.rates, to_seconds(at)), None)
    return (str(payer.source), payer.rate) if payer else ("", 0)


def people_of_entries(
    organization_id: uuid.UUID, sessions: Collection[uuid.UUID]
) -> dict[uuid.UUID, tuple[uuid.UUID, str]]:
    """Person and engine size of sessions, as their entries have them."""
    rows = LedgerEntry.objects.filter(
        organization_id=organization_id, session_id__in=sessions
    ).order_by("hour", "id")
    return {
        session: (person, size)
        for session, person, size in rows.values_list("session_id", "person_id", "engine_size")
    }
