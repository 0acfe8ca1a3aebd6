"""`manage.py prepare`: what a release needs once before its processes start."""

from typing import Any

from django.core.management.base import BaseCommand

from offload_portal.pages.runtime import preparing


class Command(BaseCommand):
    help = "Migrate the database, make the cache's table where it is used, collect static files."

    def handle(self, *arguments: Any, **options: Any) -> None:
        preparing.prepare(self.stdout.write)
