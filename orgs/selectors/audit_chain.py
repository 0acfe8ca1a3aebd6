"""Verifying the audit log's chains: an altered, a missing or a foreign row is found (R18)."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from orgs import chain
from orgs.models import AuditCheck, AuditEntry, AuditSeal

BATCH = 2_000
MOST_FINDINGS = 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """One chain. `head` is its last hash, "" where it has none; `findings` are sentences.

    After MOST_FINDINGS no more are gathered.
    """

    chain_id: uuid.UUID
    sealed: int
    head: str
    unsealed: int
    findings: tuple[str, ...]


def verdict_of(chain_id: uuid.UUID) -> Verdict:
    """Walk the chain from its first link; memory stays within two batches of rows."""
    findings: list[str] = []
    expected, previous = 0, ""
    for seal, entry in _links(chain_id):
        expected += 1
        if len(findings) >= MOST_FINDINGS:
            continue
        if seal.number != expected:
            findings.append(f"seals {expected} to {seal.number - 1} are missing")
            expected = seal.number
        elif seal.previous != previous:
            findings.append(f"seal {seal.number} does not follow the one before it")
        finding = _finding(chain_id, seal, entry)
        if finding:
            findings.append(finding)
        previous = seal.hash
    return Verdict(chain_id, expected, previous, _unsealed(chain_id), tuple(findings))


def _finding(chain_id: uuid.UUID, seal: AuditSeal, entry: AuditEntry | None) -> str:
    if entry is None:
        return f"entry {seal.entry_id} (number {seal.number}) is missing"
    if seal.key_id != chain.key_id():
        return f"entry {seal.entry_id} (number {seal.number}) was sealed with another AUDIT_KEY"
    if chain.chain_of(entry.organization_id) != chain_id:
        return f"entry {entry.pk} (number {seal.number}) was moved to another organization"
    if chain.link_of(chain_id, seal.number, seal.previous, entry) != seal.hash:
        return f"entry {entry.pk} (number {seal.number}) was altered"
    return ""


def _links(chain_id: uuid.UUID) -> Iterator[tuple[AuditSeal, AuditEntry | None]]:
    after = 0
    while True:
        seals = list(
            AuditSeal.objects.filter(chain_id=chain_id, number__gt=after).order_by("number")[:BATCH]
        )
        if not seals:
            return
        entries = AuditEntry.objects.in_bulk([seal.entry_id for seal in seals])
        for seal in seals:
            yield seal, entries.get(seal.entry_id)
        after = seals[-1].number


def _unsealed(chain_id: uuid.UUID) -> int:
    organization_id = None if chain_id == chain.CHAIN_OF_NONE else chain_id
    sealed = AuditSeal.objects.filter(entry_id=OuterRef("pk"))
    rows = AuditEntry.objects.filter(organization_id=organization_id)
    return rows.filter(~Exists(sealed)).count()


def all_verdicts() -> tuple[Verdict, ...]:
    """Every chain that has a seal or an entry."""
    seals = AuditSeal.objects.order_by("chain_id").values_list("chain_id", flat=True)
    entries = AuditEntry.objects.order_by("organization_id")
    written = entries.values_list("organization_id", flat=True).distinct()
    chains = {*seals.distinct(), *(chain.chain_of(each) for each in written)}
    return tuple(verdict_of(chain_id) for chain_id in sorted(chains))


def last_check() -> AuditCheck | None:
    return AuditCheck.objects.order_by("-at", "-id").first()
