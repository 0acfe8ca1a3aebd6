"""Writing down what a comparison found."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from usage.models import Reconciliation

MOST_FINDINGS = 20


def note_reconciliation(
    *,
    organization_id: uuid.UUID,
    at: datetime,
    until: datetime,
    findings: Sequence[str],
    count: int,
) -> bool:
    """Keep the outcome; True where the organization's numbers begin to differ with it."""
    with transaction.atomic():
        row, _made = Reconciliation.objects.select_for_update().get_or_create(
            pk=organization_id, defaults={"checked_at": at}
        )
        begins = bool(count) and row.differs_since is None
        row.checked_at, row.differences = at, count
        row.findings = list(findings[:MOST_FINDINGS])
        if begins:
            row.differs_since = at
        if not count:
            row.differs_since = None
            row.reconciled_until = max(until, row.reconciled_until or until)
        row.save()
        return begins
