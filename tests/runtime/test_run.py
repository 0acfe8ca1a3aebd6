"""One command starts web, worker and scheduler; what stands in its way is said in one line."""

import json
import os
import signal
import socket
import sqlite3
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError

from offload_portal.pages.runtime import children, hosting, places
from sessions.engines.local import Local
from tests.runtime.processes import free_port, manage, read_until, running


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def test_it_answers_stops_its_children_and_goes_on_where_it_was(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, PORT=str(port)) as portal:
        said = read_until(portal, "Ctrl-C stops it")
        assert f"http://localhost:{port}" in said
        assert "the client's own (ENGINE_PROVIDER=external)" in said
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert json.load(answer) == {"status": "ok"}
        begun = _processes_of(tmp_path)
        second = manage(tmp_path, "run", PORT=str(free_port()))
        portal.send_signal(signal.SIGINT)
        read_until(portal, "Stopped")
        assert portal.wait(timeout=20) == 0
    # The web server and its worker, the task worker and the scheduler.
    assert len(begun) == 4
    assert _processes_of(tmp_path) == []
    assert second.returncode == 1
    assert f"runs already at http://localhost:{port} (process {portal.pid})" in second.stderr
    with running(tmp_path, PORT=str(port)) as again:
        assert "Preparing" not in read_until(again, "Ctrl-C stops it")


def _processes_of(folder: Path) -> list[int]:
    """Those that run with the data folder, except the command that watches them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            inside = f"DATA_DIR={folder}\0".encode() in path.read_bytes()
            words = path.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if inside and b"manage.py" not in words:
            found.append(int(path.parent.name))
    return found


def test_a_busy_port_says_which_other_to_take(tmp_path: Path, taken_port: int) -> None:
    ended = manage(tmp_path, "run", PORT=str(taken_port))
    assert ended.returncode == 1
    assert f"Port {taken_port} can't be used" in ended.stderr
    assert f"PORT={taken_port + 1} make run" in ended.stderr
    assert ended.stderr.strip().count("\n") == 0


def test_a_failed_migration_says_so_in_one_line(tmp_path: Path) -> None:
    database = tmp_path / "portal.sqlite3"
    with sqlite3.connect(database) as link:
        link.execute("CREATE TABLE orgs_person (id int)")
    link.close()
    ended = manage(tmp_path, "run", PORT=str(free_port()))
    assert ended.returncode == 1
    assert "The database could not be prepared" in ended.stderr
    assert "orgs_person" in ended.stderr
    assert ended.stderr.strip().count("\n") == 0


def test_a_database_that_is_away_says_so_in_one_line(tmp_path: Path) -> None:
    away = f"postgres://nobody@127.0.0.1:{free_port()}/portal"
    ended = manage(tmp_path, "run", PORT=str(free_port()), DATABASE_URL=away)
    assert ended.returncode == 1
    assert "The database could not be prepared" in ended.stderr
    assert ended.stderr.strip().count("\n") == 0


def test_only_one_run_holds_a_folder(tmp_path: Path) -> None:
    with (
        places.hold_folder(tmp_path, "http://here"),
        pytest.raises(CommandError, match=f"http://here .process {os.getpid()}"),
    ):
        places.hold_folder(tmp_path, "http://there")
    places.hold_folder(tmp_path, "http://there").close()


def test_a_child_that_dies_is_started_again_after_a_pause_that_grows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000.0
    monkeypatch.setattr("offload_portal.pages.runtime.children.time.monotonic", lambda: now)
    told: list[str] = []
    child = children.Child("worker", ["false"])
    child.start()
    for pause in (1, 2, 4):
        _wait_for(child)
        child.watch(told.append)
        assert told[-1] == f"The worker ended with 1; it starts again in {pause} s."
        now += pause - 0.5
        child.watch(told.append)
        assert not _lives(child)
        now += 0.5
        child.watch(told.append)
        assert _lives(child)
    _wait_for(child)


def _lives(child: children.Child) -> bool:
    return child.process is not None


def _wait_for(child: children.Child) -> None:
    assert child.process is not None
    child.process.wait()


def test_engines_are_the_clients_own_where_the_machine_or_the_port_is_in_the_way(
    settings, monkeypatch: pytest.MonkeyPatch, taken_port: int
) -> None:
    settings.ENGINE_PROVIDER = "auto"
    settings.ENGINE_BIND = f"127.0.0.1:{taken_port}"
    monkeypatch.setattr(Local, "problem", lambda local: "dockerd can't be found.")
    assert hosting.why_not() == "dockerd can't be found"
    monkeypatch.setattr(Local, "problem", lambda local: "")
    assert hosting.why_not().startswith(f"port {taken_port} can't be used")
    settings.ENGINE_BIND = f"127.0.0.1:{free_port()}"
    assert hosting.why_not() == ""
    settings.ENGINE_PROVIDER = "external"
    assert hosting.why_not() == "ENGINE_PROVIDER=external"
