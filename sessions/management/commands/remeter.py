"""`manage.py remeter`: the ledger beside a fresh computation, and its correction."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from offload_portal.common.actors import Actor
from offload_portal.common.display import exact_compute_seconds
from offload_portal.common.money import format_usd
from offload_portal.common.periods import cut_to_second, from_seconds
from offload_portal.common.refusals import Refusal
from orgs.models import Organization, Person
from sessions.services.remetering import Remetered, remeter
from usage.services.remetering import Differing

MOST_SHOWN = 50


class Command(BaseCommand):
    help = "Compute an organization's ledger afresh; without --dry-run write corrections."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", nargs="?", metavar="SLUG", help="the organization's address")
        parser.add_argument("--all", action="store_true", help="every organization")
        parser.add_argument("--dry-run", action="store_true", help="show the difference only")
        parser.add_argument("--reason", default="", help="stands in the ledger and the audit log")
        parser.add_argument("--by", metavar="EMAIL", help="who orders it: an operator's address")

    def handle(self, *arguments: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        actor = Actor(None if dry_run else self._operator(options["by"]), "console")
        differ = 0
        for organization in self._organizations(options):
            try:
                found = remeter(
                    actor=actor,
                    at=cut_to_second(timezone.now()),
                    organization=organization,
                    reason=options["reason"],
                    dry_run=dry_run,
                )
            except Refusal as refusal:
                raise CommandError(f"{organization.slug}: {refusal.sentence}") from None
            differ += bool(found.differences)
            self._tell(organization, found)
        if dry_run and differ:
            raise CommandError(
                f"{differ} organizations differ; without --dry-run they are corrected."
            )

    def _organizations(self, options: Any) -> list[Organization]:
        if bool(options["slug"]) == options["all"]:
            raise CommandError("Name one organization, or say --all.")
        rows = Organization.objects.filter(allowance__isnull=False).order_by("pk")
        if options["all"]:
            return list(rows)
        found = rows.filter(slug=options["slug"]).first()
        if found is None:
            raise CommandError(f"There is no organization {options['slug']} with a subscription.")
        return [found]

    def _operator(self, email: str | None) -> Any:
        person = Person.objects.filter(email__iexact=email or "", is_staff=True).first()
        if person is None:
            raise CommandError(
                "A correction names who ordered it: --by with an operator's address."
            )
        return person.pk

    def _tell(self, organization: Organization, found: Remetered) -> None:
        if not found.differences:
            self.stdout.write(f"{organization.slug}: the ledger is as a fresh computation has it.")
            return
        for one in found.differences[:MOST_SHOWN]:
            self.stdout.write(f"  {_line(one)}")
        more = len(found.differences) - MOST_SHOWN
        if more > 0:
            self.stdout.write(f"  and {more} more")
        word = "corrected" if found.written else "differ"
        self.stdout.write(
            f"{organization.slug}: {len(found.differences)} entries {word}, together "
            f"{exact_compute_seconds(found.compute_seconds)} and {format_usd(found.cost_microusd)}."
        )


def _line(one: Differing) -> str:
    session, hour, source = one.key
    there, due = (
        f"{numbers[2]} compute-seconds, {format_usd(numbers[3])}"
        for numbers in (one.there, one.due)
    )
    return f"{session} {from_seconds(hour):%Y-%m-%d %H}:00 {source}: {there}; due: {due}"
