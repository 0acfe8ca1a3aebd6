"""`manage.py grant_database_role ROLE`: what the application's role may do (R18).

Run it with the owner's address in DATABASE_URL. `manage.py prepare` does it where
MIGRATE_DATABASE_URL is set.
"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from offload_portal.common.database_roles import grant_to


class Command(BaseCommand):
    help = "Give a PostgreSQL role what the application needs; never to change the audit log."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("role", help="the role of DATABASE_URL")

    def handle(self, *args: Any, **options: Any) -> None:
        role = options["role"]
        if role == connection.settings_dict.get("USER"):
            raise CommandError(f"{role} is the role that runs this: name the application's.")
        try:
            grant_to(role)
        except (ValueError, DatabaseError) as error:
            raise CommandError(" ".join(str(error).split())) from error
        self.stdout.write(f"{role} may do what the application needs.")
