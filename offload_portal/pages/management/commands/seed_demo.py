"""`manage.py seed_demo`: the demonstration (offload_portal.pages.demo)."""

import gc
import secrets
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from offload_portal.common.periods import cut_to_second
from offload_portal.pages import demo
from offload_portal.pages.runtime.preparing import SIGN_INS
from orgs.models import Person

NO_MAIL = "django.core.mail.backends.dummy.EmailBackend"


class Command(BaseCommand):
    help = "Make the demonstration in an empty database: 90 days of two organizations."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=1, help="another seed, another fleet (1)")
        parser.add_argument("--days", type=int, default=demo.DAYS, help="how far back (90)")

    def handle(self, *arguments: Any, **options: Any) -> None:
        if Person.objects.exists():
            raise CommandError("The database has people already; the demonstration needs none.")
        if options["days"] < demo.LEAST_DAYS:
            raise CommandError(f"The story takes at least {demo.LEAST_DAYS} days.")
        begun = time.monotonic()
        password = secrets.token_urlsafe(9)
        made = self._made(password, options)
        self._keep_sign_ins(password, made)
        seconds = time.monotonic() - begun
        self.stdout.write(
            f"Made {made.people} people and {made.sessions} sessions in {seconds:.0f} s."
        )

    def _made(self, password: str, options: dict[str, Any]) -> demo.Made:
        # Its invitations go to nobody, and there is much to make and little to collect.
        backend = settings.EMAIL_BACKEND
        settings.EMAIL_BACKEND = NO_MAIL
        gc.disable()
        try:
            return demo.make(
                end=cut_to_second(timezone.now()),
                seed=options["seed"],
                password=password,
                days=options["days"],
            )
        finally:
            gc.enable()
            settings.EMAIL_BACKEND = backend

    def _keep_sign_ins(self, password: str, made: demo.Made) -> None:
        lines = [f"Demonstration sign-ins, all with the password {password}"]
        lines += [f"  {address:24} {who}" for who, address in made.sign_ins]
        path = Path(settings.DATA_DIR) / SIGN_INS
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
