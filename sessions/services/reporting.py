"""The short way of an activity report: read once, decide, write in one guarded statement.

It holds only if the pulse, the session's version and the watermark are still what the reading saw.
Whatever is more than a stretch that grows (a first activity, a resume, a refusal) and whatever lost
its race again and again takes the long way (`sessions.services.activity`), with the same outcome.
"""

from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection, transaction

from offload_portal.common.actors import Actor
from offload_portal.common.locks import number_of
from offload_portal.common.periods import from_seconds, to_seconds
from offload_portal.common.refusals import not_found
from offload_portal.common.rows import instant_value, key_value, run, vendor
from sessions import clock
from sessions.models import Pulse, Session
from sessions.selectors.reading import ImageSeen, Reading, read_session
from sessions.selectors.views import SessionView
from sessions.services import activity
from sessions.services.activity import ActivityReport
from sessions.services.keeping import NewRun, keep_builds, keep_runs, keep_samples
from usage.models import Allowance

TRIES = 3
_SHORT = frozenset({clock.ReactionKind.EXTENDS, clock.ReactionKind.NOTHING})


def record(*, actor: Actor, at: datetime, reading: Reading, report: ActivityReport) -> SessionView:
    """Record a report received at `at` from the session's user; the session as it is then.

    `reading` is the caller's; a repeated `sequence` changes nothing.
    """
    session = reading.session
    if actor.id != session.person_id:
        raise not_found()
    for _try in range(TRIES):
        if report.sequence is not None and report.sequence <= reading.session.pulse.sequence:
            return reading.view(at)
        reaction = _short_reaction(reading, at, report)
        if reaction is None:
            break
        written = _write(reading, reaction, report, at)
        if written is not None:
            return written.view(at)
        reading = _again(session)
    activity.report(actor=actor, at=at, session=session, report=report)
    return _again(session).view(at)


def _again(session: Session) -> Reading:
    reading = read_session(session.pk, session.person_id)
    if reading is None:
        raise not_found()
    return reading


def _short_reaction(
    reading: Reading, at: datetime, report: ActivityReport
) -> clock.Reaction | None:
    """What the report does, if the short way can write it down."""
    if reading.metered_until is None or report.sequence is None:
        return None
    instant = to_seconds(max(at, reading.metered_until))
    reaction = clock.report(
        reading.facts, instant, calls=report.api_calls > 0, running=report.running
    )
    return reaction if reaction.kind in _SHORT else None


def _write(
    reading: Reading, reaction: clock.Reaction, report: ActivityReport, at: datetime
) -> Reading | None:
    """The reading after the report; None where it lost a race and nothing was written."""
    if not report.has_rows:
        return _after(reading, reaction, report, []) if _grow(reading, reaction, report) else None
    with transaction.atomic(savepoint=False):
        # First, so that the meter waits for all of it.
        if not _grow(reading, reaction, report):
            return None
        new = keep_runs(reading.session, report.containers)
        keep_builds(reading.session, report.builds)
        keep_samples(reading.session, report.samples, max(at, reading.metered_until or at))
    return _after(reading, reaction, report, new)


def _after(
    reading: Reading, reaction: clock.Reaction, report: ActivityReport, new: list[NewRun]
) -> Reading:
    pulse = reading.session.pulse
    pulse.sequence = report.sequence or pulse.sequence
    images = _with_runs(reading.images, new) if new else reading.images
    return replace(reading, facts=reaction.facts, images=images)


def _with_runs(images: tuple[ImageSeen, ...], new: list[NewRun]) -> tuple[ImageSeen, ...]:
    known = {seen.image: seen for seen in images}
    for told in new:
        first = (to_seconds(told.started_at), told.id)
        before = known.get(told.image, ImageSeen(told.image, first, 0))
        known[told.image] = ImageSeen(told.image, min(first, before.first), before.runs + 1)
    return tuple(sorted(known.values(), key=lambda seen: seen.first))


# The guarded statement

_SAME = {"postgresql": "IS NOT DISTINCT FROM", "sqlite": "IS"}
_PULSE, _SESSION, _ALLOWANCE = (model._meta.db_table for model in (Pulse, Session, Allowance))
# On PostgreSQL a function, since a statement sees what was there before it waited for a lock: the
# function's own statement, which begins after the lock is held, sees what the meter did meanwhile.
STANDS = {
    "postgresql": "offload_sessions_stand(%s, %s, %s, %s, %s)",
    "sqlite": (
        f"EXISTS (SELECT 1 FROM {_SESSION} AS s JOIN {_ALLOWANCE} AS a "  # noqa: S608
        "ON a.organization_id = s.organization_id "
        "WHERE s.id = %s AND s.version = %s AND a.organization_id = %s AND a.metered_until = %s)"
    ),
}


@cache
def statement(kind: str) -> str:
    same = _SAME[kind]
    return (
        f"UPDATE {_PULSE} SET sequence = %s, last_activity_at = %s, last_call_at = %s, "  # noqa: S608
        "running_containers = %s, active_builds = %s "
        f"WHERE session_id = %s AND sequence = %s AND last_activity_at {same} %s "
        f"AND last_call_at {same} %s AND {STANDS[kind]}"
    )


def _grow(reading: Reading, reaction: clock.Reaction, report: ActivityReport) -> bool:
    """Let the open stretch grow in one statement, if everything is as the reading saw it."""
    stretch, kind = reaction.facts.open, vendor()
    pulse, session = reading.session.pulse, key_value(reading.session.id)
    last = None if stretch is None else from_seconds(stretch.last_activity_at)
    call = None if stretch is None else from_seconds(stretch.last_call_at)
    written = [report.sequence, instant_value(last), instant_value(call)]
    written += [report.running_containers, report.active_builds]
    seen = [session, pulse.sequence]
    seen += [instant_value(pulse.last_activity_at), instant_value(pulse.last_call_at)]
    with connection.cursor() as cursor:
        run(cursor, statement(kind), [*written, *seen, *_standing(reading, kind)])
        return bool(cursor.rowcount == 1)


def _standing(reading: Reading, kind: str) -> list[Any]:
    """What the guard compares: version and watermark, on PostgreSQL under the lock."""
    session = reading.session
    values = [key_value(session.id), session.version, key_value(session.organization_id)]
    values.append(instant_value(reading.metered_until))
    return [*values, number_of(session.organization_id)] if kind == "postgresql" else values
