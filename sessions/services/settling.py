"""Writing down an end that is already true."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import F, Q

from offload_portal.common.actors import PORTAL, Actor
from offload_portal.common.periods import from_seconds
from orgs.enums import Event
from orgs.services import audit
from sessions import clock
from sessions.enums import EndReason
from sessions.models import ContainerRun, Session
from sessions.selectors.use_groups import main_image
from usage.services import metering

CLOCK_ENDS = frozenset(
    {clock.EndReason.FAILED, clock.EndReason.IDLE, clock.EndReason.SESSION_LENGTH}
)
EXHAUSTED = frozenset({clock.EndReason.ALLOWANCE_EXHAUSTED, clock.EndReason.CAP_REACHED})


@dataclass(frozen=True, slots=True)
class EndOrder:
    """An end that somebody or something orders now; `failure` is a sentence for operators."""

    reason: EndReason
    actor_id: uuid.UUID | None = None
    failure: str = ""


def ordered(session: Session, facts: clock.Facts, order: EndOrder, at: int) -> clock.Facts:
    """The facts with the order recorded at `at`, unless another end was recorded before."""
    if session.stop_at is not None:
        return facts
    end = clock.EndFact(at, clock.EndReason(order.reason))
    if clock.end_of(facts).at <= at:
        return facts
    session.stop_actor_id, session.failure = order.actor_id, order.failure
    return replace(facts, ends=(*facts.ends, end))


def settle(session: Session, facts: clock.Facts, end: clock.EndFact) -> bool:
    """Write the end down once; what its user holds of the allowance goes back.

    The organization is locked and metered to the end. False where another did it first.
    """
    moment = clock.state_at(facts, end.at)
    at = from_seconds(end.at)
    changed = Session.objects.filter(pk=session.pk, ended_at=None).update(
        ended_at=at,
        end_reason=str(end.reason),
        active_seconds=moment.active_seconds,
        billed_seconds=moment.billed_seconds,
        container_count=ContainerRun.objects.filter(session=session).count(),
        main_image=main_image(session, at),
        reserved_compute_seconds=0,
        version=F("version") + 1,
        **_recorded(session, end, at),
    )
    if not changed:
        return False
    metering.release(session.organization_id, session.reserved_compute_seconds)
    _audit(session, end, at, moment)
    return True


def _recorded(session: Session, end: clock.EndFact, at: datetime) -> dict[str, object]:
    """The facts from below that ended it, so that its own row tells its end from now on."""
    if end.reason in EXHAUSTED:
        cap = session.exhausted_cap if end.reason is clock.EndReason.CAP_REACHED else None
        return {
            "exhausted_at": at,
            "exhausted_reason": str(end.reason),
            "exhausted_cap": cap,
        }
    by_clock = end.reason in CLOCK_ENDS and not session.failure
    if by_clock or session.stop_at is not None:
        return {}
    return {
        "stop_at": at,
        "stop_reason": str(end.reason),
        "stop_actor_id": session.stop_actor_id,
        "failure": session.failure,
    }


def _audit(session: Session, end: clock.EndFact, at: datetime, moment: clock.Moment) -> None:
    by_person = end.reason in (clock.EndReason.STOPPED, clock.EndReason.STOPPED_BY_OWNER)
    actor = Actor(session.stop_actor_id, "api") if by_person else PORTAL
    audit.record(
        event=Event.SESSION_ENDED,
        actor=actor,
        at=at,
        organization_id=session.organization_id,
        subject=("session", session.id),
        after={
            "reason": str(end.reason),
            "person": str(session.person_id),
            "active_seconds": moment.active_seconds,
            "billed_seconds": moment.billed_seconds,
            **_cap(session, end),
        },
    )


def _cap(session: Session, end: clock.EndFact) -> dict[str, str]:
    if end.reason is not clock.EndReason.CAP_REACHED:
        return {}
    return {"cap": str(session.exhausted_cap)}


def unsettled_of(organization_id: uuid.UUID, since: datetime) -> list[Session]:
    """Sessions that may still be billed from `since` on, in the order of start, then of recording.

    Those that ended in the watermark's own second may have resumed in it.
    """
    return list(
        Session.objects.with_facts()
        .filter(organization_id=organization_id)
        .filter(Q(ended_at=None) | Q(ended_at__gte=since))
        .order_by("created_at", "id")
    )
