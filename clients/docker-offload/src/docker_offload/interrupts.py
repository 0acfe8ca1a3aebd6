"""Ctrl-C, a closed terminal, an ended docker client: all become one KeyboardInterrupt.

While `shielded`, interrupts are only counted, so that tidying up is not cut short; who presses
Ctrl-C four times gets out at once.
"""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

from docker_offload.failures import INTERRUPTED

SOCKET = "DOCKER_CLI_PLUGIN_SOCKET"
PATIENCE = 4


class _State:
    shields = 0
    count = 0


def _on_signal(number: int, frame: FrameType | None) -> None:
    _State.count += 1
    if _State.count >= PATIENCE:
        os._exit(INTERRUPTED)
    if not _State.shields:
        raise KeyboardInterrupt


def listen() -> None:
    """Called once, by the process that docker starts."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, _on_signal)
    address = os.environ.pop(SOCKET, "")
    if address:
        threading.Thread(target=_follow_docker, args=(address,), daemon=True).start()


def _follow_docker(address: str) -> None:
    """Docker holds a socket open as long as its plugin shall run; its end is an interrupt."""
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(name)
            while connection.recv(64):
                pass
    except OSError:
        return
    main = threading.main_thread().ident
    if main is not None:
        # To the main thread itself, or a read that it waits in would not wake.
        signal.pthread_kill(main, signal.SIGINT)


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    _State.shields += 1
    try:
        yield
    finally:
        _State.shields -= 1
