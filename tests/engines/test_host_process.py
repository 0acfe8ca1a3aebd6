"""`manage.py engines` as a process of its own: killed, started again, told to stop."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.db import connection
from django.utils import timezone

from offload_portal.common.periods import cut_to_second
from sessions.engines.announcements import announce
from sessions.engines.local import records, users
from sessions.models import Engine
from tests import factories
from tests.sessions.lives import start, stop

pytestmark = [
    pytest.mark.docker,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]
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


@pytest.fixture
def process(settings, host_folder, local, transactional_db, django_db_serialized_rollback):
    made = Process(settings, host_folder)
    yield made
    if made.running is not None and made.running.poll() is None:
        made.running.kill()
        made.running.wait()


@pytest.fixture
def session(settings, transactional_db, django_db_serialized_rollback):
    settings.ENGINE_PROVIDER = "local"
    owner = factories.person("Olga Owner")
    organization = factories.subscribed_organization(owner, at=now())
    announce(host_name=settings.ENGINE_HOST_NAME, capacity=2, at=now())
    return start(organization, owner, now())


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


def test_an_agent_that_is_killed_finds_its_engines_when_it_starts_again(process, local, session):
    process.start()
    wait_for(process, is_in(session, "ready"))
    row = Engine.objects.get(session=session)
    user = user_of(local, session)
    first = set(users.processes_of(user))

    process.end(signal.SIGKILL)
    assert set(users.processes_of(user)) == first

    process.start()
    seen = records.seen_at(local.folder / session.id.hex)
    wait_for(process, lambda: records.seen_at(local.folder / session.id.hex) != seen)
    assert set(users.processes_of(user)) == first
    assert Engine.objects.get(session=session).ready_at == row.ready_at

    stop(session, now())
    wait_for(process, is_in(session, "removed"))
    assert users.processes_of(user) == []
    assert local.survey() == ()
    assert process.end(signal.SIGTERM) == 0


def test_what_happened_while_no_agent_ran_is_found_afterwards(process, local, session):
    process.start()
    wait_for(process, is_in(session, "ready"))
    user = user_of(local, session)
    assert process.end(signal.SIGTERM) == 0
    assert users.processes_of(user)

    stop(session, now())
    process.start()
    wait_for(process, is_in(session, "removed"))
    assert users.processes_of(user) == []


def test_a_killed_dockerd_is_an_engine_lost(process, local, session):
    process.start()
    wait_for(process, is_in(session, "ready"))
    user = user_of(local, session)
    for number in users.processes_of(user):
        with suppress(OSError):
            if Path(f"/proc/{number}/comm").read_text().strip() == "dockerd":
                os.kill(number, signal.SIGKILL)

    wait_for(process, is_in(session, "removed"))

    session.refresh_from_db()
    assert session.end_reason == "engine_lost"
    assert session.failure
    assert local.survey() == ()


def test_stop_all_ends_every_engine_of_the_host(process, local, session):
    process.start()
    wait_for(process, is_in(session, "ready"))
    assert "Another engine host holds" in process.say("--stop-all").stderr
    process.end(signal.SIGTERM)

    said = process.say("--stop-all")

    assert said.stdout.strip() == f"Ended the engine of session {session.id}."
    assert local.survey() == ()


def test_check_says_whether_the_machine_can(process):
    assert "can host" in process.say("--check").stdout
    process.environment["ENGINE_HOST_DIR"] = "/tmp/" + 100 * "x"
    said = process.say("--check")
    assert said.returncode == 1
    assert "ENGINE_HOST_DIR" in said.stderr
