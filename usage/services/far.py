"""The meter's fast path: a set-based draw-down of organizations that are far from any bound.

One statement moves many organizations at once, on PostgreSQL. It takes those alone for which the
sweep of `usage.drawdown` has nothing to decide: one source pays for the whole window and for all
that can come before the next look ahead, and nothing begins, ends or changes meanwhile. It writes
what the sweep would write, which tests/sessions/test_far.py proves row by row.

The caller holds the locks of the organizations for the whole transaction.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from offload_portal.common.periods import QUARTER, quarter_of, to_seconds
from usage.services.foresight import horizon

# Each CTE beside what the sweep calls the same thing. `going` and `used` are the caller's.
FAR = """
far AS MATERIALIZED (
    SELECT a.organization_id, a.metered_until, a.period_start, going.compute_seconds,
        pool.id AS pool_id, coalesce(pool.kind, 'on_demand') AS source,
        CASE WHEN pool.id IS NULL THEN rate.microusd_per_compute_second ELSE 0 END AS rate,
        date_trunc('hour', a.metered_until, 'UTC') AS hour,
        extract(epoch FROM a.metered_until)::bigint %% 3600 / {quarter} AS part
    FROM usage_allowance a
    JOIN going ON going.organization_id = a.organization_id AND going.is_plain
    LEFT JOIN LATERAL (
        SELECT p.id, p.kind, p.compute_seconds - p.used_compute_seconds AS room
        FROM usage_pool p
        WHERE p.organization_id = a.organization_id AND p.starts_at <= a.metered_until
            AND p.expires_at > a.metered_until AND p.compute_seconds > p.used_compute_seconds
        ORDER BY p.kind <> 'committed', p.expires_at, p.bought_at, p.id LIMIT 1
    ) pool ON true
    LEFT JOIN LATERAL (
        SELECT r.microusd_per_compute_second FROM usage_rate r
        WHERE r.organization_id = a.organization_id
            AND r.valid_from <= (a.metered_until AT TIME ZONE 'UTC')::date
        ORDER BY r.valid_from DESC LIMIT 1
    ) rate ON true
    WHERE a.organization_id = ANY(%(organizations)s)
        AND a.metered_until < %(until)s AND a.metered_until >= %(quarter)s
        AND NOT a.has_caps AND a.spent_at IS NULL AND a.sessions_end_at IS NULL
        AND NOT a.ends_by_limit
        AND a.period_start <= a.metered_until AND a.period_end > %(horizon)s
        AND NOT EXISTS (
            SELECT FROM usage_limitversion l
            WHERE l.organization_id = a.organization_id
                AND l.effective_at >= a.metered_until AND l.effective_at <= %(horizon)s)
        AND NOT EXISTS (
            SELECT FROM usage_rate r
            WHERE r.organization_id = a.organization_id
                AND r.valid_from > (a.metered_until AT TIME ZONE 'UTC')::date
                AND r.valid_from <= (%(horizon)s AT TIME ZONE 'UTC')::date)
        AND NOT EXISTS (
            SELECT FROM usage_pool p
            WHERE p.organization_id = a.organization_id
                AND p.compute_seconds > p.used_compute_seconds
                AND (p.starts_at > a.metered_until AND p.starts_at <= %(horizon)s
                    OR p.expires_at > a.metered_until AND p.expires_at <= %(horizon)s))
        AND NOT EXISTS (
            SELECT FROM usage_subscription s
            WHERE s.organization_id = a.organization_id
                AND (s.state = 'suspended' OR s.suspended_at >= going.oldest_at
                    OR s.ended_at >= going.oldest_at
                    OR s.ended_at IS NULL AND (s.cancel_at <= %(horizon)s
                        OR s.state = 'trialing' AND s.trial_ends_at <= %(horizon)s)))
        AND CASE
            WHEN pool.id IS NOT NULL THEN a.on_demand_since IS NULL AND pool.room > going.reach
            WHEN a.on_demand_since IS NULL OR rate.microusd_per_compute_second IS NULL THEN false
            WHEN a.on_demand_mode = 'unlimited' THEN true
            WHEN a.on_demand_mode <> 'limited' OR rate.microusd_per_compute_second = 0 THEN false
            ELSE a.on_demand_limit_microusd > a.on_demand_used_microusd
                + (going.reach + 1) * rate.microusd_per_compute_second
        END
)
"""
WRITTEN = """
lines AS MATERIALIZED (
    SELECT far.organization_id, far.hour, far.part, far.source, far.rate, used.session_id,
        used.person_id, used.engine_size, used.seconds, used.compute_seconds,
        used.compute_seconds * far.rate AS cost,
        CASE WHEN far.period_start <= far.hour THEN far.period_start ELSE far.hour END AS period
    FROM used JOIN far ON far.organization_id = used.organization_id
    WHERE used.seconds > 0
),
grown AS (
    UPDATE usage_ledgerentry e SET
        seconds = e.seconds + lines.seconds,
        compute_seconds = e.compute_seconds + lines.compute_seconds,
        cost_microusd = e.cost_microusd + lines.cost,
        {later}
    FROM lines
    WHERE e.organization_id = lines.organization_id AND e.hour = lines.hour
        AND e.session_id = lines.session_id AND e.source = lines.source AND e.corrects IS NULL
    RETURNING e.session_id
),
begun AS (
    INSERT INTO usage_ledgerentry (organization_id, hour, id, session_id, person_id, source,
        engine_size, period_start, seconds, lump_seconds, compute_seconds, rate_microusd,
        cost_microusd, reason, {columns})
    SELECT organization_id, hour, {identifier}, session_id, person_id, source,
        engine_size, period, seconds, 0, compute_seconds, rate, cost, '', {parts}
    FROM lines WHERE NOT EXISTS (
        SELECT FROM usage_ledgerentry e
        WHERE e.organization_id = lines.organization_id AND e.hour = lines.hour
            AND e.session_id = lines.session_id AND e.source = lines.source
            AND e.corrects IS NULL)
),
quarters AS (
    INSERT INTO usage_usagequarter AS old
        (organization_id, at, engine_size, source, seconds, compute_seconds, cost_microusd)
    SELECT organization_id, hour + part * interval '{quarter} seconds', engine_size, source,
        sum(seconds), sum(compute_seconds), sum(cost)
    FROM lines GROUP BY 1, 2, 3, 4
    ON CONFLICT (organization_id, at, engine_size, source) DO UPDATE SET {grow}
),
days AS (
    INSERT INTO usage_usageday AS old
        (organization_id, day, person_id, engine_size, source, seconds, compute_seconds,
        cost_microusd)
    SELECT organization_id, (hour AT TIME ZONE 'UTC')::date, person_id, engine_size, source,
        sum(seconds), sum(compute_seconds), sum(cost)
    FROM lines GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (organization_id, day, person_id, engine_size, source) DO UPDATE SET {grow}
),
pools AS (
    UPDATE usage_pool p SET used_compute_seconds = p.used_compute_seconds + far.compute_seconds
    FROM far WHERE p.id = far.pool_id AND far.compute_seconds > 0
),
moved AS (
    UPDATE usage_allowance a SET
        metered_until = %(until)s,
        left_compute_seconds = a.left_compute_seconds - far.compute_seconds,
        on_demand_used_microusd = a.on_demand_used_microusd + far.compute_seconds * far.rate,
        reserved_compute_seconds =
            greatest(a.reserved_compute_seconds - coalesce(freed.compute_seconds, 0), 0)
    FROM far LEFT JOIN freed ON freed.organization_id = far.organization_id
    WHERE a.organization_id = far.organization_id
    RETURNING a.organization_id
)
"""
# A version 7 identifier, as the models make them: the time, then chance.
IDENTIFIER = (
    "encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing "
    "substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) from 3) "
    "from 1 for 6), 52, 1), 53, 1), 'hex')::uuid"
)
SUMS = ("seconds", "compute_seconds", "cost_microusd")
LATER_PARTS = [
    (f"{name}_{part}", part, value)
    for part in (1, 2, 3)
    for name, value in (("seconds", "seconds"), ("compute", "compute_seconds"))
]


@dataclass(frozen=True, slots=True)
class Uses:
    """What sessions used in the window, as SQL, which the owner of sessions hands down.

    `before` are CTEs that end in `going` (organization_id, is_plain, compute_seconds, reach,
    oldest_at) and `used` (organization_id, session_id, person_id, engine_size, seconds,
    compute_seconds). `after` are those that read `far`, with `freed` (organization_id,
    compute_seconds): what its sessions no longer reserve. `reach` is the most that sessions may use
    from the watermark to the horizon, `oldest_at` the start of the oldest that runs.
    """

    before: str
    after: str
    values: Mapping[str, Any]


def _written() -> str:
    return WRITTEN.format(
        quarter=QUARTER,
        identifier=IDENTIFIER,
        later=", ".join(
            f"{column} = e.{column} + CASE lines.part WHEN {part} THEN lines.{value} ELSE 0 END"
            for column, part, value in LATER_PARTS
        ),
        columns=", ".join(column for column, _part, _value in LATER_PARTS),
        parts=", ".join(
            f"CASE part WHEN {part} THEN {value} ELSE 0 END" for _column, part, value in LATER_PARTS
        ),
        grow=", ".join(f"{name} = old.{name} + excluded.{name}" for name in SUMS),
    )


def draw_far(
    organizations: Sequence[uuid.UUID], until: datetime, uses: Uses
) -> frozenset[uuid.UUID]:
    """Move those that are far from any bound to `until`; which ones.

    The window must lie in one quarter of an hour, so that a line is one entry's: an organization
    whose watermark lies in an earlier one is left alone. The others are as they were.
    """
    last = to_seconds(until)
    values = {
        **uses.values,
        "organizations": list(organizations),
        "until": until,
        "quarter": datetime.fromtimestamp(quarter_of(last - 1), tz=until.tzinfo),
        "horizon": horizon(until),
    }
    # `moved` reads the caller's `freed`, which reads `far`.
    text = ",\n".join((uses.before, FAR.format(quarter=QUARTER), uses.after, _written()))
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {text} SELECT organization_id FROM moved", values)  # noqa: S608 - our own text
        return frozenset(row[0] for row in cursor.fetchall())
