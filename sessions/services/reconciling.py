"""The nightly comparison: one number everywhere, or the operators are told (targets R2)."""

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from orgs.models import Person
from orgs.services.news import post_account_mail
from sessions.selectors.reconciliation import closed_until, findings
from usage.models import Allowance, Reconciliation
from usage.services.reconciled import MOST_FINDINGS, note_reconciliation

logger = logging.getLogger(__name__)
# Sessions that ended so long before the hour that was reconciled last are compared once more.
OVERLAP = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many organizations were compared, how many differ, and how many couldn't be compared."""

    compared: int
    differ: int
    failed: int


def reconcile(
    *, at: datetime, organization_id: uuid.UUID | None = None, everything: bool = False
) -> Outcome:
    """Compare each organization's closed hours; one failure doesn't stop the rest.

    Sessions that ended before the last comparison that agreed are left out, unless `everything`.
    """
    allowances = Allowance.objects.order_by("organization_id")
    if organization_id is not None:
        allowances = allowances.filter(pk=organization_id)
    compared = differ = failed = 0
    began: list[uuid.UUID] = []
    for key in list(allowances.values_list("pk", flat=True)):
        try:
            count, begins = _reconcile(key, at, everything=everything)
        except Exception:  # one organization's fault must not hide the others'
            failed += 1
            logger.exception("Organization %s could not be reconciled", key)
            continue
        compared += 1
        differ += bool(count)
        if begins:
            began.append(key)
    if began:
        _alarm(began, at)
    return Outcome(compared, differ, failed)


def _reconcile(organization_id: uuid.UUID, at: datetime, *, everything: bool) -> tuple[int, bool]:
    allowance = Allowance.objects.get(pk=organization_id)
    until = closed_until(allowance)
    last = Reconciliation.objects.filter(pk=organization_id, differences=0).first()
    since = None
    if last is not None and last.reconciled_until is not None and not everything:
        since = last.reconciled_until - OVERLAP
    count, first = _counted(findings(organization_id, until, since))
    for finding in first:
        logger.error("The numbers of organization %s differ: %s", organization_id, finding)
    begins = note_reconciliation(
        organization_id=organization_id, at=at, until=until, findings=first, count=count
    )
    return count, begins


def _counted(found: Iterator[str]) -> tuple[int, list[str]]:
    """How many, and the first few: a broken rollup may have a million."""
    first: list[str] = []
    count = 0
    for count, finding in enumerate(found, start=1):  # noqa: B007 - the last number counts them
        if len(first) < MOST_FINDINGS:
            first.append(finding)
    return count, first


def _alarm(organizations: list[uuid.UUID], at: datetime) -> None:
    """Operators learn it once, by mail, whatever mail they chose."""
    names = "\n".join(str(key) for key in organizations)
    text = (
        "Ledger, rollups and sessions don't say the same for these organizations. Their numbers are"
        f" marked as under review until they do:\n\n{names}\n\n"
        "`manage.py reconcile` compares again; docs/operators.md says how to repair."
    )
    operators = Person.objects.filter(is_staff=True, is_active=True).order_by("pk")
    for email in operators.values_list("email", flat=True):
        post_account_mail(at=at, to=email, subject="Usage numbers differ", text=text)
