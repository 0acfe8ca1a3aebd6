"""Do sessions, ledger and rollups say the same? (targets R2: billed = entries + unpaid = rollups)

Only closed hours are compared: nothing in them changes any more, so it takes no lock.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from django.db.models import Exists, F, OuterRef, Sum

from offload_portal.common.periods import from_seconds, hour_of, to_seconds
from sessions import clock
from sessions.models import Keeping, Session
from sessions.selectors.facts import facts_of
from usage.models import Allowance, LedgerEntry, UnpaidTime
from usage.selectors import uses_of_sessions
from usage.selectors.rollups import ledger_bounds, rollup_differences

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """A session of which the clock bills `billed` wall seconds and the book explains others."""

    session_id: uuid.UUID
    billed: int
    explained: int

    def __str__(self) -> str:
        return f"Session {self.session_id}: {self.billed} s billed, {self.explained} s in the book."


def differences(
    organization_id: uuid.UUID | None = None, since: datetime | None = None
) -> Iterator[Difference]:
    """Sessions whose end was written down and metered, where clock, row and ledger disagree.

    Those whose stretches were deleted with age have no clock any more. `since` bounds the end.
    """
    ended = Session.objects.with_facts().filter(ended_at__isnull=False).order_by("id")
    if organization_id is not None:
        ended = ended.filter(organization_id=organization_id)
    if since is not None:
        ended = ended.filter(ended_at__gte=since)
    gone = dict(Keeping.objects.values_list("organization_id", "runs_gone_until"))
    marks = dict(Allowance.objects.values_list("organization_id", F("metered_until")))
    found = ended.iterator(chunk_size=AT_ONCE)
    while some := list(islice(found, AT_ONCE)):
        yield from _differences([one for one in some if _is_known(one, marks, gone)], marks)


def _is_known(
    session: Session, marks: dict[uuid.UUID, datetime], gone: dict[uuid.UUID, datetime]
) -> bool:
    mark, ended_at = marks.get(session.organization_id), session.ended_at
    if mark is None or ended_at is None or ended_at >= mark:
        return False
    return ended_at >= gone.get(session.organization_id, ended_at)


def _differences(sessions: list[Session], marks: dict[uuid.UUID, datetime]) -> Iterator[Difference]:
    keys = [session.id for session in sessions]
    uses = uses_of_sessions((session.id, session.organization_id) for session in sessions)
    unpaid = dict(
        UnpaidTime.objects.filter(session_id__in=keys)
        .values("session_id")
        .annotate(wall=Sum("seconds"))
        .order_by("session_id")
        .values_list("session_id", "wall")
    )
    for session in sessions:
        mark = marks[session.organization_id]
        billed = clock.billing(facts_of(session), 0, to_seconds(mark)).seconds
        explained = sum(use.seconds for use in uses.get(session.id, {}).values())
        explained += unpaid.get(session.id, 0)
        if not billed == explained == session.billed_seconds:
            yield Difference(session.id, billed, explained)


def closed_until(allowance: Allowance) -> datetime:
    """The end of the last hour that the watermark has passed."""
    return from_seconds(hour_of(to_seconds(allowance.metered_until)))


def findings(
    organization_id: uuid.UUID, until: datetime, since: datetime | None = None
) -> Iterator[str]:
    """A sentence for each difference in the closed hours before `until`.

    Sessions are compared that ended at `since` or later, rollups and entries in all hours.
    """
    bounds = ledger_bounds(organization_id)
    if bounds is not None:
        for one in rollup_differences(organization_id, bounds[0], min(bounds[1], until)):
            due, there = one.ledger[1], one.rollup[1]
            yield f"Rollup {_named(one.key)}: {there} compute-seconds, {due} by the ledger."
    sessions = Session.objects.filter(pk=OuterRef("session_id"))
    strays = LedgerEntry.objects.filter(organization_id=organization_id, hour__lt=until)
    for key in strays.filter(~Exists(sessions)).order_by("hour", "id").values_list("id", flat=True):
        yield f"Entry {key} is of no session."
    for difference in differences(organization_id, since):
        yield str(difference)


def _named(key: tuple[object, ...]) -> str:
    return " ".join(
        part.astimezone(UTC).isoformat() if isinstance(part, datetime) else str(part)
        for part in key
    )
