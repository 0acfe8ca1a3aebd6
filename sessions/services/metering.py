"""Metering an organization: facts in, ledger out, ends written down (rules 15 to 19)."""

import logging
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import (
    BigIntegerField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
)
from kombu.exceptions import OperationalError

from offload_portal.common.periods import to_seconds
from orgs.models import Organization
from orgs.services import end_overrides_everywhere, expire_grants
from sessions import clock
from sessions.models import MeterFailure, Session
from sessions.selectors.caps import caps_of_sessions
from sessions.selectors.facts import ends_from_below, facts_of
from sessions.services.far import meter_far
from sessions.services.settling import EndOrder, ordered, settle, unsettled_of
from sessions.services.telling import (
    note_caps_ahead,
    note_told,
    onward_of,
    onwards_by_cap,
    onwards_of,
)
from sessions.services.warning import warn_after_metering
from usage.models import Allowance, Cap
from usage.services import metering, settle_subscription, settle_subscriptions

logger = logging.getLogger(__name__)
T = TypeVar("T")
MOST_ERROR_LETTERS, MOST_FAILURES = 500, 1_000
NOTHING_SWEPT = metering.Swept(exhausted={}, drawn={})


@dataclass(frozen=True, slots=True)
class Tick:
    """What a sweep did."""

    metered: int
    failed: int
    ended: int
    organizations: tuple[uuid.UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Metering:
    """The watermark after metering, and how many ends were written down.

    `running` names the person of each session that still runs then. `allowance` is the row after
    it, None before the first subscription, and `caps` are those the organization has.
    """

    until: datetime
    ended: int = 0
    running: tuple[uuid.UUID, ...] = ()
    allowance: Allowance | None = None
    caps: tuple[Cap, ...] = ()


def meter_organization(
    *, organization_id: uuid.UUID, at: datetime, orders: Mapping[uuid.UUID, EndOrder] | None = None
) -> Metering:
    """Meter all its sessions up to, not including, the second `at`, or none of them.

    `orders` end sessions that have not ended by then, at the watermark, in the same step.

    Metering twice, late, or from two workers at once changes nothing: a later one finds the
    watermark where it wants to go. Where the watermark is later than `at` it stays.
    """
    # All or nothing with the transaction around it, if there is one: it needs no savepoint.
    with transaction.atomic(savepoint=False):
        allowance = metering.lock(organization_id)
        if allowance is None:
            return Metering(until=at)
        return _meter(allowance, at, orders or {})


def _meter(allowance: Allowance, at: datetime, orders: Mapping[uuid.UUID, EndOrder]) -> Metering:
    if settle_subscription(organization_id=allowance.organization_id, at=at):
        allowance.refresh_from_db()
    since = allowance.metered_until
    until = max(since, at)
    sessions = unsettled_of(allowance.organization_id, since)
    ends = ends_from_below(sessions, {allowance.organization_id: to_seconds(since)})
    facts = {session.id: facts_of(session, ends.get(session.id, ())) for session in sessions}
    caps = metering.caps_of(allowance)
    under = caps_of_sessions(caps, sessions)
    swept = NOTHING_SWEPT
    if until > since:
        times = _times(sessions, facts, under, (since, until), orders)
        swept = metering.draw(allowance, times, until, caps)
    ended = 0
    running = []
    for session in sessions:
        known = facts[session.id]
        if session.id in swept.exhausted:
            known = _exhausted(session, known, swept.exhausted[session.id])
        if session.ended_at is None and session.id in orders:
            known = ordered(session, known, orders[session.id], to_seconds(until))
        end = clock.end_of(known)
        drawn = swept.drawn.get(session.id, 0)
        if session.ended_at is None and end.at <= to_seconds(until):
            ended += settle(session, known, end)
            continue
        if drawn:
            _shrink_reservation(session, drawn)
        if session.ended_at is None:
            running.append(session)
    note_caps_ahead(running, caps, under)
    note_told(running, allowance, until, swept.on_demand_at)
    people = tuple(session.person_id for session in running)
    return Metering(until, ended, people, allowance, tuple(caps))


def _exhausted(session: Session, facts: clock.Facts, found: metering.Exhausted) -> clock.Facts:
    session.exhausted_cap = found.cap
    end = clock.EndFact(found.at, clock.EndReason(found.reason))
    return replace(facts, exhausted=end)


def _shrink_reservation(session: Session, drawn: int) -> None:
    """A reservation shrinks by what its session uses (rule 19)."""
    used = min(session.reserved_compute_seconds, drawn)
    if not used:
        return
    session.reserved_compute_seconds -= used
    Session.objects.filter(pk=session.pk).update(
        reserved_compute_seconds=F("reserved_compute_seconds") - used
    )
    metering.release(session.organization_id, used)


def _times(
    sessions: Sequence[Session],
    facts: dict[uuid.UUID, clock.Facts],
    under: Mapping[uuid.UUID, tuple[uuid.UUID, ...]],
    window: tuple[datetime, datetime],
    orders: Collection[uuid.UUID],
) -> list[metering.SessionTime]:
    """What the clock says of each session's time within the window, and how it goes on.

    Those in `orders` end with it. `under` are the caps of each session.
    """
    since, until = window
    times = []
    for number, session in enumerate(sessions):
        known = facts[session.id]
        billing = clock.billing(known, to_seconds(since), to_seconds(until))
        end = clock.end_of(known)
        times.append(
            metering.SessionTime(
                session_id=session.id,
                person_id=session.person_id,
                engine_size=session.engine_size,
                order=(known.created_at, number),
                multiplier=session.multiplier,
                spans=billing.spans,
                lumps=tuple((lump.at, lump.seconds) for lump in billing.lumps),
                ended_at=end.at if end.at <= to_seconds(until) else None,
                onward=None
                if session.id in orders
                else onward_of(session, known, to_seconds(until)),
                caps=under.get(session.id, ()),
            )
        )
    return times


def change_allowance(
    *, organization: Organization, at: datetime, change: Callable[[datetime], T]
) -> T:
    """Make a change of the allowance or of a limit after metering to its instant (rule 18).

    `change` is called with the instant that the fact is recorded with: the later of `at` and
    the watermark. Its second is over before exhaustion is checked, since another change in it
    may save the sessions; the meter comes right after it.
    """
    with transaction.atomic():
        allowance = metering.lock(organization.pk)
        if allowance is not None:
            at = _meter(allowance, at, {}).until
        result = change(at)
        if allowance is not None:
            _look_ahead(organization.pk, at)
        transaction.on_commit(lambda: _meter_soon(organization.pk))
    return result


def _look_ahead(organization_id: uuid.UUID, at: datetime) -> None:
    """What the change means for those who work: notices come and go with it, not a minute later."""
    allowance = Allowance.objects.get(pk=organization_id)
    running = [one for one in unsettled_of(organization_id, at) if one.ended_at is None]
    ends = ends_from_below(running, {organization_id: to_seconds(at)})
    facts = {session: facts_of(session, ends.get(session.id, ())) for session in running}
    under = caps_of_sessions(metering.caps_of(allowance), running)
    onwards = onwards_of(facts, at)
    by_cap = onwards_by_cap(onwards, under)
    caps = metering.look_ahead(allowance, list(onwards.values()), by_cap, at)
    note_caps_ahead(running, caps, under)


def _meter_soon(organization_id: uuid.UUID) -> None:
    """Ask for a metering once this second is over. A lost message is found by the sweep."""
    try:
        current_app.send_task(
            "sessions.tasks.meter",
            kwargs={"organization_id": str(organization_id)},
            countdown=1,
            retry=False,
        )
    except OperationalError:
        logger.warning("The broker is away; the next sweep meters %s", organization_id)


def meter_and_warn(*, organization_id: uuid.UUID, at: datetime) -> None:
    """Meter one organization, and say what that makes due (rule 20)."""
    meter_organization(organization_id=organization_id, at=at)
    warn_after_metering(metered=[organization_id], at=at)


def _due(at: datetime) -> dict[uuid.UUID, datetime]:
    """Organizations with something to meter, or with a period that is over, and watermarks."""
    unsettled = Session.objects.filter(organization_id=OuterRef("pk")).filter(
        Q(ended_at=None) | Q(ended_at__gte=OuterRef("metered_until"))
    )
    return dict(
        Allowance.objects.filter(Q(Exists(unsettled)) | Q(period_end__lte=at))
        .order_by("organization_id")
        .values_list("organization_id", "metered_until")
    )


def sweep(*, at: datetime) -> Tick:
    """Write down everything that is true by now. One failure doesn't stop the rest.

    Organizations that are far from any bound are metered many at once, where the database can.
    """
    settle_subscriptions(at=at)
    expire_grants(at=at)
    end_overrides_everywhere(at=at)
    due = _due(at)
    quickly = meter_far(due=due, at=at)
    _forget_failures(quickly)
    tick = _meter_each((key for key in due if key not in quickly), at)
    tick = replace(
        tick,
        metered=tick.metered + len(quickly),
        organizations=(*quickly, *tick.organizations),
    )
    warn_after_metering(metered=tick.organizations, at=at)
    return tick


def meet_bounds(*, at: datetime) -> Tick:
    """Meter those that may have met a bound since the last sweep, every few seconds.

    So a session ends soon after the exact second in which nothing is left; the second itself is
    the same whenever it is found (rule 19).
    """
    return _meter_each(near_a_bound(at), at)


def _meter_each(organizations: Iterable[uuid.UUID], at: datetime) -> Tick:
    failed = ended = 0
    metered = []
    for organization_id in organizations:
        try:
            ended += meter_organization(organization_id=organization_id, at=at).ended
            metered.append(organization_id)
        except Exception as error:  # one organization's fault must not stop the others' meter
            failed += 1
            logger.exception("Organization %s could not be metered", organization_id)
            _note_failure(organization_id, error, at)
    _forget_failures(metered)
    return Tick(len(metered), failed, ended, tuple(metered))


def _note_failure(organization_id: uuid.UUID, error: Exception, at: datetime) -> None:
    """For operators' eyes; that it can't be written must not stop the others either."""
    text = f"{type(error).__name__}: {error}"[:MOST_ERROR_LETTERS]
    try:
        with transaction.atomic():
            row, made = MeterFailure.objects.get_or_create(
                organization_id=organization_id,
                defaults={"first_at": at, "last_at": at, "error": text},
            )
            if not made:
                MeterFailure.objects.filter(pk=row.pk).update(
                    last_at=at, count=F("count") + 1, error=text
                )
    except DatabaseError:
        logger.exception("The failure of %s could not be noted", organization_id)


def _forget_failures(metered: Collection[uuid.UUID]) -> None:
    """Who could be metered has no failure any more."""
    if not metered:
        return
    known = set(MeterFailure.objects.order_by("pk").values_list("pk", flat=True)[:MOST_FAILURES])
    healed = known & set(metered)
    if healed:
        MeterFailure.objects.filter(pk__in=healed).delete()


def near_a_bound(at: datetime) -> list[uuid.UUID]:
    """Organizations with sessions that could use up what is left before the next sweep is done.

    What a session can use until then: the time between two sweeps and, in one lump, a gap as long
    as it may stay idle. The forecast names those whose end is due for another reason, as a limit
    that comes into force; a period that is over may leave nothing.
    """
    each = ExpressionWrapper(
        F("multiplier")
        * (F("idle_timeout_seconds") + F("idle_end_seconds") + 2 * settings.METER_EVERY_SECONDS),
        output_field=BigIntegerField(),
    )
    running = Session.objects.running().filter(organization_id=OuterRef("pk")).order_by()
    reach = running.values("organization_id").annotate(reach=Sum(each)).values("reach")
    near = (
        Q(left_compute_seconds__lte=F("reach"))
        | Q(Exists(_caps_in_reach(at)), has_caps=True)
        | Q(reach__isnull=False, sessions_end_at__lte=at)
        | Q(reach__isnull=False, period_end__lte=at)
    )
    rows = Allowance.objects.annotate(reach=Subquery(reach, output_field=BigIntegerField()))
    found = rows.filter(near, metered_until__lt=at).order_by("organization_id")
    return list(found.values_list("organization_id", flat=True))


def _caps_in_reach(at: datetime) -> QuerySet[Cap]:
    """Caps that all of the organization's sessions together could reach; few of them are theirs."""
    return Cap.objects.filter(organization_id=OuterRef("pk")).filter(
        Q(limit_compute_seconds__lte=F("used_compute_seconds") + OuterRef("reach"))
        | Q(ends_at__lte=at)
    )
