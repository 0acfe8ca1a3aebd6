"""HTTP/1.1 as the door needs it: where each message begins and ends. It changes no byte.

Pure: bytes in, the same bytes out, with heads seen on the way. What is ambiguous is refused, so
that the door and the engine can't read one stream in two ways.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from sessions.engines.door.calls import Kind, kind_of, may_hijack

# Docker's registry headers hold a few kilobytes for each registry; Go takes a mebibyte.
LONGEST_HEAD = 256 * 1024
LONGEST_CHUNK_LINE = 4 * 1024
LONGEST_TRAILERS = 64 * 1024
MOST_PIPELINED = 64
END_OF_HEAD = b"\r\n\r\n"
END_OF_LINE = b"\r\n"
VERSIONS = ("HTTP/1.1", "HTTP/1.0")
SWITCHED = 101
WITHOUT_BODY = (204, 304)


class BadMessageError(Exception):
    """It is no HTTP/1.1 that has one meaning. `status` is what the client is told."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


# --- Heads -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """What the door remembers of a request until it is answered."""

    method: str
    target: str
    kind: Kind
    upgrades: bool

    @property
    def may_switch(self) -> bool:
        """Whether its answer may end HTTP on this connection."""
        return self.upgrades or may_hijack(self.target)


Fields = dict[str, list[str]]


def lines_of(head: bytes) -> tuple[str, Fields]:
    """The first line, and the fields by lower-case name."""
    first, *rest = head[: -len(END_OF_HEAD)].decode("latin-1").split("\r\n")
    fields: Fields = {}
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or "\n" in line or "\0" in line:
            raise BadMessageError("A header line is malformed.")
        fields.setdefault(name.lower(), []).append(value.strip(" \t"))
    return first, fields


def request_of(head: bytes) -> tuple[Request, "Body"]:
    first, fields = lines_of(head)
    parts = first.split(" ")
    if len(parts) != 3 or not all(parts) or "\n" in first:
        raise BadMessageError("The request line is malformed.")
    method, target, version = parts
    if version not in VERSIONS:
        raise BadMessageError("HTTP/1.1 alone is spoken here.", 505)
    if not target.startswith(("/", "http://", "https://")) and target != "*":
        raise BadMessageError("The request's target is malformed.")
    upgrades = "upgrade" in _words(fields, "connection") and "upgrade" in fields
    request = Request(method, target, kind_of(method, target), upgrades)
    return request, framed(fields) or NO_BODY


def _words(fields: Fields, name: str) -> set[str]:
    return {word.strip().lower() for value in fields.get(name, ()) for word in value.split(",")}


def framed(fields: Fields) -> "Body | None":
    """The body that the fields announce; None where they announce none."""
    lengths = set(fields.get("content-length", ()))
    codings = fields.get("transfer-encoding", [])
    if codings:
        if lengths:
            raise BadMessageError("Content-Length and Transfer-Encoding contradict each other.")
        if [coding.lower() for coding in codings] != ["chunked"]:
            raise BadMessageError("Of transfer encodings, chunked alone is understood.", 501)
        return ChunkedBody()
    if not lengths:
        return None
    text = lengths.pop()
    if lengths or not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise BadMessageError("Content-Length is malformed.")
    return SizedBody(int(text))


# --- Bodies ----------------------------------------------------------------------------------


class Body(Protocol):
    """`take` says where in `data`, from `start` on, the body ends or the data does."""

    @property
    def done(self) -> bool: ...

    def take(self, data: bytes, start: int) -> int: ...


class SizedBody:
    def __init__(self, length: int) -> None:
        self.left = length

    @property
    def done(self) -> bool:
        return self.left == 0

    def take(self, data: bytes, start: int) -> int:
        taken = min(self.left, len(data) - start)
        self.left -= taken
        return start + taken


NO_BODY = SizedBody(0)


class BodyUntilClose:
    done = False

    def take(self, data: bytes, start: int) -> int:
        return len(data)


class ChunkedBody:
    """Sizes, chunks and trailers, of which the door only finds the end."""

    def __init__(self) -> None:
        self.done = False
        self._left = 0  # of the chunk, with the end of its line
        self._line = b""
        self._in_trailers = False
        self._trailers = 0

    def take(self, data: bytes, start: int) -> int:
        size = len(data)
        while start < size and not self.done:
            if self._left:
                taken = min(self._left, size - start)
                self._left -= taken
                start += taken
            else:
                start = self._take_line(data, start)
        return start

    def _take_line(self, data: bytes, start: int) -> int:
        """A line may come in several pieces; it is acted upon once it is whole."""
        end = data.find(b"\n", start)
        stop = len(data) if end < 0 else end + 1
        line = self._line + data[start:stop]
        if len(line) > LONGEST_CHUNK_LINE:
            raise BadMessageError("A line of a chunked body is too long.")
        if end < 0:
            self._line = line
            return stop
        self._line = b""
        if not line.endswith(END_OF_LINE):
            raise BadMessageError("A line of a chunked body is malformed.")
        if self._in_trailers:
            self._trailer(line)
        else:
            self._size(line)
        return stop

    def _size(self, line: bytes) -> None:
        text = line[:-2].partition(b";")[0].strip()
        if not text or len(text) > 15 or text.strip(b"0123456789abcdefABCDEF"):
            raise BadMessageError("The size of a chunk is malformed.")
        size = int(text, 16)
        self._in_trailers = size == 0
        self._left = size + len(END_OF_LINE) if size else 0

    def _trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if self._trailers > LONGEST_TRAILERS:
            raise BadMessageError("The trailers are too long.", 431)
        self.done = line == END_OF_LINE


# --- Streams ---------------------------------------------------------------------------------


class _Heads:
    """Collects a head that may come in pieces."""

    def __init__(self) -> None:
        self.begun = bytearray()

    def take(self, data: bytes) -> tuple[bytes | None, bytes]:
        """The head once it is whole, and what comes after it."""
        seen = max(0, len(self.begun) - len(END_OF_HEAD) + 1)
        self.begun += data
        end = self.begun.find(END_OF_HEAD, seen)
        if (len(self.begun) if end < 0 else end) > LONGEST_HEAD:
            raise BadMessageError("The head of the message is too long.", 431)
        if end < 0:
            return None, b""
        end += len(END_OF_HEAD)
        head, rest = bytes(self.begun[:end]), bytes(self.begun[end:])
        self.begun = bytearray()
        return head, rest


class Requests:
    """What the client sends. `on_request` is told of each head before it is passed on.

    After a request that may end HTTP, what follows waits in `held` until `decide`.
    """

    def __init__(self, on_request: Callable[[Request], None]) -> None:
        self._on_request = on_request
        self._heads = _Heads()
        self._body: Body = NO_BODY
        self._switches = False
        self.raw = False
        self.undecided = False
        self.held = bytearray()

    @property
    def between(self) -> bool:
        """No message is under way."""
        return self._body.done and not self._heads.begun and not self.undecided

    @property
    def in_head(self) -> bool:
        """A head has begun and is not whole."""
        return bool(self._heads.begun)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces to pass on, in order."""
        while data:
            if self.raw:
                yield data
                return
            if self.undecided:
                self.held += data
                return
            if self._body.done:
                head, data = self._heads.take(data.lstrip(END_OF_LINE) if self.between else data)
                if head is None:
                    return
                self._begin(head)
                yield head
            else:
                end = self._body.take(data, 0)
                yield data if end == len(data) else data[:end]
                data = data[end:]
            self.undecided = self._switches and self._body.done

    def _begin(self, head: bytes) -> None:
        request, self._body = request_of(head)
        self._switches = request.may_switch
        self._on_request(request)

    def decide(self, *, raw: bool) -> Iterator[bytes]:
        """The answer is there: HTTP goes on, or it has ended for good."""
        self.raw, self.undecided, self._switches = raw, False, False
        held, self.held = bytes(self.held), bytearray()
        return self.feed(held)


class Answers:
    """What the engine sends. `on_answer` is told when a request is answered whole.

    `on_decided` is told whether HTTP has ended, after a request that could end it.
    """

    def __init__(
        self, on_answer: Callable[[Request], None], on_decided: Callable[[bool], None]
    ) -> None:
        self.waiting: deque[Request] = deque()
        self.raw = False
        self._on_answer = on_answer
        self._on_decided = on_decided
        self._heads = _Heads()
        self._body: Body = NO_BODY
        self._answered: Request | None = None

    def expect(self, request: Request) -> None:
        if len(self.waiting) >= MOST_PIPELINED:
            raise BadMessageError("Too many requests wait for their answers.", 429)
        self.waiting.append(request)

    @property
    def busy(self) -> bool:
        """Something is asked and not yet answered whole."""
        return bool(self.waiting) or self.begun

    @property
    def begun(self) -> bool:
        """Part of an answer has been passed on, so the door can't answer in its place."""
        return self._answered is not None or self.raw

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self.raw:
                yield data
                return
            if self._body.done:
                head, data = self._heads.take(data)
                if head is None:
                    return
                self._begin(head)
                yield head
            else:
                end = self._body.take(data, 0)
                yield data if end == len(data) else data[:end]
                data = data[end:]
            if self._body.done and self._answered is not None and not self.raw:
                answered, self._answered = self._answered, None
                self._on_answer(answered)

    def _begin(self, head: bytes) -> None:
        first, fields = lines_of(head)
        parts = first.split(" ", 2)
        if len(parts) < 2 or parts[0] not in VERSIONS or not _is_status(parts[1]):
            raise BadMessageError("The engine's answer is malformed.", 502)
        if not self.waiting:
            raise BadMessageError("The engine answers what nobody asked.", 502)
        status = int(parts[1])
        if status < 200 and status != SWITCHED:
            return
        request = self.waiting.popleft()
        self._answered = request
        self._body = _body_of_answer(request, status, fields)
        until_close = isinstance(self._body, BodyUntilClose)
        self.raw = until_close and (status == SWITCHED or may_hijack(request.target))
        if request.may_switch:
            self._on_decided(self.raw)


def _is_status(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isdigit()


def _body_of_answer(request: Request, status: int, fields: Fields) -> Body:
    if status == SWITCHED:
        return BodyUntilClose()
    if request.method == "HEAD" or status in WITHOUT_BODY:
        return NO_BODY
    return framed(fields) or BodyUntilClose()
