"""From rows to the facts that the clock reads.

What lower floors decided about a session (access lost, subscription ended) is an instant there
and an input here; once the end is written down, the session's own row holds it.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache

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
    has them. At most three statements, whatever the number, and none where every session has ended.
    """
    running = [session for session in sessions if session.ended_at is None]
    if not running:
        return {}
    if marks is None:
        marks = _watermarks(running)
    found: dict[uuid.UUID, list[clock.EndFact]] = defaultdict(list)
    for session, at in _access_losses(running):
        end = max(to_seconds(at), marks.get(session.organization_id, 0))
        found[session.id].append(clock.EndFact(end, clock.EndReason.ACCESS_REVOKED))
    for session, at in _subscription_ends(running):
        end = max(to_seconds(at), marks.get(session.organization_id, 0))
        found[session.id].append(clock.EndFact(end, clock.EndReason.SUBSCRIPTION_ENDED))
    return {identifier: tuple(ends) for identifier, ends in found.items()}


def _watermarks(running: list[Session]) -> dict[uuid.UUID, int]:
    organizations = {session.organization_id for session in running}
    rows = Allowance.objects.filter(organization_id__in=organizations)
    return {
        organization: to_seconds(until)
        for organization, until in rows.values_list("organization_id", "metered_until")
    }


def _access_losses(running: list[Session]) -> list[tuple[Session, datetime]]:
    """The first loss that was recorded after each start, or the end of the license's grants.

    Identifiers tell the order. Whoever takes access away reads its instant before waiting for
    the organization's lock, so that it may lie before a start that was recorded first: then it
    counts from the start. An end of grants is an input before anybody writes the loss down.
    """
    people = {
        "organization_id__in": {session.organization_id for session in running},
        "person_id__in": {session.person_id for session in running},
    }
    losses = AccessLoss.objects.filter(
        **people, id__gt=min(session.id for session in running)
    ).values_list("organization_id", "person_id", "at", "id")
    ends = (
        License.objects.held()
        .filter(**people, ends_at__isnull=False)
        .values_list("organization_id", "person_id", "ends_at", Value(None, UUIDField()))
    )
    by_person = defaultdict(list)
    for organization, person, at, identifier in losses.union(ends, all=True):
        by_person[organization, person].append((at, identifier))
    found = []
    for session in running:
        known = by_person[session.organization_id, session.person_id]
        later = [at for at, loss in known if loss is None or loss > session.id]
        if later:
            found.append((session, max(min(later), session.created_at)))
    return found


def _subscription_ends(running: list[Session]) -> list[tuple[Session, datetime]]:
    """Also ends that are known but that no sweep wrote down yet: a trial's, a cancellation's.

    One that is still to come is an input as well; the clock looks at the instant it is asked for.
    """
    # An organization has few, and those that never end add nothing.
    subscriptions = Subscription.objects.filter(
        organization_id__in={session.organization_id for session in running}
    ).order_by("started_at", "id")
    contracts: dict[uuid.UUID, list[Subscription]] = defaultdict(list)
    for subscription in subscriptions:
        contracts[subscription.organization_id].append(subscription)
    found = []
    for session in running:
        at = earliest_end(contracts[session.organization_id], session.created_at)
        if at is not None:
            found.append((session, at))
    return found


def earliest_end(subscriptions: Iterable[Subscription], since: datetime) -> datetime | None:
    """The first suspension or end of them at or after the instant, as far as it is known."""
    instants = [at for each in subscriptions for at in (each.suspended_at, each.ends_at)]
    return min((at for at in instants if at is not None and at >= since), default=None)
