"""`manage.py verify_audit [--organization SLUG]`: whether the audit log is whole."""

import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orgs.models import Organization
from orgs.selectors.audit_chain import Verdict, all_verdicts, verdict_of
from orgs.selectors.audit_guard import unguarded


class Command(BaseCommand):
    help = "Verify the chains of the audit log; says what is altered, missing or not yet sealed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--organization",
            help="the address or identifier of one organization (all, and the portal's own)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = options["organization"]
        verdicts = (verdict_of(_chain(chosen)),) if chosen else all_verdicts()
        for verdict in verdicts:
            self._tell(verdict)
        for sentence in unguarded():
            self.stderr.write(f"Note: {sentence}")
        found = sum(len(verdict.findings) for verdict in verdicts)
        if found:
            raise CommandError(f"The audit log is not whole: {found} findings.")
        sealed = sum(verdict.sealed for verdict in verdicts)
        unsealed = sum(verdict.unsealed for verdict in verdicts)
        self.stdout.write(
            f"The audit log is whole: {sealed} sealed entries in {len(verdicts)} chains, "
            f"{unsealed} not yet sealed."
        )

    def _tell(self, verdict: Verdict) -> None:
        self.stdout.write(
            f"{verdict.chain_id}: {verdict.sealed} sealed, {verdict.unsealed} not yet sealed, "
            f"head {verdict.head[:16] or 'none'}"
        )
        for finding in verdict.findings:
            self.stderr.write(f"  {finding}")


def _chain(wanted: str) -> uuid.UUID:
    """The chain of an organization, also of one whose row is gone."""
    try:
        return uuid.UUID(wanted)
    except ValueError:
        pass
    found = Organization.objects.filter(slug=wanted).values_list("pk", flat=True).first()
    if found is None:
        raise CommandError(f"No organization has the address {wanted}.")
    return found
