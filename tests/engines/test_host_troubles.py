"""What a machine may lack: each is one sentence with the cure, and nothing is left behind."""

import os
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sessions.engines.hosting import Order, StartFailedError
from sessions.engines.local import Local, provider, users
from tests.engines.conftest import STANDARD, Docker
from tests.engines.host_process import now, wait_for

pytestmark = pytest.mark.docker
SMALL_DISK = 160 * 1024**2


@pytest.fixture
def small_disk(host_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The engines' folder on a file system of its own that is soon full."""
    host_folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK},mode=700", "engines"]
    subprocess.run([*mount, str(host_folder)], check=True)
    yield host_folder
    subprocess.run(["umount", "--lazy", str(host_folder)], check=True)


def refused(local: Local) -> str:
    """The sentence of a start that fails, after everything of it was taken away again."""
    order = Order(uuid.uuid4(), STANDARD, 30)
    with pytest.raises(StartFailedError) as failed:
        local.start(order)
    local.remove(order.session_id)
    assert local.survey() == ()
    assert not list(local.folder.glob("*/engine"))
    return str(failed.value)


def test_a_full_disk_is_told_with_its_numbers(small_disk: Path, local: Local) -> None:
    said = refused(local)
    assert said.startswith("The disk is full: 1")
    assert f"MiB are left for {small_disk}, and an engine needs 512. Make room there." in said


def test_a_disk_that_fills_up_in_mid_session_is_told_to_the_client_and_leaks_nothing(
    small_disk: Path, local: Local, engine: Callable[[], Docker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "LEAST_FREE_BYTES", 1024**2)
    docker = engine()
    assert local.answers(docker.session_id, now())
    user = users.find(1)
    docker.import_hello()
    filled = small_disk / docker.session_id.hex / "engine" / "home" / "filled"
    with suppress(OSError), filled.open("wb") as file:
        while True:
            file.write(bytes(1024**2))
    failed = docker.call("import", "-", "more", given=bytes(4 * 1024**2))
    assert failed.returncode != 0
    # It still answers, so that its user can make room; the host goes on seeing it.
    assert "hello-world" in docker("images")
    assert local.answers(docker.session_id, now())
    filled.unlink()
    docker.import_tools()
    local.remove(docker.session_id)
    assert local.survey() == ()
    assert list(small_disk.iterdir()) == []
    assert user is not None
    assert users.processes_of(user) == []


def test_a_pool_without_a_free_user_is_told(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "MOST_USERS", 1)
    lock = users.lock_of(1)
    assert lock is not None
    try:
        assert refused(local) == "All 1 users of the engine pool are in use."
    finally:
        os.close(lock)


@pytest.fixture
def user_without_ids(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A pool whose first user was made by hand, without subordinate ids."""
    monkeypatch.setattr(users, "PREFIX", "offload-test-")
    name = "offload-test-1"
    subprocess.run(["useradd", "--system", "--no-create-home", name], check=True)
    yield name
    subprocess.run(["userdel", name], check=True)


def test_a_user_without_subordinate_ids_is_told(user_without_ids: str, local: Local) -> None:
    said = refused(local)
    assert said.startswith(f"The user {user_without_ids} has no range of 65536 ids in /etc/subuid")
    assert said.endswith(
        f"usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST {user_without_ids}"
    )


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_port_that_is_taken_is_one_line_with_the_cure_and_is_taken_once_it_is_free(
    process,
) -> None:
    with socket.create_server(("127.0.0.1", process.port)):
        process.start()
        wait_for(process, lambda: "can't be listened at" in process.log.read_text())
        said = [line for line in process.log.read_text().splitlines() if "listened" in line]
        assert f"127.0.0.1:{process.port} can't be listened at (Address already in use)" in said[0]
        assert "set ENGINE_BIND and ENGINE_PUBLIC_PORT to another port" in said[0]
        assert "Traceback" not in process.log.read_text()
    wait_for(process, lambda: "The engines' door listens" in process.log.read_text())
