"""The docker client: its contexts. Keys go to it as paths of files, never as arguments."""

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker_offload import CONTEXT
from docker_offload.failures import Failure
from docker_offload.files import read_json
from docker_offload.words import clean

DEFAULT = "default"
DESCRIPTION = "Docker Offload: session "
ORIGINAL = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"
# What would make a child of ours look at another context than the one it shall change.
NOT_FOR_CHILDREN = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
OVERRIDES = ("DOCKER_HOST", "DOCKER_CONTEXT")
TIMEOUT = 30


@dataclass(frozen=True)
class EngineFiles:
    """Where the certificates and the key of a session lie."""

    ca: Path
    certificate: Path
    key: Path


class Docker:
    """Runs the docker client that started the plugin."""

    def __init__(self, env: Mapping[str, str], directory: Path) -> None:
        self.env, self.directory = env, directory

    def overriding(self) -> list[str]:
        """Variables that make docker ignore the context in use."""
        return [
            name
            for name in OVERRIDES
            if self.env.get(name) and (name, self.env[name]) != ("DOCKER_CONTEXT", CONTEXT)
        ]

    def current(self) -> str:
        """The context in use by docker's own file, whatever the environment says."""
        return str(read_json(self.directory / "config.json").get("currentContext") or DEFAULT)

    def _inspect(self, name: str) -> dict[str, Any] | None:
        """What docker knows of the context; None where there is none."""
        done = self._run("context", "inspect", name)
        try:
            return dict(json.loads(done.stdout)[0]) if done.returncode == 0 else None
        except (ValueError, LookupError, TypeError):
            return None

    def has(self, name: str) -> bool:
        return self._inspect(name) is not None

    def is_ours(self, found: dict[str, Any] | None) -> bool:
        metadata = (found or {}).get("Metadata") or {}
        return str(metadata.get("Description", "")).startswith(DESCRIPTION)

    def has_ours(self) -> bool:
        return self.is_ours(self._inspect(CONTEXT))

    def host(self) -> str:
        """The address in our context; empty where it has none."""
        endpoints = (self._inspect(CONTEXT) or {}).get("Endpoints") or {}
        return str((endpoints.get("docker") or {}).get("Host", ""))

    def make(self, session_id: str, host: str, files: EngineFiles) -> None:
        """Create the context; one of an earlier session goes, one of somebody else stays."""
        found = self._inspect(CONTEXT)
        if found is not None:
            if not self.is_ours(found):
                sentence = f"There is a docker context {CONTEXT} that this plugin did not make."
                raise Failure(sentence, f"Remove it with: docker context rm {CONTEXT}")
            self.remove()
        endpoint = {
            "host": host,
            "ca": str(files.ca),
            "cert": str(files.certificate),
            "key": str(files.key),
        }
        self._done(
            "context", "create", CONTEXT, "--description", f"{DESCRIPTION}{session_id}",
            "--docker", _joined(endpoint),
        )  # fmt: skip

    def use(self, name: str) -> None:
        self._done("context", "use", name)

    def restore(self, before: str) -> str:
        """Go back to the context of before, if docker is still on ours; say which is in use."""
        current = self.current()
        if current != CONTEXT:
            return current
        known = before != CONTEXT and (before == DEFAULT or self.has(before))
        target = before if known else DEFAULT
        self.use(target)
        return target

    def remove(self) -> None:
        if self.has_ours():
            self._done("context", "rm", "--force", CONTEXT)

    def version(self) -> str | None:
        """The client's; None where there is no client."""
        try:
            done = self._run("--version")
        except Failure:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def _program(self) -> str:
        original = self.env.get(ORIGINAL, "")
        wanted = original if Path(original).name == "docker" else "docker"
        found = shutil.which(wanted, path=self.env.get("PATH")) or shutil.which("docker")
        if found is None:
            raise Failure("The docker client is not installed, or not in PATH.")
        return found

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        env = {
            name: value
            for name, value in self.env.items()
            if name not in NOT_FOR_CHILDREN and not name.startswith("DOCKER_CLI_PLUGIN_")
        }
        env["DOCKER_CONFIG"] = str(self.directory)
        try:
            return subprocess.run(
                [self._program(), *arguments],
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT,
                check=False,
                # A Ctrl-C is ours to handle; half a context must not stay behind.
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as error:
            raise Failure(f"docker {arguments[0]} did not end within {TIMEOUT} s.") from error
        except OSError as error:
            raise Failure(f"The docker client can't be run: {error.strerror}.") from error

    def _done(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            said = clean(done.stderr.strip()) or f"exit code {done.returncode}"
            raise Failure(f"docker {arguments[0]} {arguments[1]} failed: {said}")
        return done.stdout


def _joined(endpoint: Mapping[str, str]) -> str:
    """Docker reads the parts of an endpoint as one line of CSV; a path may hold a comma."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(f"{k}={v}" for k, v in endpoint.items())
    return line.getvalue()
