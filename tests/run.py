"""`make test`: the whole suite on SQLite, then on PostgreSQL with a real broker and cache.

The doors (API, pages, waiting clients) and the demonstration meet PostgreSQL with `--all`, and
that is where the long proofs run, on both databases: tests marked `generated`, which make their
cases themselves. So `make test` is short.
`--all` runs what needs a browser or Docker as well, `--screenshots` only the pictures. Arguments
after `--` go to pytest. With CI=true, leaving anything out or skipping a test is a failure.
"""

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests import servers

BUILD = Path(__file__).resolve().parent.parent / "build"
EVERYWHERE = "not browser and not docker and not benchmark"
ON_SQLITE = f"{EVERYWHERE} and not postgresql and not redis"
LONG_ON_SQLITE = f"generated and {ON_SQLITE}"
DOORS = (
    "tests/api",
    "tests/pages",
    "tests/orgs/test_pages.py",
    "tests/runtime/test_demo.py",
    "tests/e2e",
)
# A kind of tests, the program that they need, and which they are. Browsers work side by side,
# file by file; what Lighthouse measures must have the machine for itself.
NEEDS_PACKAGES = (
    ("browser", "chromium", ("-n", "2", "--dist", "loadfile", "-m", "browser and not scores")),
    ("scores", "chromium", ("-m", "scores")),
    ("docker", "dockerd", ("-m", "docker")),
)
ON_TWO = ("-n", "2", "-m", f"{EVERYWHERE} and not generated", "--only-database")
LONG_ON_TWO = ("-n", "2", "-m", f"{EVERYWHERE} and generated", "--only-database")
# Where Debian keeps daemons, which is not on everybody's PATH.
PROGRAMS = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
CHOSEN = ("overview", "activity", "session", "billing", "access", "limits")
# The docker client's plugin is a package of its own, with its own settings for pytest.
PLUGIN = "clients/docker-offload/tests"
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")


@dataclass(frozen=True, slots=True)
class Outcome:
    passed: int
    failed: int
    skipped: int
    ended_well: bool

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.ended_well and other.ended_well,
        )


def pytest(name: str, surroundings: Mapping[str, str], *arguments: str) -> Outcome:
    """One run of pytest in a process of its own; its report lies in build/junit-<name>.xml."""
    report = BUILD / f"junit-{name}.xml"
    report.unlink(missing_ok=True)
    unset = {"DATABASE_URL", "REDIS_URL", "DATA_DIR", "PORTAL_TEST_DATA"}
    here = {key: value for key, value in os.environ.items() if key not in unset}
    command = [sys.executable, "-m", "pytest", "-q", f"--junit-xml={report}", *arguments]
    print(f"\n== {name}", flush=True)
    start = time.monotonic()
    code = subprocess.run(command, env={**here, **surroundings}, check=False).returncode
    print(f"== {name}: {time.monotonic() - start:.0f} s", flush=True)
    return _counted(report, code)


def _counted(report: Path, code: int) -> Outcome:
    # 5: no test was collected, which is well where a kind of test does not exist yet.
    ended_well = code in (0, 5)
    if not report.exists():
        return Outcome(0, 0, 0, ended_well)
    total = failed = skipped = 0
    for suite in ElementTree.parse(report).iter("testsuite"):  # noqa: S314 - our own file
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return Outcome(total - failed - skipped, failed, skipped, ended_well)


def _left_out(why: str) -> Outcome:
    print(f"Left out: {why}.", flush=True)
    return Outcome(0, 0, 0, ended_well=not IN_CI)


def everywhere(extra: list[str]) -> Iterator[Outcome]:
    """The suite on both runtimes. What touches no database runs once."""
    short = ON_SQLITE if extra else f"{ON_SQLITE} and not generated"
    yield pytest("sqlite", {}, "-n", "2", "-m", short, *extra)
    if not extra:
        yield pytest("plugin", {}, "-n", "2", "-m", "not docker", PLUGIN)
    with ExitStack() as stack:
        try:
            surroundings = _servers(stack)
        except servers.NoServerError as error:
            yield _left_out(f"the tests on PostgreSQL with Redis, since there is {error}")
            return
        chosen = ["-n", "2", "-m", EVERYWHERE, "--only-database", *extra]
        whole = [*ON_TWO, *(f"--ignore={door}" for door in DOORS)]
        yield pytest("postgresql", surroundings, *(chosen if extra else whole))


def with_packages(extra: list[str]) -> Iterator[Outcome]:
    """What needs Debian packages: a browser, the docker client, dockerd."""
    if not extra:
        found = shutil.which("docker")
        without = "the plugin's tests with docker, since there is no docker client"
        yield pytest("plugin-docker", {}, "-m", "docker", PLUGIN) if found else _left_out(without)
        yield pytest("generated", {}, "-n", "2", "-m", LONG_ON_SQLITE)
        yield from _on_servers()
    for kind, program, which in NEEDS_PACKAGES:
        if not shutil.which(program, path=PROGRAMS):
            yield _left_out(f"the {kind} tests, since {program} is not installed")
            continue
        with ExitStack() as stack:
            try:
                surroundings = _servers(stack)
            except servers.NoServerError as error:
                yield _left_out(f"the {kind} tests, since there is {error}")
                continue
            yield pytest(kind, surroundings, *which, *extra)


def _on_servers() -> Iterator[Outcome]:
    with ExitStack() as stack:
        try:
            surroundings = _servers(stack)
        except servers.NoServerError as error:
            yield _left_out(f"doors and long proofs on PostgreSQL, since there is {error}")
            return
        yield pytest("postgresql-doors", surroundings, *ON_TWO, *DOORS)
        yield pytest("postgresql-generated", surroundings, *LONG_ON_TWO)


def _servers(stack: ExitStack) -> dict[str, str]:
    database = stack.enter_context(servers.postgresql(f"portal_{os.getpid()}"))
    return {"DATABASE_URL": database, "REDIS_URL": stack.enter_context(servers.redis_server())}


def _keep_chosen() -> None:
    """The pictures that the documents show."""
    folder = BUILD.parent / "docs" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    for name in CHOSEN:
        shutil.copy(BUILD / "screenshots" / f"{name}-wide-light.png", folder / f"{name}.png")


def main(arguments: list[str]) -> int:
    BUILD.mkdir(exist_ok=True)
    where = arguments.index("--") if "--" in arguments else len(arguments)
    own, extra = arguments[:where], arguments[where + 1 :]
    if "--screenshots" in own:
        outcomes = list(with_packages(["tests/e2e/test_pictures.py", *extra]))
        _keep_chosen()
    elif "--all" in own:
        outcomes = list(with_packages(extra))
    else:
        outcomes = list(everywhere(extra))
    total = sum(outcomes, Outcome(0, 0, 0, ended_well=True))
    if IN_CI and total.skipped:
        print(f"{total.skipped} skipped: in CI no test may be.")
    print(f"\n{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 0 if total.ended_well and not total.failed and not (IN_CI and total.skipped) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
