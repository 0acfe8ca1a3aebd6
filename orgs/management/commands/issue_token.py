"""`manage.py issue_token EMAIL [--scope …]`: prints a personal token, and nothing else."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError
from django.utils import timezone

from offload_portal.common.actors import Actor
from offload_portal.common.periods import cut_to_second
from offload_portal.common.refusals import Refusal
from orgs.enums import Scope
from orgs.models import Person
from orgs.services import tokens


class Command(BaseCommand):
    help = "Issue a personal token and print it once."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="whose token it is")
        parser.add_argument(
            "--scope",
            action="append",
            dest="scopes",
            choices=[str(scope) for scope in Scope],
            help="what it may do; several are given one by one (all where none is given)",
        )
        parser.add_argument("--name", default="issue_token", help="what it is called on the page")
        parser.add_argument("--expires-days", type=int, help="days until it expires (never)")

    def handle(self, *args: Any, **options: Any) -> None:
        at = cut_to_second(timezone.now())
        days = options["expires_days"]
        if days is not None and not 1 <= days <= tokens.LONGEST_EXPIRY_DAYS:
            raise CommandError(f"--expires-days lies within 1 and {tokens.LONGEST_EXPIRY_DAYS}.")
        person = _person(options["email"])
        try:
            issued = tokens.issue_token(
                actor=Actor(person.pk, "issue_token"),
                at=at,
                name=options["name"],
                scopes=options["scopes"] or [str(scope) for scope in Scope],
                person=person,
                expires_at=None if days is None else at + timedelta(days=days),
            )
        except Refusal as refusal:
            raise CommandError(refusal.sentence) from refusal
        self.stdout.write(issued.value)


def _person(email: str) -> Person:
    try:
        person = Person.objects.filter(email__iexact=email.strip()).first()
    except (OperationalError, ProgrammingError) as error:
        raise CommandError("The database is not ready; run `manage.py migrate` first.") from error
    if person is None:
        raise CommandError(f"Nobody has the e-mail address {email}.")
    if not person.is_active:
        raise CommandError(f"The account of {email} is switched off.")
    return person
