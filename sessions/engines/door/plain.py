"""The door's end of a connection to an engine: a unix socket, plain HTTP."""

import asyncio
from typing import Protocol

from sessions.engines.door.tls import WRITES_WAIT_AT, Buffers


class Owner(Protocol):
    """Who is told what happens at the engine's end. Nothing here may wait or raise."""

    def from_engine(self, data: bytes) -> None: ...

    def engine_ended(self) -> None: ...

    def engine_lost(self) -> None: ...

    def engine_full(self) -> None: ...

    def engine_drained(self) -> None: ...


class EngineEnd(asyncio.BufferedProtocol):
    def __init__(self, owner: Owner, buffers: Buffers) -> None:
        self._owner = owner
        self._buffers = buffers
        self._transport: asyncio.Transport | None = None
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITES_WAIT_AT)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffers.cipher

    def buffer_updated(self, nbytes: int) -> None:
        self._owner.from_engine(bytes(self._buffers.cipher[:nbytes]))

    def eof_received(self) -> bool:
        self._owner.engine_ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._owner.engine_lost()

    def pause_writing(self) -> None:
        self._owner.engine_full()

    def resume_writing(self) -> None:
        self._owner.engine_drained()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._ended:
            self._transport.write(data)

    def end(self) -> None:
        """The client sends no more; what the engine still says is read."""
        if self._transport is not None and not self._ended:
            self._ended = True
            self._transport.write_eof()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
