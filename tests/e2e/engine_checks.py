"""What tests of whole sessions look at: the portal from inside, the machine, the door."""

import os
import socket
import ssl
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sessions.engines import certificates
from sessions.engines.local import records, users
from tests.e2e import stack
from tests.e2e.shell import Shell


def inside(portal: stack.Stack, function: str) -> str:
    """What one function of engine_worlds says, run in the portal itself."""
    says = f"sys.stdout.write(engine_worlds.{function}())"
    code = f"import sys; from tests.e2e import engine_worlds; {says}"
    return portal.manage("shell", "--verbosity", "0", "--command", code)


def seconds(text: str) -> int:
    """Seconds since 1970 of an instant in the API's JSON."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())


def billed_alike(shell: Shell, session: str) -> dict[str, Any]:
    """The session, of which clock, timeline and ledger tell the same seconds."""
    found, insights = shell.session(session), shell.ask(f"/sessions/{session}/insights")
    timeline = sum(
        seconds(one["end"]) - seconds(one["start"]) for one in insights["timeline"] if one["billed"]
    )
    ledger = sum(use["seconds"] for use in found["cost_by_source"].values())
    assert found["billed_seconds"] == timeline == ledger
    assert insights["unpaid_seconds"] == 0
    return found


def gone(portal: stack.Stack, host_folder: Path, session: str) -> bool:
    """No row, no file and no process of the session's engine is left."""
    name = session.replace("-", "")
    files = list(host_folder.glob(f"*{name}*"))
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return (
        f"{session} removed" in inside(portal, "engine_states")
        and not files
        and name not in processes.stdout
    )


class Daemon:
    """The processes of a session's engine, as its machine sees them."""

    def __init__(self, host_folder: Path, session: str) -> None:
        self.folder = host_folder / UUID(session).hex
        record = records.read(self.folder)
        assert record is not None
        user = users.find(record.user)
        assert user is not None
        self.user = user

    def numbers(self) -> list[int]:
        """Of dockerd itself."""
        return [
            number
            for number in users.processes_of(self.user)
            if Path(f"/proc/{number}/comm").read_text().strip() == "dockerd"
        ]

    def seen_at(self) -> int:
        """When the engine last answered its host: seconds since 1970, 0 before it was asked."""
        seen = records.seen_at(self.folder)
        return 0 if seen is None else int(seen.timestamp())

    def is_gone(self) -> bool:
        """Neither a process nor a packet filter rule of its user, and the user is free again."""
        rules = subprocess.run(["iptables", "-S", "OUTPUT"], capture_output=True, text=True)
        lock = users.lock_of(self.user.number)
        if lock is not None:
            os.close(lock)
        mine = f"--uid-owner {self.user.uid} "
        return lock is not None and mine not in rules.stdout and not users.processes_of(self.user)


class Visitor:
    """Who knocks at the door with some certificate, and does not care whose door it is."""

    def __init__(self, shell: Shell, folder: Path) -> None:
        host = shell.docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
        self.port = int(host.rpartition(":")[2])
        self.keys = next((shell.home / ".docker" / "offload" / "keys").iterdir())
        self.folder = folder

    def own(self) -> tuple[Path, Path]:
        return self.keys / "cert.pem", self.keys / "key.pem"

    def forged(self, session: str) -> tuple[Path, Path]:
        """A pair whose issuer bears the name of the session's authority."""
        now = datetime.now(UTC)
        made = certificates.make_certificates(
            UUID(session), ("localhost",), at=now, until=now + timedelta(hours=1)
        )
        paths = self.folder / "forged.pem", self.folder / "forged-key.pem"
        paths[0].write_text(made.client.certificate)
        paths[1].write_text(made.client.key)
        return paths

    def see(self, pair: tuple[Path, Path] | None, name: str = "localhost") -> bytes:
        """What the door answers to a request for the engine's images; nothing if it hangs up."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if pair is not None:
            context.load_cert_chain(*pair)
        request = b"GET /images/json HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
        said = b""
        with suppress(OSError):
            plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            with plain, context.wrap_socket(plain, server_hostname=name) as link:
                link.sendall(request)
                while piece := link.recv(65_536):
                    said += piece
        return said
