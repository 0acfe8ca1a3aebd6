"""`manage.py engines` as a process of its own: killed, started again, told to stop."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from sessions.engines.local import records, users
from sessions.models import Engine
from tests.engines.host_process import is_in, now, user_of, wait_for
from tests.sessions.lives import stop

pytestmark = [
    pytest.mark.docker,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]


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
