"""An engine is a wall: a Docker API is root, but only behind it.

Each test plants something and lets a container with every right look for it.
"""

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from sessions.engines.local import Local
from tests.engines.conftest import Docker

SECRET = "the-portal-keeps-this-4711"
EVERYTHING = (
    "--privileged", "--volume", "/:/host", "--network", "host", "--pid", "host", "--ipc", "host",
    "--uts", "host", "--cgroupns", "host", "--security-opt", "seccomp=unconfined",
)  # fmt: skip
WAYS = [
    pytest.param(("--privileged",), id="privileged"),
    pytest.param(("--volume", "/:/host"), id="the root as a volume"),
    pytest.param(("--network", "host"), id="the host's network"),
    pytest.param(("--pid", "host"), id="the host's processes"),
    pytest.param(EVERYTHING, id="everything at once"),
]

pytestmark = pytest.mark.docker


@pytest.fixture
def docker(engine: Callable[[], Docker]) -> Docker:
    made = engine()
    made.import_tools()
    return made


@pytest.fixture
def secret() -> Iterator[Path]:
    path = Path(settings.DATA_DIR) / "planted-secret"
    path.write_text(SECRET)
    path.chmod(0o644)
    yield path
    path.unlink()


@pytest.fixture
def telling_process() -> Iterator[subprocess.Popen]:
    """A process of the portal whose arguments tell a secret."""
    process = subprocess.Popen([sys.executable, "-c", "input()", SECRET], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("way", WAYS)
def test_no_file_of_the_portal_is_read(docker: Docker, secret: Path, way: tuple[str, ...]) -> None:
    places = [secret, settings.BASE_DIR / "manage.py", Path("/root"), Path("/home"), Path("/work")]
    script = "; ".join(
        f"ls -d {root}{place} 2>/dev/null && echo THERE"
        for place in places
        for root in ("", "/host", "/proc/1/root", "/host/proc/1/root", "/host/engine/..")
    )
    found = docker.look(*way, script=f"{script}; grep -rls {SECRET} /host/tmp /host/run; true")
    assert found == ""


@pytest.mark.parametrize("way", WAYS)
def test_no_file_of_another_session_is_read(
    docker: Docker, engine: Callable[[], Docker], local: Local, way: tuple[str, ...]
) -> None:
    other = engine()
    planted = local.folder / other.session_id.hex / "engine" / "home" / f"{SECRET}-file"
    planted.write_text(SECRET)
    planted.chmod(0o666)

    found = docker.look(
        *way,
        script=f"find / -xdev -name '{SECRET}*' 2>/dev/null; "
        f"find /host /proc/1/root -maxdepth 6 -name '{SECRET}*' 2>/dev/null; "
        f"ls -d /host{local.folder} /host{other.place.address} 2>/dev/null; true",
    )

    assert found == ""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_no_port_of_the_portal_is_reached(docker: Docker, way: tuple[str, ...], bound: str) -> None:
    with socket.create_server((bound, 0)) as listening:
        port = listening.getsockname()[1]
        addresses = ("127.0.0.1", "10.0.2.2", "10.0.2.3", "172.17.0.1", *own_addresses())
        found = docker.look(
            *way, script=f"/usr/bin/python3 -c '{CALL}' {port} {' '.join(addresses)}"
        )
    assert found.split() == ["refused"] * len(addresses)


CALL = """
import socket, sys
for address in sys.argv[2:]:
    try:
        socket.create_connection((address, int(sys.argv[1])), 1.5)
        print("REACHED")
    except OSError:
        print("refused")
"""


def own_addresses() -> list[str]:
    said = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout
    return [address for address in said.split() if ":" not in address]


@pytest.mark.parametrize("way", WAYS)
def test_no_process_of_the_portal_or_of_another_session_is_seen(
    docker: Docker,
    engine: Callable[[], Docker],
    telling_process: subprocess.Popen,
    way: tuple[str, ...],
) -> None:
    other = engine()
    other.import_tools()
    other(
        "run", "--detach", "--volume", "/usr:/usr:ro", "tools",
        "/usr/bin/sleep", "4711",
    )  # fmt: skip
    script = (
        "umount /host/proc 2>/dev/null; umount -l /proc/sys 2>/dev/null; "
        "cat /proc/[0-9]*/cmdline /host/proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; true"
    )
    seen = docker.look(*way, script=script).splitlines()
    assert SECRET not in seen
    assert "4711" not in seen
    assert not [line for line in seen if "slirp4netns" in line and line.startswith("/opt")]


def test_the_outer_network_is_out_of_sight(docker: Docker) -> None:
    """Whatever a container takes away, no table of sockets shows a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        tables = docker.look(
            *EVERYTHING,
            script="umount /host/proc; cat /host/proc/[0-9]*/net/tcp /proc/net/tcp 2>/dev/null",
        )
    assert "local_address" in tables
    assert not re.search(rf":{port:04X} ", tables)


def test_processes_outside_can_be_neither_traced_nor_entered(docker: Docker) -> None:
    said = docker.look(
        *EVERYTHING,
        script="umount /host/proc; for p in $(seq 1 300); do "
        "[ -d /host/proc/$p ] && readlink /host/proc/$p/ns/net; done; true",
    )
    assert str(Path("/proc/self/ns/net").readlink()) not in said.split()


def test_no_device_of_this_machine_is_opened(docker: Docker) -> None:
    said = docker.look(
        *EVERYTHING,
        script="ls /host/dev /dev | grep -E '^(vd|sd|nvme|kvm|mem|kmsg)'; "
        "mknod /tmp/disk b 254 0 2>&1; cat /dev/mem 2>/dev/null | head -c1 | wc -c; true",
    )
    assert "not permitted" in said or "No such file" in said
    assert not [line for line in said.splitlines() if re.match(r"(vd|sd|nvme|kvm|mem|kmsg)", line)]


def test_the_limits_of_an_engine_can_not_be_lifted_from_inside(docker: Docker) -> None:
    said = docker.look(
        *EVERYTHING,
        script="for f in $(find /sys/fs/cgroup /host/sys/fs/cgroup -name cpu.max -o -name "
        "memory.max -o -name cpu.cfs_quota_us -o -name memory.limit_in_bytes 2>/dev/null); do "
        "(echo -1 >$f) 2>/dev/null && echo LIFTED $f; done; "
        "mount -o remount,rw /sys/fs/cgroup 2>/dev/null && echo WRITABLE; true",
    )
    assert "LIFTED" not in said


def test_a_link_in_the_place_of_the_socket_leads_nowhere_else(
    docker: Docker, engine: Callable[[], Docker], local: Local
) -> None:
    other = engine()
    other.import_hello()
    docker.look(
        *EVERYTHING,
        script=f"cd /host/engine/run && rm docker.sock && ln -s {other.place.address} docker.sock",
    )
    assert "hello-world" not in docker("images")
    assert Path(docker.place.address).is_socket()


def test_folders_of_engines_are_closed_to_everybody_else(docker: Docker, local: Local) -> None:
    folder = local.folder / docker.session_id.hex
    for path in (local.folder, folder, folder / "engine", folder / "root"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert folder.stat().st_uid == 0
