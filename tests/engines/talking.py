"""How tests talk through the door: clients that ask, engines that answer."""

import asyncio
import contextlib
import ssl

from tests.engines.doors import client_context, opened

SOON = 10
UPGRADE = b"Connection: Upgrade\r\nUpgrade: tcp\r\n"


def within_a_loop(test):
    """The test is a coroutine that has an open door."""

    def run(tmp_path):
        async def main():
            async with asyncio.timeout(60), opened(tmp_path) as world:
                await test(world)

        asyncio.run(main())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def connect(world, made, name=None, **more):
    context = client_context(made, world.folder, **more)
    return await world.connect(context, name or made.name)


async def head_of(reader):
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SOON)


async def ask(reader, writer, target="/version", method="GET"):
    writer.write(f"{method} {target} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
    return await answer(reader)


async def answer(reader):
    head = await head_of(reader)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head.split()[1]), await asyncio.wait_for(reader.readexactly(length), SOON)


async def until(condition):
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.01)


def ok(body=b"{}"):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def polite(reader, writer):
    """Answers each request without a body with its own target."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(ok(head.split()[1]))
            await writer.drain()
    writer.close()


def named(name):
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ok(name.encode()))

    return talk


class HalfClosing:
    """A client that ends its side of TLS and reads on, as Go's does and asyncio's does not."""

    def __init__(self, reader, writer, context):
        self.reader, self.writer = reader, writer
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.plain = b""

    async def shake(self):
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                self.incoming.write(await self.reader.read(65_536))
        self.flush()

    def flush(self):
        self.writer.write(self.outgoing.read())

    def send(self, data):
        view = memoryview(data)
        while view:
            view = view[self.tls.write(view) :]
        self.flush()

    def end(self):
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        self.flush()

    async def read_more(self):
        """False at the end of the server's side."""
        try:
            data = self.tls.read(65_536)
        except ssl.SSLWantReadError:
            cipher = await asyncio.wait_for(self.reader.read(65_536), SOON)
            assert cipher, "the connection broke off without an end of TLS"
            self.incoming.write(cipher)
            return True
        except ssl.SSLZeroReturnError:
            return False
        self.plain += data
        return bool(data)

    async def until(self, mark):
        while mark not in self.plain:
            assert await self.read_more()
        found, _mark, self.plain = self.plain.partition(mark)
        return found + mark

    async def rest(self):
        while await self.read_more():
            pass
        found, self.plain = self.plain, b""
        return found


async def half_closing(world, made):
    reader, writer = await world.connect()
    client = HalfClosing(reader, writer, client_context(made, world.folder))
    await client.shake()
    return client


async def echo_until_end(reader, writer):
    """Like `docker exec -i … cat`: speaks on after its input has ended."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
    size = 0
    while data := await reader.read(65_536):
        size += len(data)
        writer.write(data)
        await writer.drain()
    writer.write(b"after the end: %d" % size)
    writer.close()
