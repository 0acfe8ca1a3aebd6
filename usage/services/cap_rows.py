"""Caps between rows and the arithmetic (product.md rule 19). The caller holds the lock."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from offload_portal.common.periods import to_seconds
from usage import drawdown
from usage.changes import CapChanged, PeriodBoundary
from usage.forecast import Onward, forecast_cap
from usage.models import Allowance, Cap, CapVersion
from usage.services.foresight import horizon, kept

# What the meter writes of a cap.
FIELDS = ("limit_compute_seconds", "used_compute_seconds", "ends_at", "ends_by_limit")
Onwards = Mapping[uuid.UUID, Sequence[Onward]]


def caps_of(allowance: Allowance) -> list[Cap]:
    """Every cap that was ever made, as of the watermark; no statement where there is none."""
    if not allowance.has_caps:
        return []
    return list(Cap.objects.filter(organization_id=allowance.organization_id).order_by("id"))


def cap_values(caps: Sequence[Cap]) -> tuple[drawdown.Cap, ...]:
    return tuple(
        drawdown.Cap(str(cap.id), cap.limit_compute_seconds, cap.used_compute_seconds)
        for cap in caps
    )


def cap_changes(caps: Sequence[Cap], since: datetime, until: datetime) -> list[CapChanged]:
    """What comes into force from `since` on, as far as is known at `until` and is in sight then."""
    if not caps:
        return []
    rows = CapVersion.objects.standing().filter(organization_id=caps[0].organization_id)
    return [
        CapChanged(to_seconds(row.effective_at), number, str(row.cap_id), row.limit_compute_seconds)
        for number, row in enumerate(rows.coming(since, horizon(until), until))
    ]


def write_caps(
    allowance: Allowance,
    caps: Sequence[Cap],
    book: drawdown.Book,
    boundaries: Sequence[int],
    changes: Sequence[CapChanged],
    onwards: Onwards,
    until: datetime,
) -> None:
    """Each cap as it is at `until`, with what happens there, and when its sessions will end."""
    last = to_seconds(until)
    used = {cap.id: cap.used for cap in book.caps}
    limits = {change.cap: change.limit for change in _in_force(changes, last)}
    for cap in caps:
        key = str(cap.id)
        before = _values(cap)
        cap.used_compute_seconds = 0 if last in boundaries else used[key]
        cap.limit_compute_seconds = limits.get(key, cap.limit_compute_seconds)
        coming = [change for change in changes if change.cap == key and change.at > last]
        foresee_cap(allowance, cap, coming, onwards.get(cap.id, ()), until)
        if _values(cap) != before:
            cap.save(update_fields=FIELDS)


def _in_force(changes: Sequence[CapChanged], last: int) -> list[CapChanged]:
    """In the order in which they come into force, so that the last one of a cap holds."""
    return sorted(
        (change for change in changes if change.at <= last),
        key=lambda change: (change.at, change.order),
    )


def _values(cap: Cap) -> tuple[object, ...]:
    return tuple(getattr(cap, name) for name in FIELDS)


def foresee_cap(
    allowance: Allowance,
    cap: Cap,
    changes: Sequence[CapChanged],
    sessions: Sequence[Onward],
    at: datetime,
) -> None:
    """Set on the row, which the caller saves, when its sessions end if everything goes on."""
    until = horizon(at)
    coming: list[drawdown.Change] = list(changes)
    if allowance.period_end is not None and at < allowance.period_end < until:
        coming.append(PeriodBoundary(to_seconds(allowance.period_end)))
    (value,) = cap_values([cap])
    ahead = forecast_cap(value, coming, sessions, to_seconds(at), to_seconds(until))
    cap.ends_at = kept(cap.ends_at, ahead.ends_at, at)
    cap.ends_by_limit = ahead.by_limit


def look_ahead_of_caps(allowance: Allowance, onwards: Onwards, at: datetime) -> list[Cap]:
    """Look anew after a change at the watermark `at`; the caps as they are now."""
    caps = caps_of(allowance)
    changes = cap_changes(caps, at, at)
    coming = [change for change in changes if change.at > to_seconds(at)]
    for cap in caps:
        before = _values(cap)
        own = [change for change in coming if change.cap == str(cap.id)]
        foresee_cap(allowance, cap, own, onwards.get(cap.id, ()), at)
        if _values(cap) != before:
            cap.save(update_fields=FIELDS)
    return caps
