"""How the meter does, for operators: how late it is, what it is near to, what went wrong."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Q

from offload_portal.common.periods import to_seconds
from sessions import clock
from sessions.models import MeterFailure, Session
from sessions.selectors.facts import ends_from_below, facts_of
from usage.models import Allowance, Reconciliation

MOST_SHOWN = 20
MOST_LOOKED_AT = 200
# Of the idle timeout: a client reports three times in it, so two thirds without a word are odd.
SILENT_SHARE = (2, 3)


@dataclass(frozen=True, slots=True)
class MeteredRow:
    """An organization with running sessions. `lag_seconds` is how far its watermark is behind."""

    organization_id: uuid.UUID
    name: str
    running: int
    metered_until: datetime
    lag_seconds: int
    left_compute_seconds: int | None
    spent_at: datetime | None


@dataclass(frozen=True, slots=True)
class SilentRow:
    """An active session from which no report came for long. `is_overdue`: it should have ended."""

    session_id: uuid.UUID
    organization_id: uuid.UUID
    organization: str
    user: str
    state: str
    last_activity_at: datetime
    silent_seconds: int
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class MeterState:
    """Everything of the page; lists hold the worst twenty."""

    organizations: int
    running: int
    lag_seconds: int
    behind: Sequence[MeteredRow]
    near: Sequence[MeteredRow]
    silent: Sequence[SilentRow]
    failures: Sequence[MeterFailure]
    differing: Sequence[Reconciliation]


def meter_state(at: datetime) -> MeterState:
    """As of the instant, in a fixed number of statements."""
    rows = (
        Allowance.objects.annotate(
            running=Count(
                "organization__offload_sessions",
                filter=Q(organization__offload_sessions__ended_at=None),
            )
        )
        .filter(running__gt=0)
        .select_related("organization")
    )
    counted = Session.objects.running().aggregate(
        running=Count("id"), organizations=Count("organization", distinct=True)
    )
    behind = [_metered(row, at) for row in rows.order_by("metered_until", "pk")[:MOST_SHOWN]]
    soonest = rows.filter(spent_at__isnull=False).order_by("spent_at", "pk")
    return MeterState(
        organizations=counted["organizations"],
        running=counted["running"],
        lag_seconds=max((row.lag_seconds for row in behind), default=0),
        behind=behind,
        near=[_metered(row, at) for row in soonest[:MOST_SHOWN]],
        silent=_silent(at),
        failures=list(
            MeterFailure.objects.select_related("organization").order_by("first_at", "pk")[
                :MOST_SHOWN
            ]
        ),
        differing=list(
            Reconciliation.objects.filter(differences__gt=0)
            .select_related("organization")
            .order_by("differs_since", "pk")[:MOST_SHOWN]
        ),
    )


def _metered(row: Allowance, at: datetime) -> MeteredRow:
    return MeteredRow(
        organization_id=row.organization_id,
        name=row.organization.name,
        running=row.running,  # type: ignore[attr-defined]  # annotated
        metered_until=row.metered_until,
        lag_seconds=max(0, to_seconds(at) - to_seconds(row.metered_until)),
        left_compute_seconds=row.left_compute_seconds,
        spent_at=row.spent_at,
    )


def _silent(at: datetime) -> list[SilentRow]:
    """Those whose last activity is the longest ago are looked at, the clock says how they are."""
    rows = list(
        Session.objects.running()
        .with_facts()
        .select_related("organization", "person", "pulse")
        .filter(pulse__last_activity_at__isnull=False)
        .order_by(F("pulse__last_activity_at"), "pk")[:MOST_LOOKED_AT]
    )
    ends = ends_from_below(rows)
    found = [_silence(row, ends.get(row.pk, ()), at) for row in rows]
    return [row for row in found if row is not None][:MOST_SHOWN]


def _silence(row: Session, ends: Sequence[clock.EndFact], at: datetime) -> SilentRow | None:
    last = row.pulse.last_activity_at
    if last is None:
        return None
    moment = clock.state_at(facts_of(row, ends), to_seconds(at))
    silent = to_seconds(at) - to_seconds(last)
    share, of = SILENT_SHARE
    overdue = str(moment.state) in ("ended", "failed")
    if not overdue and (moment.state != "active" or silent * of < row.idle_timeout_seconds * share):
        return None
    return SilentRow(
        session_id=row.pk,
        organization_id=row.organization_id,
        organization=row.organization.name,
        user=row.person.shown_name,
        state=str(moment.state),
        last_activity_at=last,
        silent_seconds=silent,
        is_overdue=overdue,
    )
