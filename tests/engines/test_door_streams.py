"""Through the engines' door: what is counted, and that no byte is lost or out of order."""

import asyncio
import uuid

from sessions.engines.door import Counters, Kind, Seen
from tests.engines.doors import NOW
from tests.engines.talking import (
    SOON,
    UPGRADE,
    answer,
    ask,
    connect,
    echo_until_end,
    half_closing,
    head_of,
    ok,
    polite,
    until,
    within_a_loop,
)

# --- Counting --------------------------------------------------------------------------------


@within_a_loop
async def test_each_request_of_a_kept_alive_connection_is_a_call(world):
    made = await world.engine(polite)
    reader, writer = await connect(world, made)
    for target in ("/_ping", "/info", "/version"):
        assert await ask(reader, writer, target) == (200, target.encode())
    seen = world.counters.take(made.id)
    assert seen.api_calls == 3
    assert seen.last_call_at is not None
    assert world.counters.take(made.id).api_calls == 0
    assert world.counters.woken.is_set()


@within_a_loop
async def test_pipelined_requests_are_each_a_call(world):
    made = await world.engine(polite)
    reader, writer = await connect(world, made)
    writer.write(b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % each for each in range(20)))
    answers = [await answer(reader) for _ in range(20)]
    assert answers == [(200, b"/%d" % each) for each in range(20)]
    assert world.counters.take(made.id).api_calls == 20


@within_a_loop
async def test_a_silent_build_is_held_until_it_is_answered(world):
    finish = asyncio.Event()

    async def build(reader, writer):
        await reader.readuntil(b"0\r\n\r\n")
        await finish.wait()
        writer.write(ok(b"built"))

    made = await world.engine(build)
    reader, writer = await connect(world, made)
    writer.write(b"POST /v1.50/build HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    writer.write(b"3\r\nabc\r\n0\r\n\r\n")
    await until(lambda: world.counters.take(made.id).builds == 1)
    await world.door.look()
    seen = world.counters.take(made.id)
    assert (seen.api_calls, seen.builds, seen.attached) == (0, 1, 0)
    finish.set()
    assert await answer(reader) == (200, b"built")
    assert world.counters.take(made.id).builds == 0


@within_a_loop
async def test_a_build_is_told_by_its_name_when_it_begins_and_when_it_ends(world):
    finish = asyncio.Event()

    async def build(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await finish.wait()
        writer.write(ok(b"built"))

    made = await world.engine(build)
    reader, writer = await connect(world, made)
    writer.write(b"POST /v1.50/build?dockerfile=D&t=acme%2Fweb%3Amain&t=other HTTP/1.1\r\n\r\n")
    found = []

    def told():
        found.extend(world.counters.take(made.id).built)
        return bool(found)

    await until(told)
    (begun,) = found
    assert (begun.image, begun.finished_at) == ("acme/web:main", None)
    finish.set()
    assert await answer(reader) == (200, b"built")
    found.clear()
    await until(told)
    (ended,) = found
    assert (ended.id, ended.image) == (begun.id, "acme/web:main")
    assert ended.finished_at >= ended.started_at == begun.started_at
    world.counters.give_back(made.id, Seen(built=(ended,)))
    assert world.counters.take(made.id).built == (ended,), "what could not be reported goes back"


@within_a_loop
async def test_a_build_whose_client_is_gone_holds_nothing(world):
    gone = asyncio.Event()

    async def build(reader, writer):
        await reader.read()
        gone.set()
        writer.close()

    made = await world.engine(build)
    _reader, writer = await connect(world, made)
    writer.write(b"POST /build HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc")
    await until(lambda: world.counters.take(made.id).builds == 1)
    writer.transport.abort()
    await asyncio.wait_for(gone.wait(), SOON)
    await until(lambda: world.counters.take(made.id).builds == 0)


@within_a_loop
async def test_watching_events_is_one_call_and_holds_nothing(world):
    async def events(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
        await reader.read()
        writer.close()

    made = await world.engine(events)
    reader, writer = await connect(world, made)
    writer.write(b"GET /v1.50/events HTTP/1.1\r\n\r\n")
    await head_of(reader)
    seen = world.counters.take(made.id)
    assert (seen.api_calls, seen.builds, seen.attached) == (1, 0, 0)


def test_calls_that_could_not_be_reported_go_back():
    counters, session = Counters(), uuid.uuid4()
    counters.call(session, NOW)
    counters.opened(session, Kind.EXEC)
    taken = counters.take(session)
    counters.give_back(session, taken)
    assert counters.take(session).api_calls == 1
    assert counters.take(session).attached == 1
    counters.forget(session)
    counters.closed(session, Kind.EXEC)
    assert counters.take(session).open_streams == {}


# --- Streams ---------------------------------------------------------------------------------


@within_a_loop
async def test_a_stream_goes_both_ways_and_ends_by_halves(world):
    made = await world.engine(echo_until_end)
    client = await half_closing(world, made)
    client.send(b"POST /exec/a/start HTTP/1.1\r\n" + UPGRADE + b"\r\n")
    await client.until(b"\r\n\r\n")
    client.send(b"to and fro")
    assert await client.until(b"to and fro") == b"to and fro"
    assert world.counters.take(made.id).attached == 1
    client.end()
    assert await client.rest() == b"after the end: 10"
    await until(lambda: world.counters.take(made.id).attached == 0)


@within_a_loop
async def test_input_of_megabytes_then_its_end_loses_no_byte(world):
    made = await world.engine(echo_until_end)
    client = await half_closing(world, made)
    client.send(b"POST /exec/a/start HTTP/1.1\r\n" + UPGRADE + b"\r\n")
    await client.until(b"\r\n\r\n")
    sent = bytes(range(256)) * 40_000
    client.send(sent)
    client.end()
    assert await client.rest() == sent + b"after the end: %d" % len(sent)


@within_a_loop
async def test_an_old_clients_attach_without_upgrade_is_a_stream(world):
    async def attach(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n")
        writer.write(await reader.readexactly(9))
        writer.close()

    made = await world.engine(attach)
    reader, writer = await connect(world, made)
    writer.write(b"POST /v1.50/containers/a/attach?stream=1 HTTP/1.1\r\n\r\n")
    await head_of(reader)
    assert world.counters.take(made.id).attached == 1
    writer.write(b"\r\nGET / \n")
    assert await asyncio.wait_for(reader.read(), SOON) == b"\r\nGET / \n"
    assert world.counters.take(made.id).api_calls == 0
    await until(lambda: world.counters.take(made.id).attached == 0)


@within_a_loop
async def test_a_refused_exec_leaves_the_connection_alive(world):
    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")
        await polite(reader, writer)

    made = await world.engine(refuse)
    reader, writer = await connect(world, made)
    writer.write(b"POST /exec/a/start HTTP/1.1\r\n" + UPGRADE + b"Content-Length: 2\r\n\r\n{}")
    writer.write(b"GET /info HTTP/1.1\r\n\r\n")
    assert await answer(reader) == (404, b"{}")
    assert await answer(reader) == (200, b"/info")
    assert world.counters.take(made.id).open_streams == {}


@within_a_loop
async def test_an_engine_that_reads_slowly_slows_the_client_down(world):
    go_on = asyncio.Event()
    size = 64 * 2**20

    async def slow(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await go_on.wait()
        left = size
        while left:
            left -= len(await reader.read(2**20))
        writer.write(ok(b"all"))

    made = await world.engine(slow)
    reader, writer = await connect(world, made)
    writer.transport.set_write_buffer_limits(high=2**16)
    writer.write(b"POST /build HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)
    piece, sent = bytes(2**18), 0
    while sent < size:
        writer.write(piece)
        sent += len(piece)
        try:
            await asyncio.wait_for(writer.drain(), 1)
        except TimeoutError:
            break
    assert sent < size / 2, "the door took what the engine would not take"
    go_on.set()
    while sent < size:
        writer.write(piece)
        sent += len(piece)
        await writer.drain()
    assert await answer(reader) == (200, b"all")


@within_a_loop
async def test_a_client_that_reads_slowly_slows_the_engine_down(world):
    size, sent = 64 * 2**20, 0

    async def pour(reader, writer):
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(bytes(2**18))
            sent += 2**18
            await writer.drain()

    made = await world.engine(pour)
    reader, writer = await connect(world, made)
    writer.write(b"GET /images/a/get HTTP/1.1\r\n\r\n")
    await head_of(reader)
    held = -1
    while held != sent:
        held = sent
        await asyncio.sleep(0.3)
    assert held < size / 2, "the door took what the client would not take"
    await asyncio.wait_for(reader.readexactly(size), 30)
