"""Lines of a draw-down become usage entries and their sums (product.md rule 17).

The caller holds the organization's lock.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from offload_portal.common.periods import QUARTER, from_seconds, to_seconds
from usage import drawdown
from usage.forecast import Onward
from usage.models import Allowance, LedgerEntry
from usage.services import rollups


@dataclass(frozen=True, slots=True)
class SessionTime:
    """One session's time in a window, as the meter hands it down. Instants are POSIX seconds.

    `onward` is how it goes on after the window; None where it has ended or bills nothing yet.
    `caps` are those it is under.
    """

    session_id: uuid.UUID
    person_id: uuid.UUID
    engine_size: str
    order: tuple[int, int]
    multiplier: int
    spans: tuple[tuple[int, int], ...]
    lumps: tuple[tuple[int, int], ...]
    ended_at: int | None
    onward: Onward | None = None
    caps: tuple[uuid.UUID, ...] = ()


def write_lines(
    allowance: Allowance,
    periods: Sequence[int],
    lines: Sequence[drawdown.Line],
    times: Sequence[SessionTime],
) -> None:
    """Open hours grow, new hours begin: the lock is held, so nobody adds in between."""
    sessions = {time.session_id: time for time in times}
    known = _open_entries(allowance, lines)
    new = []
    for line in lines:
        key = (uuid.UUID(line.session), line.hour, str(line.source))
        if key in known:
            _grow(allowance, known[key], line)
        else:
            new.append(_entry(allowance, sessions[key[0]], periods, line))
    LedgerEntry.objects.bulk_create(new)
    rollups.add(allowance.organization_id, _uses(lines, sessions))


def _uses(
    lines: Sequence[drawdown.Line], sessions: Mapping[uuid.UUID, SessionTime]
) -> Iterator[rollups.Use]:
    for line in lines:
        time = sessions[uuid.UUID(line.session)]
        for number, (seconds, compute_seconds) in enumerate(line.quarters):
            yield rollups.Use(
                at=from_seconds(line.hour + number * QUARTER),
                person_id=time.person_id,
                engine_size=time.engine_size,
                source=str(line.source),
                seconds=seconds,
                compute_seconds=compute_seconds,
                cost_microusd=compute_seconds * line.rate,
            )


def _open_entries(
    allowance: Allowance, lines: Sequence[drawdown.Line]
) -> dict[tuple[uuid.UUID, int, str], uuid.UUID]:
    if not lines:
        return {}
    first = min(line.hour for line in lines)
    rows = LedgerEntry.objects.filter(
        organization_id=allowance.organization_id,
        hour=from_seconds(first),
        corrects=None,
        session_id__in={line.session for line in lines},
    ).values_list("session_id", "hour", "source", "id")
    return {(session, to_seconds(hour), source): key for session, hour, source, key in rows}


def _grow(allowance: Allowance, entry: uuid.UUID, line: drawdown.Line) -> None:
    LedgerEntry.objects.filter(
        organization_id=allowance.organization_id, hour=from_seconds(line.hour), id=entry
    ).update(
        seconds=F("seconds") + line.seconds,
        lump_seconds=F("lump_seconds") + line.lump_seconds,
        compute_seconds=F("compute_seconds") + line.compute_seconds,
        cost_microusd=F("cost_microusd") + line.cost,
        **{name: F(name) + amount for name, amount in _later_quarters(line).items()},
    )


def _later_quarters(line: drawdown.Line) -> dict[str, int]:
    """By column, what fell into the hour's second to last quarter."""
    found = {}
    for number, (seconds, compute_seconds) in enumerate(line.quarters):
        if number:
            found[f"seconds_{number}"] = seconds
            found[f"compute_{number}"] = compute_seconds
    return found


def _entry(
    allowance: Allowance, time: SessionTime, periods: Sequence[int], line: drawdown.Line
) -> LedgerEntry:
    return LedgerEntry(
        organization_id=allowance.organization_id,
        hour=from_seconds(line.hour),
        session_id=time.session_id,
        person_id=time.person_id,
        source=str(line.source),
        engine_size=time.engine_size,
        period_start=_period_start(periods, line.hour),
        seconds=line.seconds,
        lump_seconds=line.lump_seconds,
        compute_seconds=line.compute_seconds,
        rate_microusd=line.rate,
        cost_microusd=line.cost,
        **_later_quarters(line),
    )


def _period_start(periods: Sequence[int], hour: int) -> datetime:
    """A boundary is a midnight, so an hour lies in one period whole."""
    return from_seconds(max((at for at in periods if at <= hour), default=hour))
