"""Numbering and chaining audit entries afterwards, so that writing one never waits (rule 7).

A chain's order is that of sealing: whatever is visible and has no seal yet comes next, by
identifier. So an entry whose transaction commits late gets a later number and breaks nothing.
"""

import logging
import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from orgs import chain
from orgs.models import AuditCheck, AuditEntry, AuditSeal
from orgs.selectors.audit_chain import Verdict, all_verdicts

logger = logging.getLogger(__name__)

BATCH = 2_000
# How long after its making an entry may still commit and be found by the ordinary pass. The
# nightly check looks through everything.
LOOK_BACK = timedelta(hours=1)


def seal_entries(*, at: datetime, everything: bool = False) -> int:
    """Seal what is visible and unsealed; how many. Two at once do no harm: one of them wins.

    `everything` looks through the whole log, not only at what is younger than the last seal.
    """
    sealed = 0
    since = None if everything else _since()
    while True:
        found = list(_unsealed(since)[:BATCH])
        if not found:
            return sealed
        done = _seal_batch(found, at)
        sealed += done
        if len(found) < BATCH or not done:
            return sealed


def _since() -> uuid.UUID | None:
    """The least identifier of the ordinary pass: a while before the newest sealed one."""
    newest = AuditSeal.objects.order_by("-entry_id").values_list("entry_id", flat=True).first()
    if newest is None:
        return None
    milliseconds = (newest.int >> 80) - int(LOOK_BACK.total_seconds() * 1_000)
    return uuid.UUID(int=max(milliseconds, 0) << 80)


def _unsealed(since: uuid.UUID | None) -> QuerySet[AuditEntry]:
    rows = AuditEntry.objects.filter(~Exists(AuditSeal.objects.filter(entry_id=OuterRef("pk"))))
    if since is not None:
        rows = rows.filter(pk__gte=since)
    return rows.order_by("pk")


def _seal_batch(entries: Sequence[AuditEntry], at: datetime) -> int:
    by_chain: dict[uuid.UUID, list[AuditEntry]] = defaultdict(list)
    for entry in entries:
        by_chain[chain.chain_of(entry.organization_id)].append(entry)
    return sum(_seal_chain(chain_id, rows, at) for chain_id, rows in by_chain.items())


def _seal_chain(chain_id: uuid.UUID, entries: Sequence[AuditEntry], at: datetime) -> int:
    """Add the links; 0 where another sealer was faster, whose links then stand."""
    head = AuditSeal.objects.filter(chain_id=chain_id).order_by("-number").first()
    number, previous = (head.number, head.hash) if head else (0, "")
    seals = []
    for entry in entries:
        number += 1
        link = chain.link_of(chain_id, number, previous, entry)
        seals.append(
            AuditSeal(
                chain_id=chain_id,
                number=number,
                entry_id=entry.pk,
                previous=previous,
                hash=link,
                key_id=chain.key_id(),
                sealed_at=at,
            )
        )
        previous = link
    try:
        with transaction.atomic():
            AuditSeal.objects.bulk_create(seals)
    except IntegrityError:
        return 0
    return len(seals)


def check_audit(*, at: datetime) -> AuditCheck:
    """Seal everything, verify every chain, and write down what was found; the nightly task."""
    seal_entries(at=at, everything=True)
    verdicts = all_verdicts()
    for verdict in verdicts:
        for finding in verdict.findings:
            logger.error("Audit log of %s: %s", verdict.chain_id, finding)
    return _note(verdicts, at)


def _note(verdicts: Sequence[Verdict], at: datetime) -> AuditCheck:
    return AuditCheck.objects.create(
        at=at,
        entries=sum(verdict.sealed for verdict in verdicts),
        unsealed=sum(verdict.unsealed for verdict in verdicts),
        findings=sum(len(verdict.findings) for verdict in verdicts),
    )
