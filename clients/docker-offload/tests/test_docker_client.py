"""With the docker client itself: it finds the plugin, and its contexts are real ones."""

import json
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from certificates import company_files

from docker_offload import VERSION, record
from docker_offload.app import App
from docker_offload.docker import Docker
from docker_offload.install import install

pytestmark = pytest.mark.docker
SOURCE = Path(__file__).resolve().parent.parent / "src"


@pytest.fixture
def env(machine, portal, tmp_path):
    """The plugin is installed; the real client comes first in PATH."""
    real = shutil.which("docker")
    assert real, "the docker client is not installed"
    env = {**machine.env, "PATH": f"{Path(real).parent}:{os.environ['PATH']}"}
    env["PYTHONPATH"] = str(SOURCE)
    files = company_files(tmp_path)
    portal.ca, portal.certificate = files.ca.read_text(), files.certificate.read_text()
    portal.key = files.key.read_text()
    install(App(env))
    return env


@pytest.fixture
def docker(env):
    def run(*words, **more):
        return subprocess.run(
            ["docker", *words], env={**env, **more}, capture_output=True, text=True, check=False,
            timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    return run


def test_docker_lists_the_plugin_and_runs_it(docker):
    assert "offload*" in docker("--help").stdout
    assert docker("offload", "version", "--short").stdout == f"v{VERSION}\n"
    shown = docker("offload")
    assert (shown.returncode, "Usage:  docker offload COMMAND" in shown.stderr) == (0, True)
    assert "--idle-timeout duration" in docker("help", "offload", "start").stdout
    assert "--idle-timeout duration" in docker("offload", "start", "--help").stdout


def test_dockers_own_flags_before_the_name_are_understood(docker, env):
    words = ("-D", "--config", env["DOCKER_CONFIG"], "-c", "default", "offload", "version")
    assert docker(*words).returncode == 0


@pytest.mark.parametrize(
    ("words", "code"), [(["frob"], 1), (["status", "--frob"], 125), (["stop", "x"], 1)]
)
def test_exit_codes_reach_the_shell(docker, words, code):
    assert docker("offload", *words).returncode == code


def completed(docker, *words):
    *lines, directive = docker("__complete", "offload", *words).stdout.splitlines()
    return [line.split("\t")[0] for line in lines], directive


def test_completion_goes_through_docker(docker):
    assert completed(docker, "sta") == (["start", "status", "stay"], ":4")
    assert completed(docker, "status", "--format", "") == (["pretty", "json"], ":4")
    assert completed(docker, "start", "--account", "a") == (["acme"], ":4")
    assert completed(docker, "start", "--size=st") == (["standard"], ":4")
    assert completed(docker, "start", "--lab") == (["--label"], ":4")
    assert completed(docker, "start", "--label", "")[1] == ":6"
    assert completed(docker, "login", "--cacert", "") == ([], ":0")
    assert completed(docker, "config", "id") == (["idle-timeout"], ":4")


def test_completion_without_a_portal_is_empty(docker):
    away = {"DOCKER_OFFLOAD_PORTAL": "http://127.0.0.1:1"}
    shown = docker("__complete", "offload", "start", "--account", "", **away)
    assert shown.stdout == ":4\n"


def test_a_session_is_a_context_of_docker(docker, env, portal):
    docker("context", "create", "mine", "--docker", "host=unix:///nowhere")
    docker("context", "use", "mine")
    started = docker("offload", "start")
    assert started.returncode == 0, started.stderr
    shown = docker("context", "inspect", "docker-offload").stdout
    assert json.loads(shown)[0]["Endpoints"]["docker"]["Host"] == portal.engine_host
    assert docker("context", "show").stdout == "docker-offload\n"
    home = Path(env["DOCKER_CONFIG"])
    keys = list(home.rglob("key.pem"))
    assert {path.stat().st_mode & 0o077 for path in keys} == {0}
    stopped = docker("offload", "stop")
    assert stopped.returncode == 0, stopped.stderr
    assert docker("context", "show").stdout == "mine\n"
    assert list(home.rglob("key.pem")) == []


def test_a_path_with_a_comma_reaches_docker_whole(env, tmp_path):
    odd = tmp_path / 'a,b "c"'
    odd.mkdir()
    files = company_files(odd)
    docker = Docker(env, Path(env["DOCKER_CONFIG"]))
    docker.make("1", "tcp://localhost:2376", files)
    assert docker.has_ours()
    assert docker.host() == "tcp://localhost:2376"


@pytest.fixture
def starting(env, portal):
    """`docker offload start` that waits for an engine that never comes."""
    looked = threading.Event()
    real = portal._act

    def act(session, name, body):
        if name == "":
            looked.set()
            return 200, session, {}
        return real(session, name, body)

    portal._act = act
    process = subprocess.Popen(
        ["docker", "offload", "start"], env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert looked.wait(30)
    portal._act = real
    yield process
    process.kill()
    process.stderr.close()
    process.wait()


def test_ctrl_c_in_the_middle_of_a_start_stops_the_session(starting, env, portal, machine):
    portal.ready_after = 10**9
    starting.send_signal(signal.SIGINT)
    starting.communicate(timeout=30)
    assert portal.session["state"] == "ended"
    assert record.load(machine.store) is None
    assert machine.context == "default"


def test_a_docker_that_is_killed_takes_its_start_along(starting, portal, machine):
    portal.ready_after = 10**9
    starting.kill()
    # The plugin holds the other end of stderr until it has tidied up.
    starting.stderr.read()
    assert portal.session["state"] == "ended"
    assert record.load(machine.store) is None


def test_a_file_of_the_working_directory_is_not_run(docker, env, tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit(7)")
    shown = subprocess.run(
        ["docker", "offload", "version"], env=env, cwd=tmp_path, check=False, timeout=30
    )
    assert shown.returncode == 0
