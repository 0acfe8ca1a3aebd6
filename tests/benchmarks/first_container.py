"""From `docker offload start` to the first container's first output, with real engines.

    python -m tests.benchmarks.first_container [--rounds 5]

Needs root, dockerd, rootlesskit and the docker client. Portal, engine host and door run as in
production on PostgreSQL and Redis; the docker client with the plugin is a developer's. The parts of
the engine's own start are those that its host wrote down; the rest of the start is request, queue,
door, readiness as the client sees it, keys and context. Prints medians with their spread, seconds.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psycopg

from tests.benchmarks import load
from tests.runtime.processes import free_port


def engine_parts(database: str, session: str) -> dict[str, float]:
    """Seconds of each part of the engine's start, as its host wrote them down."""
    with psycopg.connect(database) as link:
        row = link.execute(
            "SELECT timings FROM offload_sessions_engine WHERE session_id = %s", [session]
        ).fetchone()
    assert row is not None
    found = row[0] if isinstance(row[0], dict) else json.loads(row[0])
    return {str(name): float(seconds) for name, seconds in found.items()}


def measured(rounds: int, folder: Path) -> dict[str, list[float]]:
    """Each part of each round."""
    from tests.e2e import engine_worlds, stack
    from tests.e2e.shell import Shell

    more = {
        "ENGINE_PROVIDER": "local",
        "ENGINE_HOST_DIR": str(folder / "engines"),
        "ENGINE_HOST_NAME": f"bench-{os.getpid()}",
        "ENGINE_PUBLIC_PORT": str(free_port()),
        "ENGINE_LOCAL_CAPACITY": "4",
    }
    code = "from tests.e2e import engine_worlds; engine_worlds.make()"
    seen: dict[str, list[float]] = defaultdict(list)
    (folder / "portal").mkdir()
    with stack.production(folder / "portal", f"portal_first_{os.getpid()}", **more) as portal:
        portal.manage("shell", "--verbosity", "0", "--command", code)
        shell = Shell(portal, folder / "olga", engine_worlds.OWNER)
        for _round in range(rounds):
            begun = time.perf_counter()
            shell.docker("offload", "start", "--idle-timeout", "60s")
            started = time.perf_counter()
            session = str(shell.status()["session"]["id"])
            importing = time.perf_counter()
            shell.import_hello()
            imported = time.perf_counter()
            said = shell.docker("run", "--rm", "hello-world")
            ended = time.perf_counter()
            assert "Hello from Docker!" in said
            parts = engine_parts(portal.values["DATABASE_URL"], session)
            for name, value in parts.items():
                seen[f"start: engine, {name}"].append(value)
            seen["start: the rest"].append(started - begun - sum(parts.values()))
            seen["start, whole"].append(started - begun)
            seen["image import"].append(imported - importing)
            seen["container"].append(ended - imported)
            seen["to the first output"].append(started - begun + ended - importing)
            shell.docker("offload", "stop")
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.environment")
    django.setup()
    # Short, since sockets lie in it.
    folder = Path(tempfile.mkdtemp(prefix="first-", dir="/tmp"))
    try:
        for name, values in measured(chosen.rounds, folder).items():
            print(f"{name:28} {load.median(values)}", flush=True)  # noqa: T201
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
