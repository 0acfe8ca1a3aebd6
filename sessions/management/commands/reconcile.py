"""`manage.py reconcile`: do ledger, rollups and sessions say the same?"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from offload_portal.common.periods import cut_to_second
from orgs.models import Organization
from sessions.services.reconciling import reconcile
from usage.models import Reconciliation


class Command(BaseCommand):
    help = "Compare ledger, rollups and sessions of all closed hours; fails where they differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="only this one")
        parser.add_argument(
            "--all", action="store_true", help="all sessions, not only those since the last time"
        )

    def handle(self, *arguments: Any, **options: Any) -> None:
        outcome = reconcile(
            at=cut_to_second(timezone.now()),
            organization_id=self._key(options["organization"]),
            everything=options["all"],
        )
        rows = Reconciliation.objects.filter(differences__gt=0).order_by("organization_id")
        for row in rows.select_related("organization"):
            self.stdout.write(f"{row.organization.slug}: {row.differences} differences")
            for finding in row.findings:
                self.stdout.write(f"  {finding}")
        self.stdout.write(f"{outcome.compared} organizations compared, {outcome.differ} differ.")
        if outcome.differ or outcome.failed:
            raise CommandError(f"{outcome.differ} differ, {outcome.failed} could not be compared.")

    def _key(self, slug: str | None) -> Any:
        if slug is None:
            return None
        found = Organization.objects.filter(slug=slug).first()
        if found is None:
            raise CommandError(f"There is no organization {slug}.")
        return found.pk
