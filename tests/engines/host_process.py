"""`manage.py engines` as a process of its own, with the test's database and engine folder."""

import os
import socket
import subprocess
import sys
import time

from django.conf import settings as configured
from django.db import connection
from django.utils import timezone

from offload_portal.common.periods import cut_to_second
from sessions.engines.local import records, users
from sessions.models import Engine

READY_SECONDS = 60


def now():
    return cut_to_second(timezone.now())


def database_url():
    """The test's own database, as another process names it."""
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    access = f"{found['USER']}:{found['PASSWORD']}".rstrip(":")
    return f"postgres://{access}@{found['HOST']}:{found['PORT']}/{found['NAME']}"


class Process:
    """The command, with the test's database and engine folder."""

    def __init__(self, settings, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = folder.parent / "host.log"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "offload_portal.settings",
            "DATABASE_URL": database_url(),
            "DATA_DIR": str(folder.parent / "data"),
            "SECRET_KEY": configured.SECRET_KEY,
            "ENGINE_HOST_DIR": str(folder),
            "ENGINE_HOST_NAME": settings.ENGINE_HOST_NAME,
            "ENGINE_PUBLIC_PORT": str(self.port),
        }
        self.running: subprocess.Popen | None = None

    def command(self, *options):
        return [sys.executable, "manage.py", "engines", *options]

    def start(self):
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                self.command(), cwd=configured.BASE_DIR, env=self.environment, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip

    def end(self, number):
        assert self.running is not None
        self.running.send_signal(number)
        return self.running.wait(30)

    def say(self, *options):
        return subprocess.run(
            self.command(*options), cwd=configured.BASE_DIR, env=self.environment,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip


def wait_for(process, true):
    until = time.monotonic() + READY_SECONDS
    while not true():
        assert process.running.poll() is None, process.log.read_text()
        assert time.monotonic() < until, process.log.read_text()
        time.sleep(0.05)


def is_in(session, state):
    return lambda: Engine.objects.get(session=session).state == state


def user_of(local, session):
    record = records.read(local.folder / session.id.hex)
    assert record is not None
    return users.find(record.user)
