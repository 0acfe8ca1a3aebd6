"""A load generator on raw sockets: one thread, many connections, requests that are ready bytes.

It costs about 30 microseconds a request, so that on two cores the server has nearly all of them.
"""

import selectors
import socket
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length: "
LONGEST_ANSWER_SECONDS = 30


class VoidRunError(Exception):
    """An answer was not 2xx: the run counts for nothing."""


@dataclass(slots=True)
class Run:
    """What one run saw. `latencies` are seconds; with a pace they count from the due instant."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, part: float) -> float:
        """Seconds that `part` (0.99) of the answers took at most."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class Link:
    """One kept connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), LONGEST_ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.since = 0.0
        self.got = b""

    def send(self, request: bytes, since: float) -> None:
        self.since, self.got = since, b""
        self.socket.sendall(request)

    def answer(self) -> bytes | None:
        """The whole answer, once it is there."""
        piece = self.socket.recv(65_536)
        if not piece:
            raise VoidRunError("The server closed a connection.")
        self.got += piece
        head, there, body = self.got.partition(END_OF_HEAD)
        if not there:
            return None
        place = head.lower().find(LENGTH)
        if place < 0:
            raise VoidRunError(f"An answer without a length: {head!r}")
        length = int(head[place + len(LENGTH) :].split(b"\r\n", 1)[0])
        return self.got if len(body) >= length else None


def run(
    port: int,
    requests: Sequence[Iterator[bytes]],
    seconds: float,
    rate: float | None = None,
) -> Run:
    """One connection for each of `requests`; as fast as answers come, or `rate` requests a second.

    Raises VoidRunError at the first answer that is not 2xx.
    """
    links = [Link(port) for _ in requests]
    try:
        with selectors.DefaultSelector() as selector:
            for number, link in enumerate(links):
                selector.register(link.socket, selectors.EVENT_READ, number)
            return _drive(selector, links, requests, seconds, rate)
    finally:
        for link in links:
            link.socket.close()


def _drive(
    selector: selectors.BaseSelector,
    links: Sequence[Link],
    requests: Sequence[Iterator[bytes]],
    seconds: float,
    rate: float | None,
) -> Run:
    seen, free = Run(), deque(range(len(links)))
    start = time.perf_counter()
    until, due, busy = start + seconds, start, 0
    while True:
        now = time.perf_counter()
        while free and now < until and (rate is None or due <= now):
            number = free.popleft()
            links[number].send(next(requests[number]), now if rate is None else due)
            due += 0 if rate is None else 1 / rate
            busy += 1
        if not busy and now >= until:
            break
        wait = max(0.0, due - now) if rate is not None and free and now < until else None
        if rate is not None and not busy and wait is None:
            wait = max(0.0, until - now)
        for event, _mask in selector.select(wait):
            number = event.data
            answer = links[number].answer()
            if answer is None:
                continue
            seen.latencies.append(time.perf_counter() - links[number].since)
            _check(answer, seen)
            free.append(number)
            busy -= 1
    seen.seconds = time.perf_counter() - start
    return seen


def _check(answer: bytes, seen: Run) -> None:
    status = int(answer[9:12])
    seen.statuses[status] += 1
    if not 200 <= status < 300:
        raise VoidRunError(answer.decode(errors="replace"))


def in_turn(runs: Sequence[tuple[str, Callable[[], float]]], rounds: int) -> dict[str, list[float]]:
    """A B A B …: each in turn, `rounds` times, so that a noisy minute meets all of them."""
    figures: dict[str, list[float]] = {name: [] for name, _run in runs}
    for _round in range(rounds):
        for name, measure in runs:
            figures[name].append(measure())
            print(f"{name}: {figures[name][-1]:.4g}", flush=True)  # noqa: T201
    return figures


def median(values: Sequence[float]) -> str:
    """The median with its spread."""
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"
