"""What only one `run` may hold: the data folder and the port."""

import fcntl
import json
import os
import socket
from pathlib import Path
from typing import IO

from django.core.management.base import CommandError


def hold_folder(folder: Path, address: str) -> IO[str]:
    """Hold the data folder until the returned file is closed; refused while another run has it."""
    file = (folder / "run.lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with file:
            raise CommandError(_held_sentence(file, folder)) from None
    file.truncate(0)
    json.dump({"pid": os.getpid(), "address": address}, file)
    file.flush()
    return file


def _held_sentence(file: IO[str], folder: Path) -> str:
    file.seek(0)
    try:
        holder = json.loads(file.read())
        where = f"at {holder['address']} (process {holder['pid']})"
    except (ValueError, KeyError):
        where = f"in {folder}"
    return (
        f"The portal runs already {where}. Stop that one with Ctrl-C, or start another beside it "
        "with a folder and a port of its own: DATA_DIR=… PORT=… make run"
    )


def check_port(host: str, port: int) -> None:
    """Refuse with the cure where somebody else listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            why = error.strerror or str(error)
            raise CommandError(
                f"Port {port} can't be used ({why}). Choose another: PORT={port + 1} make run"
            ) from None


def answers(host: str, port: int) -> bool:
    """Whether somebody listens there by now."""
    # A host that means "every address" can't be called; this machine's own can.
    called = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    try:
        socket.create_connection((called, port), timeout=1).close()
    except OSError:
        return False
    return True
