"""One client's connection and the engine's connection behind it."""

import asyncio
import json
import logging
import ssl
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Protocol

from django.utils import timezone

from sessions.engines.door.calls import built_image, is_build
from sessions.engines.door.counters import Counters
from sessions.engines.door.messages import Answers, BadMessageError, Request, Requests
from sessions.engines.door.plain import EngineEnd
from sessions.engines.door.standing import RefusedError, Standing
from sessions.engines.door.tls import Buffers, TlsEnd

logger = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0
HEAD_SECONDS = 30.0
CONNECT_SECONDS = 10.0
# A kept-alive connection without a request; Docker's client opens another one.
QUIET_SECONDS = 600.0
# After the engine has ended a stream: the client's last bytes may still be on their way.
LINGER_SECONDS = 5.0
LINGER_RAW_SECONDS = 60.0


class House(Protocol):
    """The door, as one of its connections sees it."""

    buffers: Buffers
    counters: Counters

    def spawn(self, work: Any) -> None: ...

    async def context_for(self, server_name: str | None) -> ssl.SSLContext: ...

    async def admit(self, certificate: bytes, connection: "Connection") -> Standing | None: ...

    def standing_of(self, session_id: uuid.UUID) -> Standing | None: ...

    def left(self, connection: "Connection") -> None: ...


class Connection:
    """Bytes pass unchanged and in order; each side waits for the other when it is full.

    The ends call in, and the door's tick (`check`) ends what has waited too long.
    """

    def __init__(self, house: House) -> None:
        self.house = house
        self.session_id: uuid.UUID | None = None
        self.client = TlsEnd(self, house.buffers, house.spawn)
        self.engine: EngineEnd | None = None
        self._requests = Requests(self._on_request)
        self._answers = Answers(self._on_answer, self._on_decided)
        self._early: list[bytes] | None = []
        self._holding: list[Request] = []
        self._builds: dict[int, str] = {}  # by the request that is held
        self._refused: RefusedError | None = None
        self._client_ended = False
        self._engine_ended = False
        self._over = False
        self._hung_up = False
        self._stopped: set[str] = set()
        self._deadline: float | None = time.monotonic() + HANDSHAKE_SECONDS
        self._in_head = False

    # --- The beginning -------------------------------------------------------------------------

    async def context_for(self, server_name: str | None) -> ssl.SSLContext:
        return await self.house.context_for(server_name)

    def opened(self, certificate: bytes) -> None:
        """The client holds a key that some session's authority certified; which one is asked."""
        self._deadline = None
        self.client.pause()
        self.house.spawn(self._admit(certificate))

    async def _admit(self, certificate: bytes) -> None:
        standing = await self.house.admit(certificate, self)
        if standing is None:
            self.abort()
            return
        self.session_id = standing.session_id
        self._refused = standing.refused
        if self._refused is None:
            await self._dial(standing.address)
        if self._over:
            return
        self._deadline = time.monotonic() + HEAD_SECONDS
        early, self._early = self._early or [], None
        self.client.resume()
        for data in early:
            self.received(data)
        if self._client_ended:
            self._pass_on_end()

    async def _dial(self, address: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _transport, self.engine = await loop.create_unix_connection(
                    lambda: EngineEnd(self, self.house.buffers), address
                )
        except (OSError, TimeoutError) as error:
            logger.warning("The engine of session %s can't be reached: %s", self.session_id, error)
            sentence = "The session's engine does not answer; try again in a moment."
            self._refused = RefusedError(503, sentence)
        if self._over and self.engine is not None:
            self.engine.abort()

    # --- From the client -----------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        if self._early is not None:
            self._early.append(data)
            return
        if self._over or self._hung_up:
            return
        try:
            self._to_engine(self._requests.feed(data))
        except BadMessageError as error:
            self._answer(error.status, str(error))
        except RefusedError as refused:
            self._answer(refused.status, refused.sentence)
        else:
            self._time()
            if self._requests.held:
                self._stop_client("undecided")

    def _to_engine(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            if self.engine is not None:
                self.engine.write(piece)

    def _time(self) -> None:
        """A head has HEAD_SECONDS from its first byte; what is under way may be silent."""
        if self._engine_ended or self._hung_up:
            return
        in_head = self._requests.in_head
        if in_head and not self._in_head:
            self._deadline = time.monotonic() + HEAD_SECONDS
        elif not in_head:
            busy = self._answers.busy or not self._requests.between
            self._deadline = None if busy else time.monotonic() + QUIET_SECONDS
        self._in_head = in_head

    def _on_request(self, request: Request) -> None:
        """A call to Docker's API: counted, and held while it works."""
        if self._refused is not None:
            raise RefusedError(self._refused.status, self._refused.sentence)
        assert self.session_id is not None  # noqa: S101 - for the type checker
        standing = self.house.standing_of(self.session_id)
        if standing is not None and standing.refused is not None:
            raise RefusedError(standing.refused.status, standing.refused.sentence)
        self._answers.expect(request)
        self.house.counters.call(self.session_id, timezone.now())
        if request.kind.holds:
            self._holding.append(request)
            self.house.counters.opened(self.session_id, request.kind)
        if is_build(request.method, request.target):
            self._builds[id(request)] = self.house.counters.build_began(
                self.session_id, built_image(request.target), timezone.now()
            )

    def client_ended(self) -> None:
        self._client_ended = True
        if self._early is None:
            self._pass_on_end()

    def _pass_on_end(self) -> None:
        if self._hung_up or self._engine_ended or self.engine is None or not self._answers.busy:
            self.close()
        elif not self._requests.undecided:
            self.engine.end()

    def client_lost(self) -> None:
        self.abort()

    def client_full(self) -> None:
        if self.engine is not None:
            self.engine.pause()

    def client_drained(self) -> None:
        if self.engine is not None:
            self.engine.resume()

    def _stop_client(self, why: str) -> None:
        self._stopped.add(why)
        self.client.pause()

    def _let_client(self, why: str) -> None:
        self._stopped.discard(why)
        if not self._stopped:
            self.client.resume()

    # --- From the engine -----------------------------------------------------------------------

    def from_engine(self, data: bytes) -> None:
        if self._over or self._hung_up:
            return
        try:
            for piece in self._answers.feed(data):
                self.client.write(piece)
        except BadMessageError as error:
            logger.warning("The engine of session %s: %s", self.session_id, error)
            self.abort()
            return
        self._time()

    def _on_answer(self, request: Request) -> None:
        self._release([request] if request in self._holding else [])

    def _on_decided(self, raw: bool) -> None:
        self._to_engine(self._requests.decide(raw=raw))
        self._let_client("undecided")
        if self._client_ended and self.engine is not None:
            self.engine.end()

    def engine_ended(self) -> None:
        if self._engine_ended or self._over or self._hung_up:
            return
        self._engine_ended = True
        self._release(list(self._holding))
        if self._answers.waiting and not self._answers.begun:
            self._answer(502, "The engine closed the connection before it answered.")
            return
        self.client.end()
        if self._client_ended:
            self.close()
            return
        linger = LINGER_RAW_SECONDS if self._requests.raw else LINGER_SECONDS
        self._deadline = time.monotonic() + linger

    def engine_lost(self) -> None:
        self.engine_ended()
        self._hang_up()

    def engine_full(self) -> None:
        self._stop_client("full")

    def engine_drained(self) -> None:
        self._let_client("full")

    # --- The end -------------------------------------------------------------------------------

    def _release(self, requests: list[Request]) -> None:
        for request in requests:
            self._holding.remove(request)
            if self.session_id is not None:
                self.house.counters.closed(self.session_id, request.kind)
                self._end_build(request)

    def _end_build(self, request: Request) -> None:
        build_id = self._builds.pop(id(request), None)
        if build_id is not None and self.session_id is not None:
            self.house.counters.build_ended(self.session_id, build_id, timezone.now())

    def _answer(self, status: int, sentence: str) -> None:
        """The door speaks in the engine's place, in the words of Docker's API, and hangs up."""
        if not self._answers.begun and len(self._answers.waiting) <= 1:
            self.client.write(answer_of(status, sentence))
        self._hang_up()

    def _hang_up(self) -> None:
        """The client reads what was said, while what it still sends goes nowhere.

        To close with its bytes unread would reset the connection and lose the answer.
        """
        if self._over or self._hung_up:
            return
        self._hung_up = True
        self._release(list(self._holding))
        if self.engine is not None:
            self.engine.close()
        self.client.end()
        self._stopped.clear()
        self.client.resume()
        self._deadline = time.monotonic() + LINGER_SECONDS
        if self._client_ended:
            self.close()

    def check(self, now: float) -> None:
        """Called each second: whatever has waited too long goes."""
        if self._deadline is not None and now > self._deadline:
            self.close() if self._early is None else self.abort()

    def close(self) -> None:
        """Everything that was written is still sent."""
        self._finish(self.client.close, EngineEnd.close)

    def abort(self) -> None:
        """At once: the session has ended, or one side is gone."""
        self._finish(self.client.abort, EngineEnd.abort)

    def _finish(self, client: Callable[[], None], engine: Callable[[EngineEnd], None]) -> None:
        if self._over:
            return
        self._over = True
        self._release(list(self._holding))
        self.house.left(self)
        client()
        if self.engine is not None:
            engine(self.engine)


def answer_of(status: int, sentence: str) -> bytes:
    """What Docker's client prints as `Error response from daemon: …`."""
    body = json.dumps({"message": sentence}).encode() + b"\n"
    phrase = ""
    with suppress(ValueError):
        phrase = HTTPStatus(status).phrase
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
