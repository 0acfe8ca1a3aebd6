"""What the ledger says of sessions, which it knows by their identifiers alone."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Sum

from usage.models import LedgerEntry, UnpaidTime


@dataclass(frozen=True, slots=True)
class SourceUse:
    """What one source paid: wall seconds, compute-seconds, micro-dollars."""

    seconds: int = 0
    compute_seconds: int = 0
    cost_microusd: int = 0

    def plus(self, other: "SourceUse") -> "SourceUse":
        return SourceUse(
            self.seconds + other.seconds,
            self.compute_seconds + other.compute_seconds,
            self.cost_microusd + other.cost_microusd,
        )


def uses_of_sessions(
    sessions: Iterable[tuple[uuid.UUID, uuid.UUID]],
) -> dict[uuid.UUID, Mapping[str, SourceUse]]:
    """By session and source, corrections included, as of the watermark. One statement.

    `sessions` are pairs of a session's identifier and its organization's, by which the ledger is
    ordered.
    """
    pairs = list(sessions)
    rows = (
        LedgerEntry.objects.filter(
            organization_id__in={organization for _session, organization in pairs},
            session_id__in=[session for session, _organization in pairs],
        )
        .values("session_id", "source")
        .annotate(wall=Sum("seconds"), compute=Sum("compute_seconds"), cost=Sum("cost_microusd"))
        .order_by("session_id", "source")
    )
    found: dict[uuid.UUID, dict[str, SourceUse]] = defaultdict(dict)
    for row in rows:
        use = SourceUse(row["wall"], row["compute"], row["cost"])
        found[row["session_id"]][row["source"]] = use
    return dict(found)


def unpaid_of_session(session_id: uuid.UUID) -> int:
    """Wall seconds of the session that nothing could pay (rule 19)."""
    rows = UnpaidTime.objects.filter(session_id=session_id)
    return sum(rows.values_list("seconds", flat=True))
