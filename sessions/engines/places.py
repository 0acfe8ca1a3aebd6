"""Where the engines of this host answer."""

import uuid
from pathlib import Path

from django.conf import settings

SOCKET = "docker.sock"


def folder_of(session_id: uuid.UUID) -> Path:
    """The folder of the session's engine on this host; only root may look into it."""
    return Path(settings.ENGINE_HOST_DIR) / session_id.hex


def socket_of(session_id: uuid.UUID) -> Path | None:
    """The socket of the session's engine, or None where none answers here.

    It is a second name, in a folder that the engine can't see, of the socket that its dockerd
    made: a container that puts a link in the place of the first name leads nobody astray.
    """
    path = folder_of(session_id) / SOCKET
    return path if path.is_socket() else None
