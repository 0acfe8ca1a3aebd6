"""The server's end of a TLS connection, over memory buffers.

asyncio's own TLS closes the connection when the peer ends its side, but `docker exec -i` ends its
input and then waits for the output. It also chooses the certificate in a callback that can't wait
for a database; here the connection waits between the client's hello and the handshake.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

LONGEST_HELLO = 64 * 1024
READ_AT_ONCE = 128 * 1024
WRITES_WAIT_AT = 512 * 1024
# A peer that reads nothing more must not keep its connection.
CLOSE_SECONDS = 10.0
# A client that vanished is found out by probes, so that its streams hold nothing awake.
PROBES = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}


class Buffers:
    """What all connections of one loop read into: each read is used up before the next."""

    def __init__(self) -> None:
        self.cipher = memoryview(bytearray(READ_AT_ONCE))
        # All that one read may bring, decrypted, and what OpenSSL still held.
        self.plain = memoryview(bytearray(2 * READ_AT_ONCE))


def probe(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in PROBES.items():
        with suppress(AttributeError, OSError):  # not every system knows every one
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Owner(Protocol):
    """Who is told what happens at the client's end. Nothing here may wait or raise."""

    async def context_for(self, server_name: str | None) -> ssl.SSLContext: ...

    def opened(self, certificate: bytes) -> None: ...

    def received(self, data: bytes) -> None: ...

    def client_ended(self) -> None: ...

    def client_lost(self) -> None: ...

    def client_full(self) -> None: ...

    def client_drained(self) -> None: ...


class _Sniffer:
    """Reads the name out of a client's hello, in a handshake that goes nowhere."""

    def __init__(self) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._context.sni_callback = self._hear
        self._heard: list[str | None] = []

    def _hear(self, _handshake: Any, name: str | None, _context: ssl.SSLContext) -> int:
        self._heard.append(name)
        return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)

    def whole(self, hello: bytes) -> tuple[bool, str | None]:
        """Whether the hello is whole, or beyond hope, and the name that it asks for."""
        incoming = ssl.MemoryBIO()
        incoming.write(hello)
        self._heard.clear()
        try:
            self._context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()
        except ssl.SSLWantReadError:
            return False, None
        except ssl.SSLError:
            pass
        return True, self._heard[0] if self._heard else None


sniffer = _Sniffer()


class TlsEnd(asyncio.BufferedProtocol):
    """Hello, then the owner names the context, then the handshake, then bytes both ways."""

    def __init__(self, owner: Owner, buffers: Buffers, spawn: Callable[[Any], None]) -> None:
        self._owner = owner
        self._buffers = buffers
        self._spawn = spawn
        self._transport: asyncio.Transport | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._hello: bytes | None = b""
        self._is_open = False
        self._peer_ended = False
        self._ended = False

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITES_WAIT_AT)
        probe(transport.get_extra_info("socket"))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffers.cipher

    def buffer_updated(self, nbytes: int) -> None:
        data = self._buffers.cipher[:nbytes]
        if self._tls is not None:
            self._incoming.write(data)
            self._advance()
        elif self._hello is not None:
            self._hello += data
            self._listen(self._hello)
        else:
            self._incoming.write(data)
            self._check_size(self._incoming.pending)

    def eof_received(self) -> bool:
        """The end of the stream without the end of TLS is a broken connection, never an end."""
        if not self._peer_ended:
            self.abort()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._owner.client_lost()

    def pause_writing(self) -> None:
        self._owner.client_full()

    def resume_writing(self) -> None:
        self._owner.client_drained()

    # The handshake.

    def _listen(self, hello: bytes) -> None:
        self._check_size(len(hello))
        whole, name = sniffer.whole(hello)
        if whole:
            self._hello = None
            self._incoming.write(hello)
            self._spawn(self._begin(name))

    def _check_size(self, size: int) -> None:
        if size > LONGEST_HELLO:
            self.abort()

    async def _begin(self, name: str | None) -> None:
        context = await self._owner.context_for(name)
        if self._transport is not None:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
            self._advance()

    def _advance(self) -> None:
        if self._tls is None or self._transport is None:
            return
        try:
            if not self._is_open and not self._shake(self._tls):
                return
            self._read(self._tls)
        except ssl.SSLError:
            self._flush()  # the alert
            self._close_now()
            return
        self._flush()

    def _shake(self, tls: ssl.SSLObject) -> bool:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        self._is_open = True
        self._flush()
        self._owner.opened(tls.getpeercert(binary_form=True) or b"")
        return True

    # Bytes.

    def _read(self, tls: ssl.SSLObject) -> None:
        plain, size = self._buffers.plain, 0
        ended = False
        try:
            while size < len(plain):
                read = tls.read(len(plain) - size, plain[size:])
                if not read:
                    ended = True
                    break
                size += int(read)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            ended = True
        if size:
            self._owner.received(bytes(plain[:size]))
        if ended and not self._peer_ended:
            self._peer_ended = True
            self._owner.client_ended()

    def _flush(self) -> None:
        if self._transport is not None and self._outgoing.pending:
            self._transport.write(self._outgoing.read())

    def write(self, data: bytes) -> None:
        """Nothing is written after the end."""
        if self._tls is None or self._transport is None or self._ended:
            return
        view = memoryview(data)
        try:
            while view:
                view = view[self._tls.write(view) :]
        except ssl.SSLError:
            self.abort()
            return
        self._flush()

    def end(self) -> None:
        """No more comes from here; what the client still sends is read."""
        if self._ended or self._tls is None or self._transport is None:
            return
        self._ended = True
        with suppress(ssl.SSLError):  # it waits for the other side's end
            self._tls.unwrap()
        self._flush()

    def close(self) -> None:
        """End, and go once everything is sent."""
        self.end()
        self._close_now()

    def _close_now(self) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.close()
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, transport.abort)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
