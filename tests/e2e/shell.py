"""A developer's shell: the real docker client, with the real plugin, in a home of its own."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.e2e.stack import Stack
from tests.engines import images

PLUGIN = settings.BASE_DIR / "clients" / "docker-offload" / "src"
PATIENCE_SECONDS = 90
OURS = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


def until(condition: Callable[[], Any], seconds: int = PATIENCE_SECONDS) -> Any:
    """What the condition says once that is something; fails when it takes too long."""
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("It did not come to pass.")


def finished(process: "subprocess.Popen[bytes]") -> subprocess.CompletedProcess[bytes]:
    """What became of a command that was begun."""
    out, error = process.communicate(timeout=PATIENCE_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, out, error)


class Shell:
    def __init__(self, stack: Stack, home: Path, email: str) -> None:
        self.stack, self.home = stack, home
        self.token = stack.manage("issue_token", email)
        home.mkdir()
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        self.surroundings = {
            **kept,
            "HOME": str(home),
            "DOCKER_CONFIG": str(home / ".docker"),
            "DOCKER_BUILDKIT": "0",
            "DOCKER_OFFLOAD_PORTAL": stack.address,
            "DOCKER_OFFLOAD_TOKEN": self.token,
            "PYTHONPATH": str(PLUGIN),
        }
        self._run([sys.executable, "-m", "docker_offload.install"]).check_returncode()

    def _run(
        self, command: list[str], given: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, input=given, env=self.surroundings, cwd=self.home, capture_output=True,
            timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip

    def call(
        self, *arguments: str, given: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return self._run(["docker", *arguments], given)

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """A command that goes on beside the test."""
        return subprocess.Popen(
            ["docker", *arguments], env=self.surroundings, cwd=self.home,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def begin_silent_build(self, session: str) -> "subprocess.Popen[bytes]":
        """A build that neither says nor asks anything for `images.NAP_SECONDS`.

        The session is active before it, so that no second of it is before the first report.
        """
        self.docker("import", "-", "nap", given=images.nap_tar())
        self.wait_for(session, "active")
        folder = self.home / "nap"
        folder.mkdir()
        (folder / "Dockerfile").write_text('FROM nap\nRUN ["/nap"]\n')
        return self.begin("build", "--quiet", str(folder))

    def docker(self, *arguments: str, given: bytes | None = None) -> str:
        done = self.call(*arguments, given=given)
        assert done.returncode == 0, (arguments, done.stdout.decode(), done.stderr.decode())
        return done.stdout.decode().strip()

    def start(self) -> str:
        """Start a session with a short idle timeout; its identifier."""
        self.docker("offload", "start", "--idle-timeout", "10s")
        return str(self.status()["session"]["id"])

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.docker("offload", "status", "--format", "json")))

    def import_hello(self) -> None:
        change = 'CMD ["/hello"]'
        self.docker("import", "--change", change, "-", "hello-world", given=images.hello_tar())

    def ask(self, path: str) -> dict[str, Any]:
        """The portal's own word, beside the plugin."""
        request = urllib.request.Request(
            f"{self.stack.address}/api/v1{path}",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return dict(json.load(answer))

    def session(self, session: str) -> dict[str, Any]:
        return self.ask(f"/sessions/{session}")

    def wait_for(self, session: str, state: str) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            found = self.session(session)
            return found if found["state"] == state else None

        return dict(until(reached))
