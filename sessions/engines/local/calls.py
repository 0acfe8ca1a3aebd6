"""One question to an engine over its unix socket: does it answer?"""

import socket
from pathlib import Path

PING = b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n"


def answers(path: Path, seconds: float) -> bool:
    """Whether Docker's API answers its ping there with 200 in time."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(str(path))
            connection.sendall(PING)
            return b" 200 " in connection.recv(64)
    except OSError:
        return False
