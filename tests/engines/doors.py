"""A door with made-up sessions, and engines that speak Docker's HTTP as far as tests need."""

import asyncio
import contextlib
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sessions.engines.certificates import (
    Pair,
    SessionCertificates,
    door_authority,
    make_certificates,
)
from sessions.engines.door import Counters, Door
from sessions.engines.door.directory import Directory
from sessions.engines.door.standing import Keys, Known, RefusedError, Standing

NOW = datetime.now(UTC).replace(microsecond=0)
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Made:
    """A session as the door knows it; `refused` may change while a test runs."""

    id: uuid.UUID
    name: str
    certificates: SessionCertificates
    address: str
    refused: RefusedError | None = None


@dataclass
class World:
    """What stands behind the door; `look` is its database."""

    folder: Path
    counters: Counters = field(default_factory=Counters)
    sessions: list[Made] = field(default_factory=list)
    port: int = 0
    door: Door | None = None
    # Sessions whose keys the door has told of as used; `keep_used` may fail.
    used: list[uuid.UUID] = field(default_factory=list)
    keep_used: Callable[[uuid.UUID], None] = lambda _session_id: None
    engines: list[asyncio.AbstractServer] = field(default_factory=list)
    # Everything that speaks with the door, from either side: closed at the end of the test.
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def session(self, name: str = "localhost", until: datetime | None = None) -> Made:
        """A running session whose engine listens nowhere yet."""
        identifier = uuid.uuid4()
        made = Made(
            identifier,
            name,
            make_certificates(
                identifier,
                [name],
                at=NOW - timedelta(days=1),
                until=until or NOW + timedelta(days=1),
            ),
            str(self.folder / f"{identifier.hex[:12]}.sock"),
        )
        self.sessions.append(made)
        return made

    async def engine(self, talk: Talk, **more: object) -> Made:
        """A session with an engine that talks like this to each connection."""
        made = self.session(**more)  # type: ignore[arg-type]

        async def talked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.writers.append(writer)
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
            ):
                await talk(reader, writer)

        self.engines.append(await asyncio.start_unix_server(talked, made.address, limit=2**20))
        return made

    async def connect(
        self, context: ssl.SSLContext | None = None, name: str | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client's connection to the door."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname=name, limit=2**20
        )
        self.writers.append(writer)
        return reader, writer

    async def close(self) -> None:
        for engine in self.engines:
            engine.close()
        for writer in self.writers:
            with contextlib.suppress(AttributeError):  # it is closed already
                writer.transport.abort()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        for _turn in range(5):
            await asyncio.sleep(0)

    def note_used(self, session_id: uuid.UUID) -> None:
        self.keep_used(session_id)
        self.used.append(session_id)

    def look(self, *, at: datetime, have: frozenset[uuid.UUID]) -> Known:
        return Known(
            {made.id: Standing(made.id, made.address, made.refused) for made in self.sessions},
            {
                made.id: Keys(
                    made.id, made.name, made.certificates.authority, made.certificates.server
                )
                for made in self.sessions
            },
        )


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[World]:
    world = World(folder)
    door = Door(world.counters, Directory(world.look), world.note_used)
    world.door, world.port = door, await door.open("127.0.0.1", 0)
    try:
        yield world
    finally:
        await door.close()
        await world.close()


def client_context(
    made: Made, folder: Path, pair: Pair | None = None, *, certificate: bool = True
) -> ssl.SSLContext:
    """What `docker --tlsverify` does: trusts one authority, shows one certificate."""
    shared = made.name == "localhost"
    trusted = (
        door_authority(at=NOW, until=NOW + timedelta(days=1))
        if shared
        else made.certificates.authority
    )
    context = ssl.create_default_context(cadata=trusted)
    if certificate:
        shown = pair or made.certificates.client
        file = folder / f"{uuid.uuid4().hex}.pem"
        file.write_text(shown.certificate + shown.key)
        context.load_cert_chain(file)
    return context
