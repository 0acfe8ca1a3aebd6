"""What a command is given: the environment, the terminal, the store, docker and the portal."""

import contextlib
import os
import platform
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from docker_offload import VERSION
from docker_offload.clock import Clock
from docker_offload.docker import Docker
from docker_offload.failures import Failure
from docker_offload.files import locked
from docker_offload.portal import Portal
from docker_offload.store import Store
from docker_offload.terminal import Terminal
from docker_offload.tokens import VARIABLE, GivenToken, SignIn, Tokens
from docker_offload.transport import Transport

BUSY_PATIENCE = 10.0
CI = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "TF_BUILD")


class App:
    """Made once for a command."""

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        terminal: Terminal | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.env = os.environ if env is None else env
        self.terminal = terminal or Terminal(self.env)
        self.clock = clock or Clock()
        self.store = Store(self.env)
        self.docker = Docker(self.env, self.store.docker)

    @cached_property
    def transport(self) -> Transport:
        return Transport(self.store.cacert())

    def tokens(self, address: str) -> Tokens:
        given = self.env.get(VARIABLE, "").strip()
        if given:
            return GivenToken(given)
        return SignIn(self.store, address, self.transport, self.clock)

    def portal(self, address: str = "") -> Portal:
        """The chosen portal, or the one that a session on this machine belongs to."""
        where = address or self.store.portal()
        return Portal(where, self.transport, self.tokens(where), self.clock)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One command at a time changes the session of this machine."""
        with locked(self.store.session_lock, self.clock, BUSY_PATIENCE) as held:
            if not held:
                raise Failure("Another docker offload command is at work on this machine.")
            yield

    def client(self) -> dict[str, Any]:
        """How the session's page names this client."""
        kind = "ci" if any(self.env.get(name) for name in CI) else "cli"
        return {
            "kind": kind,
            "version": VERSION,
            "os": platform.system().lower(),
            "arch": platform.machine().lower(),
        }
