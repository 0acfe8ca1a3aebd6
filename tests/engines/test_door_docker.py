"""The ordinary docker client through the door, to a real engine."""

import asyncio
import contextlib
import os
import pty
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sessions.engines.certificates import door_authority
from sessions.engines.door.standing import RefusedError
from tests.engines.doors import NOW, Made, World, opened

pytestmark = pytest.mark.docker

SECONDS = 60


class Client:
    """`docker --tlsverify` with one session's files."""

    def __init__(self, world: World, made: Made, shown: Made | None = None) -> None:
        self.world, self.made = world, made
        pair = (shown or made).certificates.client
        files = {
            "ca": door_authority(at=NOW, until=NOW + timedelta(days=1)),
            "cert": pair.certificate,
            "key": pair.key,
        }
        flags = {"ca": "tlscacert", "cert": "tlscert", "key": "tlskey"}
        self.command = ["docker", "--host", f"tcp://localhost:{world.port}", "--tlsverify"]
        folder = world.folder / f"client-{made.id.hex[:8]}-{shown is None}"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
            self.command.append(f"--{flags[name]}={folder / name}")
        self.surroundings = {"PATH": os.environ["PATH"], "HOME": str(folder)}

    def call(
        self, *arguments: str, given: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.command, *arguments],
            input=given, env=self.surroundings, capture_output=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    def __call__(self, *arguments: str, given: bytes | None = None) -> bytes:
        done = self.call(*arguments, given=given)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def begin(self, *arguments: str, **more: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*self.command, *arguments], env=self.surroundings, **more)


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    """A door in a thread of its own, as in the engine host."""
    there, done = threading.Event(), threading.Event()
    found: list[World] = []

    async def hold() -> None:
        async with opened(tmp_path) as world:
            found.append(world)
            there.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert there.wait(SECONDS)
    yield found[0]
    done.set()
    thread.join(SECONDS)


@pytest.fixture
def docker(world, engine) -> Client:
    """The client of a session with a real engine that has a shell."""
    real = engine()
    real.import_hello()
    real.import_tools()
    made = world.session()
    made.address = real.place.address
    return Client(world, made)


def running_shell(docker: Client) -> str:
    """A container with the host's programs that waits."""
    # Not `:ro`: a rootless engine can't mount that again for `docker cp`.
    found = docker("run", "--detach", "--volume", "/usr:/usr", "tools", "/usr/bin/sleep", "600")
    return found.decode().strip()


def until(condition) -> None:
    waiting = threading.Event()
    for _try in range(SECONDS * 20):
        if condition():
            return
        waiting.wait(0.05)
    raise AssertionError("It did not come to pass.")


def seen(docker: Client):
    return docker.world.counters.take(docker.made.id)


def test_the_everyday_commands_work(docker, tmp_path):
    assert b"hello" in docker("run", "--rm", "hello-world").lower()
    assert seen(docker).api_calls > 3
    assert docker("ps", "--quiet") == b""
    assert seen(docker).api_calls >= 2  # the ping and the list

    container = running_shell(docker)
    said = bytes(range(256)) * 8_000
    assert docker("exec", "--interactive", container, "/usr/bin/cat", given=said) == said
    assert docker.call("exec", container, "/bin/sh", "-c", "exit 7").returncode == 7

    file = tmp_path / "file"
    file.write_bytes(said)
    docker("cp", str(file), f"{container}:/file")
    docker("cp", f"{container}:/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == said
    until(lambda: not seen(docker).open_streams)


def test_a_terminal_works(docker):
    container = running_shell(docker)
    master, slave = pty.openpty()
    client = docker.begin(
        "exec", "-it", container, "/bin/sh", stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    os.write(master, b"echo $((6*7)); exit 3\n")
    said = b""
    with contextlib.suppress(OSError):  # the terminal is gone with its last program
        while piece := os.read(master, 4_096):
            said += piece
    assert client.wait(SECONDS) == 3
    assert b"42\r\n" in said
    os.close(master)


def test_a_build_is_held_while_it_runs(docker, tmp_path):
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM hello-world\nCOPY large /large\n")
    (folder / "large").write_bytes(os.urandom(64 * 2**20))
    docker.surroundings["DOCKER_BUILDKIT"] = "0"
    client = docker.begin("build", "-q", str(folder), stdout=subprocess.DEVNULL)
    until(lambda: seen(docker).builds == 1)
    assert client.wait(SECONDS) == 0
    until(lambda: seen(docker).builds == 0)


def test_exec_is_held_and_cut_when_the_session_ends(docker):
    container = running_shell(docker)
    client = docker.begin(
        "exec", "-i", container, "/usr/bin/cat",
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: seen(docker).attached == 1)
    docker.made.refused = RefusedError(410, "The session has ended (idle). Start a new one.")
    until(lambda: client.poll() is not None)
    client.stdin.close()
    told = docker.call("ps")
    assert told.returncode != 0
    assert b"The session has ended (idle). Start a new one." in told.stderr


def test_another_sessions_certificate_opens_nothing(docker):
    other = docker.world.session()  # its engine listens nowhere
    told = Client(docker.world, docker.made, shown=other).call("ps")
    assert told.returncode != 0
    assert seen(docker).api_calls == 0
