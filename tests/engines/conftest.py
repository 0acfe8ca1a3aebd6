"""Real engines for tests: each test has a host folder of its own, emptied however it ends."""

import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sessions.engines.announcements import announce
from sessions.engines.hosting import Order, Place
from sessions.engines.local import Local
from tests import factories
from tests.engines import images
from tests.engines.host_process import Process, now
from tests.sessions.lives import start
from usage.rates import DEFAULT_SIZES

STANDARD = DEFAULT_SIZES[0]
START_SECONDS = 60


class Docker:
    """The docker client against one engine's socket."""

    def __init__(self, session_id: uuid.UUID, place: Place) -> None:
        self.session_id = session_id
        self.place = place

    def __call__(self, *arguments: str, given: bytes | None = None) -> str:
        done = self.call(*arguments, given=given)
        assert done.returncode == 0, done.stderr.decode()
        return str(done.stdout.decode())

    def call(self, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["docker", "--host", f"unix://{self.place.address}", *arguments],
            input=given, capture_output=True, timeout=90, check=False,
        )  # fmt: skip

    def import_hello(self) -> None:
        change = 'CMD ["/hello"]'
        self("import", "--change", change, "-", "hello-world", given=images.hello_tar())

    def import_tools(self) -> None:
        self("import", "-", "tools", given=images.tools_tar())

    def look(self, *options: str, script: str) -> str:
        """What a shell script in a container says, with the programs of the engine's host."""
        mounts = ("--volume", "/usr:/usr:ro")
        return self("run", "--rm", *options, *mounts, "tools", "/bin/sh", "-c", script)


@pytest.fixture
def host_folder(settings) -> Iterator[Path]:
    """Short, since sockets lie in it."""
    folder = Path(tempfile.mkdtemp(prefix="eng-", dir="/tmp"))
    settings.ENGINE_HOST_DIR = folder / "engines"
    settings.ENGINE_HOST_NAME = f"host-{folder.name}"
    settings.ENGINE_LOCAL_TRUSTED = False
    settings.ENGINE_LOCAL_CAPACITY = None
    yield folder / "engines"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def local(host_folder: Path) -> Iterator[Local]:
    made = Local()
    assert made.problem() == ""
    yield made
    for found in made.survey():
        made.remove(found.session_id)


@pytest.fixture
def engine(local: Local) -> Callable[[], Docker]:
    """Start another engine and wait until it answers."""

    def start() -> Docker:
        session_id = uuid.uuid4()
        return Docker(session_id, local.start(Order(session_id, STANDARD, START_SECONDS)))

    return start


@pytest.fixture
def process(settings, host_folder, local, transactional_db, django_db_serialized_rollback):
    made = Process(settings, host_folder)
    yield made
    if made.running is not None and made.running.poll() is None:
        made.running.kill()
        made.running.wait()


@pytest.fixture
def session(settings, transactional_db, django_db_serialized_rollback):
    """Its engine is wanted; an engine host that runs brings it up."""
    settings.ENGINE_PROVIDER = "local"
    owner = factories.person("Olga Owner")
    organization = factories.subscribed_organization(owner, at=now())
    announce(host_name=settings.ENGINE_HOST_NAME, capacity=2, at=now())
    return start(organization, owner, now())
