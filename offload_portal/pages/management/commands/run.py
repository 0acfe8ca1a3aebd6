"""`manage.py run`: the whole portal in one command (`make run`)."""

import signal
import time
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections

from offload_portal.pages.runtime import children, hosting, places, preparing

LOOK_EVERY_SECONDS = 0.2
WEB_ANSWERS_WITHIN_SECONDS = 60


class Command(BaseCommand):
    help = "Start web, worker, scheduler and engine host together, after preparing what they need."
    requires_system_checks: list[str] = []

    stopping = False

    def handle(self, *arguments: Any, **options: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        with places.hold_folder(settings.DATA_DIR, settings.PORTAL_URL):
            places.check_port(settings.WEB_HOST, settings.PORT)
            preparing.prepare(self._tell)
            preparing.seed(self._tell)
            # The children have connections of their own; this process only watches.
            connections.close_all()
            self._run()

    def _run(self) -> None:
        family = children.Family()
        try:
            family.add("web server", children.web_command())
            self._wait_for_web(family)
            if not self.stopping:
                family.add("worker", children.worker_command())
                family.add("scheduler", children.beat_command())
                engines = self._add_engines(family)
                self._welcome(engines)
            while not self.stopping:
                family.watch(self._tell)
                time.sleep(LOOK_EVERY_SECONDS)
        finally:
            self._tell("Stopping…")
            family.stop()
            self._tell("Stopped. `make run` goes on where it was.")

    def _add_engines(self, family: children.Family) -> str:
        """An engine host where this machine can be one; what the welcome says of it."""
        if problem := hosting.why_not():
            return f"the client's own ({problem})"
        family.add("engine host", hosting.engines_command())
        return "on this machine, one for each session"

    def _wait_for_web(self, family: children.Family) -> None:
        """First the page that somebody waits for, then what works behind it."""
        until = time.monotonic() + WEB_ANSWERS_WITHIN_SECONDS
        while not self.stopping and time.monotonic() < until:
            if places.answers(settings.WEB_HOST, settings.PORT):
                return
            family.watch(self._tell)
            time.sleep(0.05)

    def _welcome(self, engines: str) -> None:
        self._tell(f"\nOffload Portal: {settings.PORTAL_URL}")
        if settings.DEVELOPMENT_PAGES and not settings.EMAIL_HOST:
            self._tell(f"Its mail:       {settings.PORTAL_URL}/development/mail/")
        self._tell(f"Engines:        {engines}")
        if found := preparing.sign_ins():
            self._tell(f"\n{found}")
        self._tell("\nCtrl-C stops it.")

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _tell(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()
