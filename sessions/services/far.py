"""The meter's fast path, the sessions' half: what plain sessions used, for many organizations.

A session is plain where its clock has nothing to decide in the window: it neither starts, resumes
nor ends in it. It may become idle, since that only ends what is billed. Everything else is met by
the sweep (`sessions.services.metering`), which gives the same wherever both can.
"""

import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import DatabaseError, connection, transaction

from offload_portal.common.locks import number_of
from offload_portal.common.periods import from_seconds, quarter_of, to_seconds
from usage.services import far
from usage.services.foresight import horizon

logger = logging.getLogger(__name__)
# So many organizations' locks are held at once, and their clients' reports wait meanwhile.
MOST_AT_ONCE = 100

# `sessions.clock` in SQL, for an open stretch: see `becomes_idle`, `_clock_end` and
# `ends_from_below`. The daily prompt can't be due where the day's limit is out of reach.
BEFORE = """
known AS MATERIALIZED (
    SELECT s.id, s.organization_id, s.person_id, s.engine_size, s.multiplier::bigint AS multiplier,
        s.created_at, s.ready_at, s.ended_at, s.stop_at, s.exhausted_at,
        s.cap_ahead IS NULL AS sees_no_cap, s.start_timeout_seconds, s.idle_end_seconds,
        s.longest_seconds, s.active_before_seconds, s.daily_limit_seconds,
        s.reserved_compute_seconds, a.metered_until AS since, p.started_at,
        CASE WHEN p.started_at IS NULL THEN NULL ELSE least(
            greatest(p.last_activity_at + s.idle_timeout_seconds * interval '1 second',
                p.kept_until),
            s.created_at + ((extract(epoch FROM p.last_call_at - s.created_at)::bigint
                / s.prompt_seconds + 1) * s.prompt_seconds + s.prompt_answer_seconds)
                * interval '1 second',
            p.idled_at) END AS idle_at
    FROM usage_allowance a
    JOIN offload_sessions_session s ON s.organization_id = a.organization_id
        AND (s.ended_at IS NULL OR s.ended_at >= a.metered_until)
    JOIN offload_sessions_pulse p ON p.session_id = s.id
    WHERE a.organization_id = ANY(%(organizations)s)
),
judged AS MATERIALIZED (
    SELECT *,
        CASE WHEN ended_at IS NOT NULL OR idle_at IS NULL THEN 0
            ELSE greatest(extract(epoch FROM least(idle_at, %(until)s) - since)::bigint, 0)
        END AS seconds,
        coalesce(started_at < since, true) AND (ended_at IS NOT NULL OR (
            stop_at IS NULL AND exhausted_at IS NULL AND sees_no_cap
            AND CASE
                WHEN ready_at IS NULL THEN started_at IS NULL
                    AND created_at + start_timeout_seconds * interval '1 second' > %(until)s
                ELSE ready_at < created_at + start_timeout_seconds * interval '1 second'
                    AND coalesce(idle_at, ready_at) + idle_end_seconds * interval '1 second'
                        > %(until)s
            END
            AND (longest_seconds IS NULL
                OR created_at + longest_seconds * interval '1 second' > %(until)s)
            AND active_before_seconds + extract(epoch FROM %(until)s - created_at)
                < daily_limit_seconds
            AND NOT EXISTS (
                SELECT FROM orgs_accessloss loss
                WHERE loss.organization_id = known.organization_id
                    AND loss.person_id = known.person_id AND loss.id > known.id)
            AND NOT EXISTS (
                SELECT FROM orgs_license license
                WHERE license.organization_id = known.organization_id
                    AND license.person_id = known.person_id
                    AND license.state = 'held' AND license.ends_at <= %(until)s)
        )) AS is_plain
    FROM known
),
going AS MATERIALIZED (
    SELECT organization_id, bool_and(is_plain) AS is_plain,
        sum(multiplier * seconds)::bigint AS compute_seconds,
        coalesce(sum(multiplier * (idle_end_seconds
            + extract(epoch FROM %(ahead)s - since)::bigint))
            FILTER (WHERE ended_at IS NULL), 0)::bigint AS reach,
        coalesce(min(created_at) FILTER (WHERE ended_at IS NULL), 'infinity') AS oldest_at
    FROM judged GROUP BY organization_id
),
used AS (
    SELECT organization_id, id AS session_id, person_id, engine_size, seconds,
        multiplier * seconds AS compute_seconds
    FROM judged
)
"""
# A reservation shrinks by what its session uses (rule 19).
AFTER = """
shrunk AS (
    UPDATE offload_sessions_session s SET reserved_compute_seconds =
        s.reserved_compute_seconds
        - least(s.reserved_compute_seconds, judged.multiplier * judged.seconds)
    FROM judged JOIN far ON far.organization_id = judged.organization_id
    WHERE s.id = judged.id AND judged.reserved_compute_seconds > 0 AND judged.seconds > 0
    RETURNING s.organization_id,
        least(judged.reserved_compute_seconds, judged.multiplier * judged.seconds) AS freed
),
freed AS (
    SELECT organization_id, sum(freed)::bigint AS compute_seconds FROM shrunk GROUP BY 1
)
"""


def meter_far(*, due: Mapping[uuid.UUID, datetime], at: datetime) -> frozenset[uuid.UUID]:
    """Meter those of the organizations that are far from any bound up to `at`; which ones.

    `due` are they and their watermarks. None on SQLite, where the sweep meets few. A quarter that
    has just ended is finished first. What fails is logged and left to the sweep.
    """
    if connection.vendor != "postgresql":
        return frozenset()
    quarter = from_seconds(quarter_of(to_seconds(at)))
    behind = [key for key, until in due.items() if until < quarter]
    caught_up = _in_portions(behind, quarter)
    ready = [key for key, until in due.items() if until >= quarter or key in caught_up]
    return caught_up if quarter == at else _in_portions(ready, at)


def _in_portions(organizations: Iterable[uuid.UUID], until: datetime) -> frozenset[uuid.UUID]:
    keys = sorted(organizations)
    found: frozenset[uuid.UUID] = frozenset()
    for first in range(0, len(keys), MOST_AT_ONCE):
        try:
            found |= _meter(keys[first : first + MOST_AT_ONCE], until)
        except DatabaseError:
            logger.exception("The fast path failed; the sweep meters them")
    return found


@transaction.atomic
def _meter(organizations: Sequence[uuid.UUID], until: datetime) -> frozenset[uuid.UUID]:
    claimed = _claim(organizations)
    if not claimed:
        return frozenset()
    uses = far.Uses(BEFORE, AFTER, {"ahead": horizon(until)})
    return far.draw_far(claimed, until, uses)


def _claim(organizations: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Those whose lock is free, taken; who works on one of the others meters it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key FROM unnest(%s::uuid[], %s::bigint[]) AS wanted(key, number)"
            " WHERE pg_try_advisory_xact_lock(number)",
            [list(organizations), [number_of(key) for key in organizations]],
        )
        locked = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "SELECT organization_id FROM usage_allowance WHERE organization_id = ANY(%s)"
            " ORDER BY organization_id FOR UPDATE SKIP LOCKED",
            [locked],
        )
        return [row[0] for row in cursor.fetchall()]
