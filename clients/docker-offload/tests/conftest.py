"""A machine with a home of its own, a fake portal, and commands run as docker runs them."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fakes import FakePortal, TestClock, Tty, serve

from docker_offload.app import App
from docker_offload.cli import run
from docker_offload.store import Store
from docker_offload.terminal import Terminal

HERE = Path(__file__).parent


@dataclass
class Result:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Machine:
    """Runs commands in this process; the clock is the test's."""

    env: dict[str, str]
    portal: FakePortal
    clock: TestClock = field(default_factory=TestClock)

    @property
    def store(self) -> Store:
        return Store(self.env)

    def __call__(self, *words: str, typed: str | None = None, **env: str) -> Result:
        """`typed` is what a person at a terminal types; without it there is no terminal."""
        kind = io.StringIO if typed is None else Tty
        out, err = io.StringIO(), kind()
        terminal = Terminal({**self.env, **env}, out, err, kind(typed or ""))
        code = run(["offload", *words], App({**self.env, **env}, terminal, self.clock))
        return Result(code, out.getvalue(), err.getvalue())

    def sign_in(self) -> None:
        endpoints = {"token_endpoint": "/o/token", "revocation_endpoint": "/o/revoke"}
        kept = {name: self.portal.address + path for name, path in endpoints.items()}
        pair = {"access_token": self.portal.access, "refresh_token": self.portal.refresh}
        self.store.keep_sign_in(self.portal.address, {**kept, **pair})

    @property
    def context(self) -> str:
        path = self.store.docker / "config.json"
        return json.loads(path.read_text())["currentContext"] if path.exists() else "default"

    @property
    def contexts(self) -> dict[str, Any]:
        path = self.store.docker / "contexts.json"
        return json.loads(path.read_text()) if path.exists() else {}


@pytest.fixture
def portal() -> Iterator[FakePortal]:
    fake = FakePortal()
    server = serve(fake)
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture
def bare(portal: FakePortal, tmp_path: Path) -> Machine:
    """Nobody has signed in; docker is the double."""
    programs = tmp_path / "bin"
    programs.mkdir()
    double = programs / "docker"
    double.write_text(f'#!/bin/sh\nexec {sys.executable} -S {HERE / "docker_double.py"} "$@"\n')
    double.chmod(0o755)
    env = {
        "HOME": str(tmp_path), "PATH": f"{programs}:/usr/bin:/bin",
        "DOCKER_CONFIG": str(tmp_path / "docker config"), "DOCKER_OFFLOAD_PORTAL": portal.address,
    }  # fmt: skip
    return Machine(env, portal)


@pytest.fixture
def machine(bare: Machine) -> Machine:
    bare.sign_in()
    return bare
