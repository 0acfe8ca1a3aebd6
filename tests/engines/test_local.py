"""Engines of this machine: started, found again, removed without a trace."""

import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sessions.engines.hosting import Order, StartFailedError, StartInterruptedError
from sessions.engines.local import Local, cgroups, command, machine, provider, records, users
from sessions.engines.places import socket_of
from tests.engines.conftest import STANDARD, Docker

NOW = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)
Starter = Callable[[], Docker]

pytestmark = pytest.mark.docker


def user_of(folder: Path) -> users.User:
    record = records.read(folder)
    assert record is not None
    user = users.find(record.user)
    assert user is not None
    return user


def wait_until(true: Callable[[], bool], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "It did not come true in time."
        time.sleep(0.05)


def test_an_engine_runs_hello_world_and_leaves_nothing(local: Local, engine: Starter) -> None:
    docker = engine()
    docker.import_hello()

    said = docker("run", "--rm", "hello-world")

    assert said.splitlines()[0] == "Hello from Docker!"
    folder = local.folder / docker.session_id.hex
    user = user_of(folder)
    assert users.processes_of(user)
    assert socket_of(docker.session_id) == Path(docker.place.address)

    local.remove(docker.session_id)

    assert users.processes_of(user) == []
    assert not folder.exists()
    assert socket_of(docker.session_id) is None
    assert local.survey() == ()
    rules = subprocess.run(["iptables", "-S", "OUTPUT"], capture_output=True, text=True).stdout
    assert f"--uid-owner {user.uid} " not in rules
    assert not list(cgroups.MOUNTS.glob(f"*/{cgroups.PARENT}/{docker.session_id.hex}"))


def test_a_container_that_runs_on_goes_with_its_engine(local: Local, engine: Starter) -> None:
    docker = engine()
    docker.import_tools()
    docker(
        "run", "--detach", "--restart=always", "--volume", "/usr:/usr:ro", "tools",
        "/usr/bin/sleep", "4711",
    )  # fmt: skip
    user = user_of(local.folder / docker.session_id.hex)

    local.remove(docker.session_id)

    assert users.processes_of(user) == []


def test_removing_twice_and_removing_nothing_is_no_error(local: Local, engine: Starter) -> None:
    docker = engine()
    local.remove(docker.session_id)
    local.remove(docker.session_id)
    local.remove(uuid.uuid4())
    assert local.survey() == ()


def test_a_port_that_a_container_publishes_is_not_open_on_this_machine(engine: Starter) -> None:
    docker = engine()
    docker.import_tools()
    docker(
        "run", "--detach", "--publish", "8291:80", "--volume", "/usr:/usr:ro", "tools",
        "/usr/bin/sleep", "60",
    )  # fmt: skip
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 8291), timeout=2)


def test_another_agent_finds_an_engine_again(local: Local, engine: Starter) -> None:
    docker = engine()
    assert local.answers(docker.session_id, NOW)

    (found,) = Local().survey()

    assert found.session_id == docker.session_id
    assert found.alive
    assert found.seen_at == NOW
    assert Local().place(docker.session_id).address == docker.place.address


def test_an_engine_whose_dockerd_was_killed_is_found_dead(local: Local, engine: Starter) -> None:
    docker = engine()
    user = user_of(local.folder / docker.session_id.hex)
    (dockerd,) = [
        process
        for process in users.processes_of(user)
        if Path(f"/proc/{process}/comm").read_text().strip() == "dockerd"
    ]

    os.kill(dockerd, signal.SIGKILL)

    wait_until(lambda: not local.survey()[0].alive)
    assert local.survey()[0].why
    assert not local.answers(docker.session_id, NOW)
    local.remove(docker.session_id)
    assert users.processes_of(user) == []


def test_an_engine_that_is_stopped_lives_but_does_not_answer(
    local: Local, engine: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = engine()
    monkeypatch.setattr(provider, "PING_SECONDS", 0.3)
    user = user_of(local.folder / docker.session_id.hex)
    for process in users.processes_of(user):
        os.kill(process, signal.SIGSTOP)

    assert not local.answers(docker.session_id, NOW)
    assert local.survey()[0].alive

    local.remove(docker.session_id)
    assert users.processes_of(user) == []


def test_a_start_that_was_cut_off_is_begun_again(local: Local) -> None:
    session_id = uuid.uuid4()
    interrupted = threading.Event()
    interrupted.set()
    with pytest.raises(StartInterruptedError):
        local.start(Order(session_id, STANDARD, 60, interrupted))

    place = local.start(Order(session_id, STANDARD, 60))

    assert Path(place.address).is_socket()
    assert len(local.survey()) == 1


def test_removing_an_engine_that_is_being_born_leaves_nothing(local: Local) -> None:
    """Whatever of it is there by then: nothing but a folder, half a wall, all of it."""
    for _ in range(5):
        session_id = uuid.uuid4()
        interrupted = threading.Event()
        interrupted.set()
        with pytest.raises(StartInterruptedError):
            local.start(Order(session_id, STANDARD, 60, interrupted))
        user = user_of(local.folder / session_id.hex)
        local.remove(session_id)
        assert users.processes_of(user) == []
    assert engine_processes(local.folder) == []


def engine_processes(folder: Path) -> list[str]:
    """The outermost processes of engines in that folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if str(folder) in line]


def test_starts_do_not_wait_for_each_other(local: Local) -> None:
    sessions = [uuid.uuid4() for _ in range(3)]
    threads = [
        threading.Thread(target=local.start, args=(Order(one, STANDARD, 60),)) for one in sessions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = {one.session_id for one in local.survey() if one.alive}
    assert found == set(sessions)
    names = {user_of(local.folder / one.hex).name for one in sessions}
    assert len(names) == 3


def test_a_user_whose_files_are_still_here_is_not_given_away(local: Local, engine: Starter) -> None:
    first = engine()
    user = user_of(local.folder / first.session_id.hex)
    folder = local.folder / first.session_id.hex
    wait_until(lambda: records.kill(folder))
    wait_until(lambda: users.processes_of(user) == [])

    second = engine()

    assert user_of(local.folder / second.session_id.hex).name != user.name


def test_limits_of_the_size_are_set_or_told(local: Local, engine: Starter) -> None:
    docker = engine()
    group = cgroups.MOUNTS / "cpu" / cgroups.PARENT / docker.session_id.hex
    left_out = " ".join(docker.place.left_out)
    if group.exists():
        assert (group / "cpu.cfs_quota_us").read_text().strip() == "400000"
    elif not (cgroups.MOUNTS / cgroups.PARENT / docker.session_id.hex / "cpu.max").exists():
        assert "Processor time could not be limited" in left_out
    assert "The space on the disk is not limited." in left_out
    assert set(docker.place.timings) == {"user", "wall", "daemon"}


def test_a_program_that_fails_gives_its_reason_in_time(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = uuid.uuid4()
    folder = local.folder / session_id.hex
    monkeypatch.setattr(
        command,
        "walled",
        lambda folder, user: ["/bin/sh", "-c", "echo 'write: no space left on device'; exit 1"],
    )

    with pytest.raises(StartFailedError, match="The disk is full"):
        local.start(Order(session_id, STANDARD, 60))

    assert folder.exists()
    assert local.survey()[0].why.startswith("The disk is full")
    local.remove(session_id)
    assert not folder.exists()


def test_a_full_disk_is_told_before_anything_is_started(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "LEAST_FREE_BYTES", 2**62)
    with pytest.raises(StartFailedError, match=r"The disk is full: .* MiB are left"):
        local.start(Order(uuid.uuid4(), STANDARD, 60))
    assert local.survey() == ()


def test_an_engine_that_does_not_answer_in_time_says_so(local: Local) -> None:
    with pytest.raises(StartFailedError, match="did not answer in time"):
        local.start(Order(uuid.uuid4(), STANDARD, 0.0))


def test_the_rest_of_the_machine_is_told_when_helpers_are_missing(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "PATH", "/nowhere")
    assert "dockerd" in local.problem()
    assert "apt-get install" in local.problem()


def test_a_trusted_engine_says_that_it_has_no_wall(settings, host_folder: Path) -> None:
    settings.ENGINE_LOCAL_TRUSTED = True
    trusted = Local()
    assert trusted.problem() == ""
    session_id = uuid.uuid4()
    docker = Docker(session_id, trusted.start(Order(session_id, STANDARD, 60)))
    try:
        docker.import_hello()
        said = docker("run", "--rm", "--network", "none", "hello-world")
        assert said.startswith("Hello from Docker!")
        assert any("There is no wall" in sentence for sentence in docker.place.left_out)
    finally:
        trusted.remove(session_id)
    assert trusted.survey() == ()
    assert engine_processes(host_folder) == []
