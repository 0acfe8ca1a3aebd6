"""How fast a 500 MB build context passes the engines' door, against the bare socket.

    python -m tests.benchmarks.door_throughput [unix:///path/of/docker.sock]

With a Docker engine it runs `docker build`; without one, a program that only counts stands for
it, and then the bare socket is nothing but a copy in memory: the hardest comparison there is.
Prints megabytes a second of each run, bare and door in turn, and the ratio of the medians.
"""

import asyncio
import multiprocessing
import os
import secrets
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import django

MEGABYTES = 500
ROUNDS = 4
PIECE = 32 * 1024  # what Go's client writes at once
HEAD = b"POST /v1.50/build HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


def engine(address: str) -> None:
    """Swallows builds."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(8)
    buffer = memoryview(bytearray(256 * 1024))
    while True:
        client, _ = server.accept()
        while size := client.recv_into(buffer):
            if bytes(buffer[max(0, size - len(LAST)) : size]) == LAST:
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                break
        client.close()


def door(folder: Path, address: str, ready: Connection) -> None:
    """The door in a process of its own, as in the engine host."""
    django.setup()
    from tests.engines.doors import client_context, opened

    async def hold() -> None:
        async with opened(folder) as world:
            made = world.session()
            made.address = address
            client_context(made, folder)
            (folder / "ca.pem").write_text(_authority())
            (folder / "cert.pem").write_text(made.certificates.client.certificate)
            (folder / "key.pem").write_text(made.certificates.client.key)
            ready.send(world.port)
            await asyncio.Event().wait()

    asyncio.run(hold())


def _authority() -> str:
    from datetime import timedelta

    from sessions.engines.certificates import door_authority
    from tests.engines.doors import NOW

    return door_authority(at=NOW, until=NOW + timedelta(days=1))


def send(client: socket.socket) -> None:
    piece = f"{PIECE:x}\r\n".encode() + secrets.token_bytes(PIECE) + b"\r\n"
    client.sendall(HEAD)
    for _ in range(MEGABYTES * 2**20 // PIECE):
        client.sendall(piece)
    client.sendall(LAST)
    answer = client.recv(1024)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"The build was not swallowed: {answer!r}")
    client.close()


def bare_socket(address: str) -> None:
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
    send(client)


def through_door(folder: Path, port: int) -> None:
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    plain = socket.create_connection(("127.0.0.1", port))
    send(context.wrap_socket(plain, server_hostname="localhost"))


def docker_build(folder: Path, *how: str) -> None:
    surroundings = {**os.environ, "DOCKER_BUILDKIT": "0"}
    command = ["docker", *how, "build", "--no-cache", "-q", str(folder / "context")]
    subprocess.run(command, env=surroundings, check=True, capture_output=True)


def make_context(folder: Path) -> None:
    """A build that only sends its context."""
    context = folder / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nLABEL sent=1\n")
    (context / "large").write_bytes(secrets.token_bytes(MEGABYTES * 2**20))


def measured(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return MEGABYTES / (time.perf_counter() - start)


def compare(bare: Callable[[], None], door: Callable[[], None]) -> float:
    bare()
    door()  # both are warm
    speeds: dict[str, list[float]] = {"bare": [], "door": []}
    for _ in range(ROUNDS):
        speeds["bare"].append(measured(bare))
        speeds["door"].append(measured(door))
        print(f"bare {speeds['bare'][-1]:6.0f} MB/s   door {speeds['door'][-1]:6.0f} MB/s")  # noqa: T201
    return statistics.median(speeds["door"]) / statistics.median(speeds["bare"])


def main(docker: str | None) -> None:
    folder = Path(tempfile.mkdtemp())
    spawn = multiprocessing.get_context("spawn")
    address = docker.removeprefix("unix://") if docker else str(folder / "engine.sock")
    here, there = spawn.Pipe()
    processes = [spawn.Process(target=door, args=(folder, address, there), daemon=True)]
    if not docker:
        processes.append(spawn.Process(target=engine, args=(address,), daemon=True))
    for process in processes:
        process.start()
    try:
        port = here.recv()
        if docker:
            make_context(folder)
            names = {"ca": "tlscacert", "cert": "tlscert", "key": "tlskey"}
            keys = [f"--{flag}={folder / name}.pem" for name, flag in names.items()]
            how = ["-H", f"tcp://localhost:{port}", "--tlsverify", *keys]
            ratio = compare(
                lambda: docker_build(folder, "-H", docker), lambda: docker_build(folder, *how)
            )
        else:
            ratio = compare(lambda: bare_socket(address), lambda: through_door(folder, port))
        print(f"ratio {ratio:.2f}")  # noqa: T201
    finally:
        for process in processes:
            process.terminate()
        shutil.rmtree(folder)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.environment")
    main(sys.argv[1] if len(sys.argv) > 1 else None)
