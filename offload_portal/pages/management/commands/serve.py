"""`manage.py serve`: one web server of a production installation."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from offload_portal.pages.runtime import children, places


class Command(BaseCommand):
    help = "Serve the pages and the API; run `manage.py prepare` before, once for each release."

    def handle(self, *arguments: Any, **options: Any) -> None:
        places.check_port(settings.WEB_HOST, settings.PORT)
        command = children.web_command()
        os.execv(command[0], command)  # noqa: S606 - this process becomes the server
