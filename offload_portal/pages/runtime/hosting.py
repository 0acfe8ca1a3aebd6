"""Whether `manage.py run` hosts engines on this machine as well."""

import socket
import sys

from django.conf import settings

from sessions.engines.local import Local


def engines_command() -> list[str]:
    """The engine host. Ended, it leaves its engines: the next one finds them again."""
    return [sys.executable, "manage.py", "engines"]


def why_not() -> str:
    """Why no engine host starts here, in a clause; empty where one can."""
    if settings.ENGINE_PROVIDER == "external":
        return "ENGINE_PROVIDER=external"
    return Local().problem().rstrip(".") or _busy_door()


def _busy_door() -> str:
    """Another portal's door on the same port, which one may well have on a laptop."""
    host, _, port = settings.ENGINE_BIND.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
            probe.listen()
        except OSError as error:
            why = error.strerror or str(error)
            return f"port {port} can't be used, {why}; ENGINE_PUBLIC_PORT chooses another"
    return ""
