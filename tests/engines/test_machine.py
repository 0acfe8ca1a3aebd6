"""What is said where a machine can't host engines, and what a failed start says."""

import os
from pathlib import Path

import pytest

from sessions.engines.local import cgroups, machine, reasons
from usage.rates import DEFAULT_SIZES

STANDARD, _LARGE, GPU = DEFAULT_SIZES
FOLDER = Path("/var/lib/offload-portal/engines")


@pytest.fixture(autouse=True)
def _able(monkeypatch):
    """A machine that lacks nothing, until a test takes something away."""
    monkeypatch.setattr(machine, "found", lambda command: True)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine, "SWITCHES", {})


def test_a_machine_that_lacks_nothing_has_no_problem():
    assert machine.problem(FOLDER, trusted=False) == ""


@pytest.mark.parametrize(
    ("command", "package"),
    [
        ("dockerd", "docker.io"),
        ("rootlesskit", "rootlesskit"),
        ("slirp4netns", "slirp4netns"),
        ("newuidmap", "uidmap"),
    ],
)
def test_a_missing_helper_is_named_with_its_package(monkeypatch, command, package):
    monkeypatch.setattr(machine, "found", lambda name: name != command)
    sentence = machine.problem(FOLDER, trusted=False)
    assert sentence.startswith(f"{command} can't be found.")
    assert sentence.endswith(package)


def test_without_root_the_cure_is_named(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    sentence = machine.problem(FOLDER, trusted=False)
    assert "need root" in sentence
    assert "ENGINE_PROVIDER=external" in sentence


def test_a_folder_too_long_for_a_socket_is_refused():
    longest = Path("/" + "x" * (machine.LONGEST_FOLDER - 1))
    assert machine.problem(longest, trusted=False) == ""
    assert "shorter folder" in machine.problem(Path(f"{longest}x"), trusted=False)


def test_user_namespaces_that_are_switched_off_are_told(monkeypatch, tmp_path):
    switch = tmp_path / "max_user_namespaces"
    switch.write_text("0\n")
    monkeypatch.setattr(machine, "SWITCHES", {str(switch): "user.max_user_namespaces=65536"})
    assert "sysctl -w user.max_user_namespaces=65536" in machine.problem(FOLDER, trusted=False)
    assert machine.problem(FOLDER, trusted=True) == ""


def test_a_host_has_room_for_one_at_least(monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda name: 1)
    assert machine.default_capacity() == 1


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("mkdir /engine/data: no space left on device", "The disk is full."),
        ("[rootlesskit:parent] error: newuidmap failed", "subordinate ids"),
        ("error: setting up tap tap0: exit status 1", "load the module tun"),
        ("failed to load listeners: bind: address already in use", "is taken already"),
        ("error: dockerd: command not found", "can't be found"),
        ("unshare: unshare failed: Operation not permitted", "namespaces"),
        ("failed to start daemon: the moon is full", "Its daemon said"),
    ],
)
def test_a_failed_start_gives_a_reason_to_act_on(line, cure):
    sentence = reasons.why(
        f"level=info msg=hello\n{line}\n[rootlesskit:parent] error: child exited: exit status 1\n"
    )
    assert cure in sentence
    assert line in sentence


def test_a_silent_end_is_told_as_such():
    assert reasons.why("") == "Its daemon ended without a word."


def test_limits_are_set_in_the_unified_hierarchy(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    for group in (tmp_path, tmp_path / cgroups.PARENT):
        group.mkdir(exist_ok=True)
        (group / "cgroup.subtree_control").write_text("cpu memory pids")

    limits = cgroups.limit("one", STANDARD, tmp_path)

    group = tmp_path / cgroups.PARENT / "one"
    assert (group / "cpu.max").read_text() == "400000 100000"
    assert (group / "memory.max").read_text() == str(8 * 1024**3)
    assert limits.joins == (group / "cgroup.procs",)


def test_limits_are_set_in_hierarchies_of_their_own(tmp_path):
    for controller in ("cpu", "memory", "pids"):
        (tmp_path / controller).mkdir()
        (tmp_path / controller / "cgroup.procs").touch()

    limits = cgroups.limit("one", STANDARD, tmp_path)

    place = f"{cgroups.PARENT}/one"
    assert (tmp_path / "cpu" / place / "cpu.cfs_quota_us").read_text() == "400000"
    assert (tmp_path / "memory" / place / "memory.limit_in_bytes").read_text() == str(8 * 1024**3)
    assert [join.parent for join in limits.joins] == [
        tmp_path / controller / place for controller in ("cpu", "memory", "pids")
    ]


def test_what_can_not_be_limited_is_told(tmp_path):
    left_out = " ".join(cgroups.limit("one", GPU, tmp_path).left_out)
    for what in ("Processor time", "Memory", "The number of processes"):
        assert f"{what} could not be limited" in left_out
    assert "A GPU is not given" in left_out
