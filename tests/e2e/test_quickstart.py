"""The quickstart word for word: docker client, plugin, dockerd, and the portal as in production."""

import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from tests.e2e import engine_worlds, stack
from tests.e2e.engine_checks import Daemon, Visitor, billed_alike, gone, inside, seconds
from tests.e2e.shell import Shell, finished, until
from tests.engines import images
from tests.runtime.processes import free_port

pytestmark = pytest.mark.docker

IDLE_TIMEOUT, IDLE_END = 10, 15


@pytest.fixture(scope="module")
def host_folder() -> Iterator[Path]:
    """Short, since sockets lie in it."""
    folder = Path(tempfile.mkdtemp(prefix="e2e-", dir="/tmp"))
    yield folder / "engines"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def portal(host_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[stack.Stack]:
    more = {
        "ENGINE_PROVIDER": "local",
        "ENGINE_HOST_DIR": str(host_folder),
        "ENGINE_HOST_NAME": f"host-{host_folder.parent.name}",
        "ENGINE_PUBLIC_PORT": str(free_port()),
        "ENGINE_LOCAL_CAPACITY": "4",
        "SESSION_IDLE_END_SECONDS": str(IDLE_END),
        "RESERVE_SECONDS": "5",
    }
    folder = tmp_path_factory.mktemp("quickstart")
    with stack.production(folder, f"portal_quickstart_{os.getpid()}", **more) as running:
        inside(running, "make")
        yield running


@pytest.fixture
def shell(portal: stack.Stack, tmp_path: Path) -> Shell:
    return Shell(portal, tmp_path / "olga", engine_worlds.OWNER)


def build_labelled(shell: Shell) -> str:
    folder = shell.home / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text('FROM hello-world\nLABEL made.by="the quickstart"\n')
    shell.docker("build", "--quiet", "--tag", "labelled", str(folder))
    label = '{{index .Config.Labels "made.by"}}'
    return shell.docker("image", "inspect", "--format", label, "labelled")


def test_the_quickstart(portal: stack.Stack, host_folder: Path, shell: Shell) -> None:
    before = shell.docker("context", "show")
    session = shell.start()
    assert shell.docker("context", "show") == "docker-offload"
    shell.import_hello()
    assert "Hello from Docker!" in shell.docker("run", "--rm", "hello-world")
    assert build_labelled(shell) == "the quickstart"
    shell.wait_for(session, "active")
    status = shell.status()
    assert (status["state"], status["on_this_machine"]) == ("active", True)
    assert status["account"]["name"] == "Acme"

    first = seconds(shell.session(session)["first_active_at"])
    idle = shell.wait_for(session, "idle")
    assert seconds(idle["idle_since"]) == seconds(idle["last_activity_at"]) + IDLE_TIMEOUT
    assert idle["billed_seconds"] == seconds(idle["idle_since"]) - first
    called = int(time.time())
    assert "CONTAINER ID" in shell.docker("ps")
    resumed = shell.wait_for(session, "active")
    assert called <= seconds(resumed["last_activity_at"]) <= time.time()
    # It is the same engine, with all that was in it.
    assert "labelled" in shell.docker("images")

    shell.wait_for(session, "ended")
    until(lambda: gone(portal, host_folder, session))
    found = billed_alike(shell, session)
    last = seconds(found["last_activity_at"])
    assert found["end_reason"] == "idle"
    assert seconds(found["ended_at"]) == last + IDLE_TIMEOUT + IDLE_END
    # The gap that was resumed counts, the tail does not.
    assert found["billed_seconds"] == last + IDLE_TIMEOUT - first
    runs = shell.ask(f"/sessions/{session}/insights")["containers"]
    assert "hello-world" in {run["image"] for run in runs}

    assert shell.status()["state"] == "ended"
    assert shell.docker("context", "show") == before


def test_stop_ends_everything_at_once(portal: stack.Stack, host_folder: Path, shell: Shell) -> None:
    before = shell.docker("context", "show")
    called = int(time.time())
    session = shell.start()
    shell.import_hello()
    assert "Hello from Docker!" in shell.docker("run", "--rm", "hello-world")
    until(lambda: shell.session(session)["billed_seconds"] > 1)
    asked = int(time.time())
    shell.docker("offload", "stop")
    stopped = time.time()

    assert shell.docker("context", "show") == before
    until(lambda: gone(portal, host_folder, session))
    found = billed_alike(shell, session)
    first, ended = seconds(found["first_active_at"]), seconds(found["ended_at"])
    assert (found["state"], found["end_reason"]) == ("ended", "stopped")
    assert asked <= ended <= stopped
    assert called <= first < asked
    assert found["billed_seconds"] == ended - first


def test_a_session_ends_in_the_second_in_which_its_allowance_does(
    portal: stack.Stack, host_folder: Path, tmp_path: Path
) -> None:
    poor = Shell(portal, tmp_path / "poor", engine_worlds.POOR)
    session = poor.start()
    poor.docker("import", "-", "tools", given=images.tools_tar())
    poor.docker("run", "--detach", "--volume", "/usr:/usr", "tools", "/usr/bin/sleep", "600")
    poor.wait_for(session, "ended")
    found = billed_alike(poor, session)
    assert found["end_reason"] == "allowance_exhausted"
    assert found["billed_seconds"] == engine_worlds.SECONDS_LEFT
    until(lambda: gone(portal, host_folder, session))
    refused = poor.call("offload", "start")
    assert refused.returncode == 1
    assert b"(no_allowance)" in refused.stderr


def test_three_people_at_once_reach_only_their_own_engines(
    portal: stack.Stack, host_folder: Path, tmp_path: Path
) -> None:
    emails = (engine_worlds.OWNER, engine_worlds.MAX, engine_worlds.MIA)
    shells = [Shell(portal, tmp_path / email.partition("@")[0], email) for email in emails]
    sessions = [shell.start() for shell in shells]
    for number, shell in enumerate(shells):
        shell.docker("import", "-", f"own-{number}", given=images.hello_tar())
    for number, shell in enumerate(shells):
        names = shell.docker("images", "--format", "{{.Repository}}")
        assert names.split() == [f"own-{number}"]
    for number, shell in enumerate(shells):
        visitor = Visitor(shell, tmp_path)
        assert f"own-{number}".encode() in visitor.see(visitor.own())
        assert visitor.see(None) == b""
        for other in sessions[:number] + sessions[number + 1 :]:
            assert visitor.see(visitor.forged(other)) == b""
            # Its own key and another session's name open its own engine at most.
            for name in (f"{UUID(other).hex}.localhost", other):
                seen = set(re.findall(rb"own-\d", visitor.see(visitor.own(), name)))
                assert seen <= {f"own-{number}".encode()}
    for shell in shells:
        shell.docker("offload", "stop")
    for session in sessions:
        until(partial(gone, portal, host_folder, session))
    for shell, session in zip(shells, sessions, strict=True):
        billed_alike(shell, session)


def test_a_session_survives_the_death_of_each_process(
    portal: stack.Stack, host_folder: Path, shell: Shell
) -> None:
    session = shell.start()
    shell.import_hello()
    shell.wait_for(session, "active")
    for part in ("web", "worker", "beat", "engines"):
        portal.parts[part].crash()
        until(lambda: b"Hello from Docker!" in shell.call("run", "--rm", "hello-world").stdout)
        stack.wait_until_ready(portal)
        assert shell.session(session)["state"] in ("idle", "active")
    called = int(time.time())
    until(lambda: shell.call("images").returncode == 0)
    until(lambda: seconds(shell.session(session)["last_activity_at"]) >= called)
    shell.docker("offload", "stop")
    until(lambda: gone(portal, host_folder, session))
    found = billed_alike(shell, session)
    assert found["end_reason"] == "stopped"
    assert found["billed_seconds"] == seconds(found["ended_at"]) - seconds(found["first_active_at"])


def test_a_killed_dockerd_ends_its_own_session_while_a_silent_build_survives_next_to_it(
    portal: stack.Stack, host_folder: Path, shell: Shell, tmp_path: Path
) -> None:
    other = Shell(portal, tmp_path / "max", engine_worlds.MAX)
    building = other.start()
    build = other.begin_silent_build(building)
    kill_and_check(portal, host_folder, shell)
    # The person can start again at once, on another engine.
    again = shell.start()
    assert "hello-world" not in shell.docker("images")
    shell.docker("offload", "stop")

    built = finished(build)
    assert built.returncode == 0, built.stderr
    # Silent for longer than a session may be until it ends, and active all that time.
    assert images.NAP_SECONDS > IDLE_TIMEOUT + IDLE_END
    timeline = other.ask(f"/sessions/{building}/insights")["timeline"]
    active = [part["seconds"] for part in timeline if part["kind"] == "active"]
    assert len(active) == 1
    assert active[0] >= images.NAP_SECONDS
    other.docker("offload", "stop")
    for session in (building, again):
        until(partial(gone, portal, host_folder, session))
    billed_alike(other, building)


def kill_and_check(portal: stack.Stack, host_folder: Path, shell: Shell) -> None:
    """Rule 12, to the second: what was billed since the engine was last seen is given back."""
    before = shell.docker("context", "show")
    session = shell.start()
    shell.import_hello()
    shell.wait_for(session, "active")
    daemon = Daemon(host_folder, session)
    until(lambda: daemon.seen_at() > seconds(shell.session(session)["first_active_at"]))
    seen = daemon.seen_at()
    for number in daemon.numbers():
        os.kill(number, signal.SIGKILL)
    found = shell.wait_for(session, "ended")
    assert found["end_reason"] == "engine_lost"
    lost = seconds(found["ended_at"])
    assert found["billed_seconds"] == lost - seconds(found["first_active_at"])
    given_back = dict(line.split() for line in inside(portal, "given_back").splitlines())
    # Found in the very second it was last seen: nothing was billed since.
    assert int(given_back.get(session, 0)) == lost - seen

    refused = shell.call("ps")
    assert refused.returncode == 1
    assert b"The session has ended (engine_lost). Start a new one." in refused.stderr
    told = shell.call("offload", "status")
    assert b"The engine was lost; what was billed since it was last seen was given" in told.stderr
    assert shell.docker("context", "show") == before
    until(lambda: gone(portal, host_folder, session))
    until(daemon.is_gone)
    billed_alike(shell, session)


def test_two_machines_that_start_at_once_get_one_session(
    portal: stack.Stack, host_folder: Path, tmp_path: Path
) -> None:
    machines = [Shell(portal, tmp_path / name, engine_worlds.MIA) for name in ("desk", "laptop")]
    starts = [machine.begin("offload", "start") for machine in machines]
    ended = [finished(start) for start in starts]
    codes = [one.returncode for one in ended]
    assert sorted(codes) == [0, 1], ended
    winner, loser = codes.index(0), codes.index(1)
    assert b"session_already_running" in ended[loser].stderr
    session = machines[winner].status()["session"]["id"]
    # The other machine sees it, says that it is not its own, and keeps its docker as it was.
    seen = machines[loser].status()
    assert (seen["session"]["id"], seen["on_this_machine"]) == (session, False)
    assert machines[loser].docker("context", "show") == "default"
    running = "state=starting&state=idle&state=active"
    mine = machines[winner].ask(f"/sessions?user=me&{running}")["results"]
    assert [one["id"] for one in mine] == [session]
    machines[winner].docker("offload", "stop")
    until(partial(gone, portal, host_folder, session))
