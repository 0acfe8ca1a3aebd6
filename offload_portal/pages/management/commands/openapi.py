"""`manage.py openapi`: write docs/openapi.yaml anew from the code."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import translation

from offload_portal.pages.api.documents import as_yaml


class Command(BaseCommand):
    help = "Write docs/openapi.yaml from the code."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        target = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"
        with translation.override("en"):
            target.write_text(as_yaml())
        self.stdout.write(f"Wrote {target.name}.")
