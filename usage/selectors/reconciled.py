"""How far an organization's numbers were compared, and whether they can be relied on."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from usage.models import Reconciliation


@dataclass(frozen=True, slots=True)
class Reconciled:
    """`until` None: never found to agree yet. `differs_since` None: nothing differs."""

    until: datetime | None = None
    differs_since: datetime | None = None

    @property
    def is_under_review(self) -> bool:
        return self.differs_since is not None


NEVER_RECONCILED = Reconciled()


def reconciled_of(row: Reconciliation | None) -> Reconciled:
    return NEVER_RECONCILED if row is None else Reconciled(row.reconciled_until, row.differs_since)


def reconciled(organization_id: uuid.UUID) -> Reconciled:
    """What the last comparison said. Whoever closes a period or previews a statement asks this."""
    return reconciled_of(Reconciliation.objects.filter(pk=organization_id).first())


def organizations_that_differ() -> int:
    return Reconciliation.objects.filter(differences__gt=0).count()
