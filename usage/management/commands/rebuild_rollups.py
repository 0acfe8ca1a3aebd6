"""`manage.py rebuild_rollups`: make the sums that charts read anew from the ledger."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orgs.models import Organization
from usage.services import rollups


class Command(BaseCommand):
    help = "Make the rollups anew from the ledger, organization by organization."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="only this one")

    def handle(self, *arguments: Any, **options: Any) -> None:
        slug = options["organization"]
        if slug is None:
            made = rollups.rebuild_everywhere()
        else:
            found = Organization.objects.filter(slug=slug).first()
            if found is None:
                raise CommandError(f"There is no organization {slug}.")
            made = rollups.rebuild(found.pk)
        self.stdout.write(f"{made} rows made from the ledger.")
