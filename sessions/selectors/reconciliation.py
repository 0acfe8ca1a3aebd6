"""Does the ledger explain every billed second? (targets R2: billed = entries + unpaid)"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import F

from offload_portal.common.periods import to_seconds
from sessions import clock
from sessions.models import Keeping, Session
from sessions.selectors.facts import facts_of
from usage.models import Allowance
from usage.selectors import unpaid_of_session, uses_of_sessions


@dataclass(frozen=True, slots=True)
class Difference:
    """A session of which the clock bills `billed` wall seconds and the book explains others."""

    session_id: uuid.UUID
    billed: int
    explained: int


def differences(organization_id: uuid.UUID | None = None) -> Iterator[Difference]:
    """Sessions whose end was written down and metered, where clock and ledger disagree.

    Those whose stretches were deleted with age have no clock any more.
    """
    ended = Session.objects.with_facts().filter(ended_at__isnull=False).order_by("id")
    if organization_id is not None:
        ended = ended.filter(organization_id=organization_id)
    gone = dict(Keeping.objects.values_list("organization_id", "runs_gone_until"))
    marks = dict(Allowance.objects.values_list("organization_id", F("metered_until")))
    for session in ended.iterator(chunk_size=500):
        mark = marks.get(session.organization_id)
        if mark is None or session.ended_at is None or session.ended_at >= mark:
            continue
        if session.ended_at < gone.get(session.organization_id, session.ended_at):
            continue
        billed = clock.billing(facts_of(session), 0, to_seconds(mark)).seconds
        uses = uses_of_sessions([session.id]).get(session.id, {})
        explained = sum(use.seconds for use in uses.values()) + unpaid_of_session(session.id)
        if not billed == explained == session.billed_seconds:
            yield Difference(session.id, billed, explained)
