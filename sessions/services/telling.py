"""What sessions were told and when, written down as the meter finds it (product.md rule 19)."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F

from offload_portal.common.periods import to_seconds
from sessions import clock
from sessions.models import Session
from sessions.selectors.caps import CapAhead, UnderCaps
from usage.forecast import Onward
from usage.models import Allowance, Cap
from usage.selectors.caps import cap_names
from usage.services.cap_rows import Onwards


def onward_of(session: Session, facts: clock.Facts, at: int) -> Onward | None:
    """How it goes on from `at`, for the look ahead; None where it has ended or bills nothing."""
    going = clock.going_on(facts, at)
    return None if going is None else Onward(session.multiplier, going.gap, going.ends_at)


def onwards_of(facts: Mapping[Session, clock.Facts], at: datetime) -> dict[uuid.UUID, Onward]:
    """By session; those that bill nothing yet have none."""
    each = ((one.id, onward_of(one, known, to_seconds(at))) for one, known in facts.items())
    return {key: onward for key, onward in each if onward is not None}


def onwards_by_cap(onwards: Mapping[uuid.UUID, Onward], under: UnderCaps) -> Onwards:
    found: dict[uuid.UUID, list[Onward]] = {}
    for session, onward in onwards.items():
        for cap in under.get(session, ()):
            found.setdefault(cap, []).append(onward)
    return found


def note_caps_ahead(sessions: Sequence[Session], caps: Sequence[Cap], under: UnderCaps) -> None:
    """Write down for each session when the first of its caps is reached, if it is in sight.

    So its notices cost no statement. Most of the time nothing is to be written.
    """
    ahead = {cap.id: cap for cap in caps if cap.ends_at is not None}
    changed: dict[str, list[Session]] = {}
    names = cap_names(list(ahead.values())) if ahead else {}
    for session in sessions:
        found = _first_ahead([ahead[key] for key in under.get(session.id, ()) if key in ahead])
        value = None if found is None else CapAhead.of(found, names[found.id]).as_json()
        if value != session.cap_ahead:
            session.cap_ahead = value
            changed.setdefault(json.dumps(value), []).append(session)
    for same in changed.values():
        rows = Session.objects.filter(pk__in=[session.pk for session in same])
        rows.update(cap_ahead=same[0].cap_ahead)


def _first_ahead(caps: Sequence[Cap]) -> Cap | None:
    """Of those reached in the same second the smallest is named."""
    return min(
        caps, key=lambda cap: (cap.ends_at, cap.limit_compute_seconds or 0, cap.id), default=None
    )


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
    else:
        _note((one for one in sessions if _nears_a_cap(one, at + earliest)), "low_at", at)
    if switched is not None:
        _note((one for one in sessions if one.created_at < switched), "on_demand_at", switched)


def _nears_a_cap(session: Session, by: datetime) -> bool:
    ahead = CapAhead.read(session.cap_ahead)
    return ahead is not None and (ahead.by_limit or ahead.at <= by)


def _note(sessions: Iterable[Session], name: str, at: datetime) -> None:
    fresh = [session.pk for session in sessions if getattr(session, name) is None]
    if fresh:
        rows = Session.objects.filter(pk__in=fresh, **{name: None})
        rows.update(**{name: at}, version=F("version") + 1)
