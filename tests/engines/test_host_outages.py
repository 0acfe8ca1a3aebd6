"""The engine host while the database or the engine is away, and when they are back."""

import os
import signal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from sessions.engines.hosting import Place
from sessions.engines.local import users
from sessions.models import ContainerRun, Engine, Session
from tests.engines.conftest import Docker
from tests.engines.host_process import is_in, now, user_of, wait_for
from tests.engines.proxy import Proxy
from tests.sessions.lives import stop

pytestmark = [
    pytest.mark.docker,
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]


@pytest.fixture
def proxy(process):
    """Between the engine host and the test's database."""
    address = urlsplit(process.environment["DATABASE_URL"])
    made = Proxy(address.hostname, address.port or 5432)
    netloc = address.netloc.rpartition("@")[0] + f"@127.0.0.1:{made.port}"
    process.environment["DATABASE_URL"] = urlunsplit(address._replace(netloc=netloc))
    yield made
    made.close()


def runs(session):
    """Name and exit code of each run, in the order of their start."""
    rows = ContainerRun.objects.filter(session=session).order_by("started_at", "id")
    return [(row.name, row.exit_code) for row in rows]


def said(process, words):
    return lambda: words in process.log.read_text()


def test_it_survives_the_loss_of_the_database_and_of_the_engine_and_tells_each_run_once(
    process, proxy, local, session
):
    process.start()
    wait_for(process, is_in(session, "ready"))
    docker = Docker(session.pk, Place(Engine.objects.get(session=session).address))
    docker.import_tools()
    docker.import_hello()
    mounts = ("--volume", "/usr:/usr:ro")
    docker("run", "--detach", "--name", "long", *mounts, "tools", "/usr/bin/sleep", "600")
    docker("run", "--name", "before", "hello-world")
    wait_for(process, lambda: ("before", 0) in runs(session))

    proxy.shut()
    wait_for(process, said(process, "The database is away; engines go on without it"))
    docker("run", "--name", "meanwhile", "hello-world")
    wait_for(process, said(process, "The database is away; the watcher waits for it"))
    assert ("meanwhile", 0) not in runs(session)
    proxy.open()
    wait_for(process, lambda: ("meanwhile", 0) in runs(session))

    (daemon,) = daemons(user_of(local, session))
    os.kill(daemon, signal.SIGSTOP)
    wait_for(process, said(process, f"Engine of {session.pk} does not answer"))
    os.kill(daemon, signal.SIGCONT)
    docker("run", "--name", "after", "hello-world")
    wait_for(process, lambda: ("after", 0) in runs(session))

    assert runs(session) == [("long", None), ("before", 0), ("meanwhile", 0), ("after", 0)]
    assert is_in(session, "ready")()
    assert Session.objects.get(pk=session.pk).ended_at is None
    stop(session, now())
    wait_for(process, is_in(session, "removed"))
    assert local.survey() == ()


def daemons(user):
    return [
        number
        for number in users.processes_of(user)
        if Path(f"/proc/{number}/comm").read_text().strip() == "dockerd"
    ]
