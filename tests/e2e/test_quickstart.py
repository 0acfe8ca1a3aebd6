"""The quickstart word for word: docker client, plugin, dockerd, and the portal as in production."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from sessions.engines import certificates
from tests.e2e import engine_worlds, stack
from tests.e2e.shell import Shell, until
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


def inside(portal: stack.Stack, function: str) -> str:
    """What one function of engine_worlds says, run in the portal itself."""
    says = f"sys.stdout.write(engine_worlds.{function}())"
    code = f"import sys; from tests.e2e import engine_worlds; {says}"
    return portal.manage("shell", "--verbosity", "0", "--command", code)


@pytest.fixture
def shell(portal: stack.Stack, tmp_path: Path) -> Shell:
    return Shell(portal, tmp_path / "olga", engine_worlds.OWNER)


def seconds(text: str) -> int:
    """Seconds since 1970 of an instant in the API's JSON."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())


def billed_alike(shell: Shell, session: str) -> dict[str, Any]:
    """The session, of which clock, timeline and ledger tell the same seconds."""
    found, insights = shell.session(session), shell.ask(f"/sessions/{session}/insights")
    timeline = sum(
        seconds(one["end"]) - seconds(one["start"]) for one in insights["timeline"] if one["billed"]
    )
    ledger = sum(use["seconds"] for use in found["cost_by_source"].values())
    assert found["billed_seconds"] == timeline == ledger
    assert insights["unpaid_seconds"] == 0
    return found


def gone(portal: stack.Stack, host_folder: Path, session: str) -> bool:
    """No row, no file and no process of the session's engine is left."""
    name = session.replace("-", "")
    files = list(host_folder.glob(f"*{name}*"))
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return (
        f"{session} removed" in inside(portal, "engine_states")
        and not files
        and name not in processes.stdout
    )


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
    assert "labelled" in shell.docker("images")
    resumed = shell.wait_for(session, "active")
    assert called <= seconds(resumed["last_activity_at"]) <= time.time()

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


class Visitor:
    """Who knocks at the door with some certificate, and does not care whose door it is."""

    def __init__(self, shell: Shell, folder: Path) -> None:
        host = shell.docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
        self.port = int(host.rpartition(":")[2])
        self.keys = next((shell.home / ".docker" / "offload" / "keys").iterdir())
        self.folder = folder

    def own(self) -> tuple[Path, Path]:
        return self.keys / "cert.pem", self.keys / "key.pem"

    def forged(self, session: str) -> tuple[Path, Path]:
        """A pair whose issuer bears the name of the session's authority."""
        now = datetime.now(UTC)
        made = certificates.make_certificates(
            UUID(session), ("localhost",), at=now, until=now + timedelta(hours=1)
        )
        paths = self.folder / "forged.pem", self.folder / "forged-key.pem"
        paths[0].write_text(made.client.certificate)
        paths[1].write_text(made.client.key)
        return paths

    def see(self, pair: tuple[Path, Path] | None, name: str = "localhost") -> bytes:
        """What the door answers to a request for the engine's images; nothing if it hangs up."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if pair is not None:
            context.load_cert_chain(*pair)
        request = b"GET /images/json HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
        said = b""
        with suppress(OSError):
            plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            with plain, context.wrap_socket(plain, server_hostname=name) as link:
                link.sendall(request)
                while piece := link.recv(65_536):
                    said += piece
        return said


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
