"""From rows to the facts that the clock reads.

What lower floors decided about a session (access lost, subscription ended) is an instant there
and an input here; once the end is written down, the session's own row holds it.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import UUIDField, Value

from offload_portal.common.periods import to_seconds
from orgs.models import AccessLoss, License
from sessions import clock
from sessions.models import Session
from usage.models import Allowance, Subscription

Ends = Mapping[uuid.UUID, tuple[clock.EndFact, ...]]


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else to_seconds(at)


def terms_of(session: Session) -> clock.Terms:
    """The terms with which it started and which it keeps (rule 14)."""
    return _terms(
        session.idle_timeout_seconds,
        session.multiplier,
        session.start_timeout_seconds,
        session.idle_end_seconds,
        session.inactivity_prompt_seconds,
        session.prompt_seconds,
        session.daily_limit_seconds,
        session.daily_prompt_seconds,
        session.prompt_answer_seconds,
        session.longest_seconds,
    )


@lru_cache(maxsize=1_024)
def _terms(*terms: int) -> clock.Terms:
    """Most sessions have the same ones, and each making of them is checked."""
    return clock.Terms(*terms)


def facts_of(session: Session, ends: Iterable[clock.EndFact] = ()) -> clock.Facts:
    """The clock's facts of a session that was read with `with_facts()`.

    `ends` are those that lower floors hold and that its row doesn't have yet.
    """
    return facts_from(session, closed_stretches(session), ends)


def facts_of_new(session: Session) -> clock.Facts:
    """The clock's facts of a session that was started this very moment, with its pulse."""
    return facts_from(session, (), ())


def facts_from(
    session: Session, closed: tuple[clock.Stretch, ...], ends: Iterable[clock.EndFact]
) -> clock.Facts:
    """The same from a session with its pulse, where the closed stretches are known."""
    own: list[clock.EndFact] = []
    if session.stop_at is not None:
        reason = clock.EndReason(session.stop_reason)
        own.append(clock.EndFact(to_seconds(session.stop_at), reason))
    exhausted = None
    if session.exhausted_at is not None:
        reason = clock.EndReason(session.exhausted_reason)
        exhausted = clock.EndFact(to_seconds(session.exhausted_at), reason)
    return clock.Facts(
        created_at=to_seconds(session.created_at),
        terms=terms_of(session),
        ready_at=_seconds(session.ready_at),
        closed=closed,
        open=open_stretch(session),
        ends=(*own, *ends),
        exhausted=exhausted,
        active_before=session.active_before_seconds,
    )


def closed_stretches(session: Session) -> tuple[clock.Stretch, ...]:
    stretches = sorted(session.stretches.all(), key=lambda stretch: stretch.started_at)
    return tuple(
        clock.Stretch(to_seconds(stretch.started_at), to_seconds(stretch.idle_at))
        for stretch in stretches
    )


def open_stretch(session: Session) -> clock.OpenStretch | None:
    pulse = session.pulse
    if pulse.started_at is None or pulse.last_activity_at is None or pulse.last_call_at is None:
        return None
    return clock.OpenStretch(
        started_at=to_seconds(pulse.started_at),
        last_activity_at=to_seconds(pulse.last_activity_at),
        last_call_at=to_seconds(pulse.last_call_at),
        idled_at=_seconds(pulse.idled_at),
        kept_until=_seconds(pulse.kept_until),
    )


def ends_from_below(
    sessions: Iterable[Session], marks: Mapping[uuid.UUID, int] | None = None
) -> Ends:
    """Access lost and subscription ended, for sessions whose end isn't written down.

    A fact is recorded with the later of its instant and the organization's watermark
    (rule 18): what is already metered stays as it is. `marks` are the watermarks where the caller
    has them. At most two statements, whatever the number, one where the sessions were read with
    `with_notices()`, and none where every session has ended.
    """
    running = [session for session in sessions if session.ended_at is None]
    if not running:
        return {}
    if marks is None:
        marks = _watermarks(running)
    losses, contracts = _instants_below(running)
    found: dict[uuid.UUID, list[clock.EndFact]] = defaultdict(list)
    for session in running:
        ends = (
            (_access_lost(session, losses), clock.EndReason.ACCESS_REVOKED),
            (
                _first(contracts.get(session.organization_id, ()), session.created_at),
                clock.EndReason.SUBSCRIPTION_ENDED,
            ),
        )
        for at, reason in ends:
            if at is not None:
                end = max(to_seconds(at), marks.get(session.organization_id, 0))
                found[session.id].append(clock.EndFact(end, reason))
    return {identifier: tuple(ends) for identifier, ends in found.items()}


def _watermarks(running: list[Session]) -> dict[uuid.UUID, int]:
    """No statement where the sessions were read with their organizations' allowances."""
    found: dict[uuid.UUID, int] = {}
    for session in running:
        organization = session._state.fields_cache.get("organization")
        joined = organization._state.fields_cache if organization else {}
        if "allowance" not in joined:
            return _read_watermarks(running)
        if joined["allowance"] is not None:
            found[session.organization_id] = to_seconds(joined["allowance"].metered_until)
    return found


def _read_watermarks(running: list[Session]) -> dict[uuid.UUID, int]:
    organizations = {session.organization_id for session in running}
    rows = Allowance.objects.filter(organization_id__in=organizations)
    return {
        organization: to_seconds(until)
        for organization, until in rows.values_list("organization_id", "metered_until")
    }


# Per organization and person: when access was lost or ends, and the loss's identifier, if recorded.
Losses = Mapping[tuple[uuid.UUID, uuid.UUID], Sequence[tuple[datetime, uuid.UUID | None]]]


def _instants_below(running: list[Session]) -> tuple[Losses, Mapping[uuid.UUID, list[datetime]]]:
    """Losses of access, and by organization when contracts are suspended or end. One statement.

    Also ends that are known but that no sweep wrote down yet: a trial's, a cancellation's, that of
    a license's grants. One that is still to come is an input as well; the clock looks at the
    instant that it is asked for.
    """
    organizations = {session.organization_id for session in running}
    people = {
        "organization_id__in": organizations,
        "person_id__in": {session.person_id for session in running},
    }
    nothing = Value(None, UUIDField())
    losses = AccessLoss.objects.filter(
        **people, id__gt=min(session.id for session in running)
    ).values_list("organization_id", "person_id", "at", "id")
    grants = License.objects.held().filter(**people, ends_at__isnull=False)
    # An organization has few contracts, and those that never end add nothing.
    contracts: Any = Subscription.objects.filter(organization_id__in=organizations).with_end()
    rows: Any = losses.union(
        grants.values_list("organization_id", "person_id", "ends_at", nothing),
        contracts.filter(suspended_at__isnull=False).values_list(
            "organization_id", nothing, "suspended_at", nothing
        ),
        contracts.filter(end__isnull=False).values_list("organization_id", nothing, "end", nothing),
        all=True,
    )
    of_people = defaultdict(list)
    of_contracts = defaultdict(list)
    for organization, person, at, identifier in rows:
        if person is None:
            of_contracts[organization].append(at)
        else:
            of_people[organization, person].append((at, identifier))
    return of_people, of_contracts


def _access_lost(session: Session, losses: Losses) -> datetime | None:
    """The first loss that was recorded after the start, or the end of the license's grants.

    Identifiers tell the order. Whoever takes access away reads its instant before waiting for
    the organization's lock, so that it may lie before a start that was recorded first: then it
    counts from the start. An end of grants is an input before anybody writes the loss down.
    """
    known = losses.get((session.organization_id, session.person_id), ())
    later = [at for at, loss in known if loss is None or loss > session.id]
    return max(min(later), session.created_at) if later else None


def earliest_end(subscriptions: Iterable[Subscription], since: datetime) -> datetime | None:
    """The first suspension or end of them at or after the instant, as far as it is known."""
    instants = [at for each in subscriptions for at in (each.suspended_at, each.ends_at)]
    return _first((at for at in instants if at is not None), since)


def _first(instants: Iterable[datetime], since: datetime) -> datetime | None:
    return min((at for at in instants if at >= since), default=None)
