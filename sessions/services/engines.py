"""What the engine host tells: an engine answers, never will, or is lost (rules 8, 12)."""

import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import F

from offload_portal.common.locks import lock_together
from offload_portal.common.periods import to_seconds
from sessions import clock
from sessions.enums import EndReason
from sessions.models import Session
from sessions.selectors.facts import ends_from_below, facts_of
from sessions.services.metering import meter_organization
from sessions.services.settling import EndOrder
from usage.models import Allowance, UnpaidTime
from usage.services import metering
from usage.services.giving_back import give_back, lost_cause

LONGEST_FAILURE = 200


def engine_ready(*, at: datetime, session_id: uuid.UUID) -> bool:
    """The engine answers since `at`. False where the session has ended or failed by then.

    An answer at exactly the start timeout is too late (rule 8). Saying it twice changes nothing.
    """
    with transaction.atomic():
        session = _session(session_id)
        lock_together(session.organization_id)
        at = max(at, _watermark(session))
        facts = facts_of(session, ends_from_below([session]).get(session.id, ()))
        if clock.end_of(facts).at <= to_seconds(at):
            return False
        Session.objects.filter(pk=session_id, ready_at=None, ended_at=None).update(
            ready_at=at, version=F("version") + 1
        )
    return True


def engine_failed(*, at: datetime, session_id: uuid.UUID, reason: str) -> None:
    """The engine will never answer; `reason` is a sentence for operators."""
    session = _session(session_id)
    with transaction.atomic():
        _end(session, at, EndReason.FAILED, reason)
        # One that only waited too long failed by the clock, which knows no sentence.
        failed = Session.objects.filter(pk=session_id, end_reason=EndReason.FAILED, failure="")
        failed.update(failure=reason[:LONGEST_FAILURE], version=F("version") + 1)


def engine_lost(
    *, at: datetime, session_id: uuid.UUID, reason: str, last_seen_at: datetime
) -> None:
    """The engine is gone. What was billed since it was last seen is given back (rule 12)."""
    session = _session(session_id)
    with transaction.atomic():
        until = _end(session, at, EndReason.ENGINE_LOST, reason)
        session.refresh_from_db()
        if session.stop_at != until or session.end_reason != EndReason.ENGINE_LOST:
            return
        _give_back(session, last_seen_at, until)


def _session(session_id: uuid.UUID) -> Session:
    return Session.objects.with_facts().get(pk=session_id)


def _watermark(session: Session) -> datetime:
    return Allowance.objects.values_list("metered_until", flat=True).get(
        organization_id=session.organization_id
    )


def _end(session: Session, at: datetime, reason: EndReason, sentence: str) -> datetime:
    """Record the end where no other came before; gives the instant it stands with."""
    order = EndOrder(reason, failure=sentence[:LONGEST_FAILURE])
    return meter_organization(
        organization_id=session.organization_id, at=at, orders={session.pk: order}
    ).until


def _give_back(session: Session, last_seen_at: datetime, at: datetime) -> None:
    allowance = metering.lock(session.organization_id)
    if allowance is None:
        return
    facts = facts_of(_session(session.pk))
    since = max(to_seconds(last_seen_at), to_seconds(session.created_at))
    billed = clock.billing(facts, since, to_seconds(at)).seconds * session.multiplier
    unpaid = UnpaidTime.objects.filter(session_id=session.pk)
    billed -= sum(unpaid.values_list("compute_seconds", flat=True))
    give_back(at=at, allowance=allowance, compute_seconds=billed, cause=lost_cause(session.pk))
