"""`manage.py engines`: this machine as an engine host (docs/engines.md)."""

import fcntl
import os
import signal
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from sessions.engines.local import Local
from sessions.host.run import EngineHost, run


class Command(BaseCommand):
    help = "Start, watch and end the engines of this machine, and hold their door."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--stop-all",
            action="store_true",
            help="end every engine that this host has, with all that is in it, and stop",
        )
        parser.add_argument(
            "--check",
            action="store_true",
            help="only say whether this machine can host engines; exit code 1 if it can't",
        )

    def handle(self, *arguments: Any, **options: Any) -> None:
        local = Local()
        if problem := local.problem():
            raise CommandError(problem)
        if options["check"]:
            self.stdout.write(f"{local.name} can host {local.capacity()} engines.")
            return
        with _held(local.folder):
            if options["stop_all"]:
                self._stop_all(local)
            else:
                self._run(local)

    def _run(self, local: Local) -> None:
        engines = EngineHost(local)

        def stop(number: int, frame: FrameType | None) -> None:
            engines.stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        self.stdout.write(f"{local.name} hosts up to {local.capacity()} engines.")
        if settings.ENGINE_LOCAL_TRUSTED:
            self.stderr.write(
                "ENGINE_LOCAL_TRUSTED is set: whoever has a session is root on this machine."
            )
        run(engines)

    def _stop_all(self, local: Local) -> None:
        """Sessions find out by the next agent, which finds their engines gone."""
        for one in local.survey():
            local.remove(one.session_id)
            self.stdout.write(f"Ended the engine of session {one.session_id}.")


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Two agents in one folder would each end what the other starts."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(folder / "host.lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CommandError(
            f"Another engine host holds {folder}. Stop that one, or name a folder of its own: "
            "ENGINE_HOST_DIR=…"
        ) from None
    finally:
        os.close(file)
