"""The portal's commands as processes of their own, with an environment that is said in full."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

PATIENCE_SECONDS = 90
# What a test's own settings put into the environment must not reach the portal under test.
OURS = ("DJANGO_SETTINGS_MODULE", "DATA_DIR", "DATABASE_URL", "REDIS_URL", "PORTAL_TEST_DATA")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def surroundings(folder: Path, **values: str) -> dict[str, str]:
    """An environment with a data folder of its own, no engines and nothing of the test run's."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    ours = {"PYTHONUNBUFFERED": "1", "DEMO": "0", "ENGINE_PROVIDER": "external"}
    return {**kept, **ours, "DATA_DIR": str(folder), **values}


def manage(
    folder: Path, *arguments: str, patience: float = PATIENCE_SECONDS, **values: str
) -> "subprocess.CompletedProcess[str]":
    """One command of manage.py that ends by itself, with what it printed."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=surroundings(folder, **values),
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )


@contextmanager
def running(folder: Path, **values: str) -> Iterator["subprocess.Popen[str]"]:
    """`manage.py run` until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run"],
        cwd=settings.BASE_DIR,
        env=surroundings(folder, **values),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)


def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    """What it printed up to the line with the words; fails where it ends before."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if words in line:
            return seen
    raise AssertionError(f"It ended before it said {words!r}:\n{seen}")
