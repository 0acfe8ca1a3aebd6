"""Bringing the ledger to what a fresh computation says, by corrections (product.md rule 17).

An entry of the past is never edited: what differs is added in the hour that is open. The caller
holds the organization's lock.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from offload_portal.common.actors import Actor
from offload_portal.common.periods import from_seconds, hour_of, to_seconds
from orgs.enums import Event
from orgs.services import audit
from usage.models import Allowance, Cap, LedgerEntry, Pool, UnpaidTime
from usage.selectors.afresh import Fresh, Key
from usage.services import metering, rollups

Numbers = tuple[int, int, int, int]  # wall, lump, compute-seconds; micro-dollars
NOTHING: Numbers = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Differing:
    """One entry of which the ledger says something else than the computation.

    Each is (wall seconds, lump seconds, compute-seconds, micro-dollars).
    """

    key: Key
    there: Numbers
    due: Numbers
    entry: uuid.UUID | None  # None: the ledger has none for it
    rate: int

    @property
    def missing(self) -> Numbers:
        wall, lump, compute, cost = (
            due - there for due, there in zip(self.due, self.there, strict=True)
        )
        return wall, lump, compute, cost


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the ledger says now of a key: the entry with its corrections."""

    entry: uuid.UUID
    numbers: Numbers
    rate: int


def differing(organization_id: uuid.UUID, fresh: Fresh) -> list[Differing]:
    """In the order of hour, session and source. Two statements."""
    there = _standing(organization_id)
    found = []
    for key in sorted(there.keys() | fresh.lines.keys(), key=lambda key: (key[1], key[0], key[2])):
        now, line = there.get(key), fresh.lines.get(key)
        due = (
            (line.seconds, line.lump_seconds, line.compute_seconds, line.cost) if line else NOTHING
        )
        has = now.numbers if now else NOTHING
        if has != due:
            rate = line.rate if line else now.rate if now else 0
            found.append(Differing(key, has, due, now.entry if now else None, rate))
    return found


def _standing(organization_id: uuid.UUID) -> dict[Key, _Standing]:
    """A correction counts for the hour that it speaks of, not for the one that it stands in."""
    found: dict[Key, _Standing] = {}
    rows = LedgerEntry.objects.filter(organization_id=organization_id)
    for row in rows.order_by(F("corrects").asc(nulls_first=True), "id").iterator():
        hour = row.corrected_hour or row.hour
        key = (row.session_id, to_seconds(hour), row.source)
        numbers = (row.seconds, row.lump_seconds, row.compute_seconds, row.cost_microusd)
        before = found.get(key)
        sums = _sum(before.numbers, numbers) if before else numbers
        entry = row.id if before is None or row.corrects is None else before.entry
        found[key] = _Standing(entry, sums, row.rate_microusd)
    return found


def _sum(one: Numbers, other: Numbers) -> Numbers:
    wall, lump, compute, cost = (a + b for a, b in zip(one, other, strict=True))
    return wall, lump, compute, cost


def correct_ledger(
    *,
    actor: Actor,
    at: datetime,
    allowance: Allowance,
    fresh: Fresh,
    found: Sequence[Differing],
    whose: Mapping[uuid.UUID, tuple[uuid.UUID, str]],
    reason: str,
) -> None:
    """Write one correction for each difference, with rollups, allowance and the audit entry.

    `whose` names person and engine size of each session. What lies in the present period is
    restated in the allowance, too; time of an earlier one is on the statement and draws nothing.
    """
    hour = from_seconds(hour_of(to_seconds(allowance.metered_until)))
    entries = [_correction(allowance, hour, one, whose[one.key[0]], reason, actor) for one in found]
    LedgerEntry.objects.bulk_create(entries)
    # Anew, since whatever changed an entry will not have changed its sums.
    rollups.rebuild(allowance.organization_id)
    _restate(allowance, fresh)
    audit.record(
        event=Event.LEDGER_CORRECTED,
        actor=actor,
        at=at,
        organization_id=allowance.organization_id,
        subject=("organization", allowance.organization_id),
        after={
            "entries": len(entries),
            "compute_seconds": sum(entry.compute_seconds for entry in entries),
            "cost_microusd": sum(entry.cost_microusd for entry in entries),
            "reason": reason,
        },
    )
    metering.refresh_left(allowance, allowance.metered_until)


def _correction(
    allowance: Allowance,
    hour: datetime,
    one: Differing,
    whose: tuple[uuid.UUID, str],
    reason: str,
    actor: Actor,
) -> LedgerEntry:
    session, corrected, source = one.key
    wall, lump, compute, cost = one.missing
    if allowance.period_start is None:
        raise ValueError("A correction stands in an open period.")
    return LedgerEntry(
        organization_id=allowance.organization_id,
        hour=hour,
        session_id=session,
        person_id=whose[0],
        source=source,
        engine_size=whose[1],
        period_start=allowance.period_start,
        seconds=wall,
        lump_seconds=lump,
        compute_seconds=compute,
        rate_microusd=one.rate,
        cost_microusd=cost,
        # Where the ledger had no entry, the session stands for it.
        corrects=one.entry or session,
        corrected_hour=from_seconds(corrected),
        reason=reason,
        ordered_by=actor.id,
    )


def _restate(allowance: Allowance, fresh: Fresh) -> None:
    """What is used of pools, on demand and of caps, and what nothing could pay."""
    for pool in Pool.objects.filter(organization_id=allowance.organization_id).order_by("id"):
        used = fresh.pool_draws.get(pool.pk, 0)
        if used != pool.used_compute_seconds:
            Pool.objects.filter(pk=pool.pk).update(used_compute_seconds=used)
    for cap in Cap.objects.filter(organization_id=allowance.organization_id).order_by("id"):
        Cap.objects.filter(pk=cap.pk).update(used_compute_seconds=fresh.cap_used.get(cap.pk, 0))
    allowance.on_demand_used_microusd = fresh.on_demand_used
    allowance.save(update_fields=["on_demand_used_microusd"])
    _restate_unpaid(allowance.organization_id, fresh.unpaid)


def _restate_unpaid(
    organization_id: uuid.UUID, unpaid: Mapping[uuid.UUID, tuple[int, int]]
) -> None:
    rest = defaultdict(lambda: (0, 0), unpaid)
    rows = UnpaidTime.objects.filter(organization_id=organization_id)
    for row in rows.order_by("id"):
        seconds, compute = rest.pop(row.session_id, (0, 0))
        UnpaidTime.objects.filter(pk=row.pk).update(seconds=seconds, compute_seconds=compute)
    UnpaidTime.objects.bulk_create(
        UnpaidTime(
            organization_id=organization_id,
            session_id=session,
            seconds=seconds,
            compute_seconds=compute,
        )
        for session, (seconds, compute) in sorted(rest.items())
    )
