"""What sessions were told and when, written down as the meter finds it (product.md rule 19)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F

from offload_portal.common.periods import to_seconds
from sessions import clock
from sessions.models import Session
from usage.forecast import Onward
from usage.models import Allowance


def onward_of(session: Session, facts: clock.Facts, at: int) -> Onward | None:
    """How it goes on from `at`, for the look ahead; None where it has ended or bills nothing."""
    going = clock.going_on(facts, at)
    return None if going is None else Onward(session.multiplier, going.gap, going.ends_at)


def onwards_of(facts: Mapping[Session, clock.Facts], at: datetime) -> list[Onward]:
    found = (onward_of(session, known, to_seconds(at)) for session, known in facts.items())
    return [onward for onward in found if onward is not None]


def note_told(
    sessions: Sequence[Session], allowance: Allowance, at: datetime, switched: datetime | None
) -> None:
    """Write down once for each session that time runs low, and that on-demand pays from then on.

    `sessions` haven't ended by `at`; `switched` is when use moved to on-demand, if it just did.
    """
    deadline = allowance.sessions_end_at or allowance.spent_at
    earliest = timedelta(seconds=settings.NOTICE_SECONDS[0])
    if deadline is not None and (allowance.ends_by_limit or at >= deadline - earliest):
        _note(sessions, "low_at", at)
    if switched is not None:
        _note((one for one in sessions if one.created_at < switched), "on_demand_at", switched)


def _note(sessions: Iterable[Session], name: str, at: datetime) -> None:
    fresh = [session.pk for session in sessions if getattr(session, name) is None]
    if fresh:
        rows = Session.objects.filter(pk__in=fresh, **{name: None})
        rows.update(**{name: at}, version=F("version") + 1)
