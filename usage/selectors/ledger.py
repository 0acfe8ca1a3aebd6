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

    seconds: int
    compute_seconds: int
    cost_microusd: int


def uses_of_sessions(
    sessions: Iterable[uuid.UUID],
) -> dict[uuid.UUID, Mapping[str, SourceUse]]:
    """By session and source, corrections included, as of the watermark. One statement."""
    rows = (
        LedgerEntry.objects.filter(session_id__in=list(sessions))
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
