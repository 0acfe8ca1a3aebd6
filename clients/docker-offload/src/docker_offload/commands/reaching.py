"""Whether the engine's door takes the session's certificate, without asking the engine anything."""

import socket
import ssl
from urllib.parse import urlsplit

from docker_offload.docker import EngineFiles

TIMEOUT = 10


def shake_hands(host: str, files: EngineFiles) -> str:
    """Empty where it does; else why not."""
    parts = urlsplit(host)
    if not parts.hostname or not parts.port:
        return "no address"
    try:
        context = ssl.create_default_context(cafile=str(files.ca))
        context.load_cert_chain(files.certificate, files.key)
        with (
            socket.create_connection((parts.hostname, parts.port), TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as secure,
        ):
            # With TLS 1.3 a server refuses a certificate only after the handshake.
            secure.settimeout(0.3)
            secure.recv(1)
    except TimeoutError:
        return "" if "secure" in locals() else "no answer in time"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", None) or error)
    return "it closed the connection"
