"""The engines' door: who comes in, what is counted, and that no byte is lost or out of order."""

import asyncio
import contextlib
import json
import ssl
import uuid
from datetime import timedelta

import pytest
from django.test import override_settings

from sessions.engines.certificates import make_certificates
from sessions.engines.door import Counters, Kind
from sessions.engines.door.standing import RefusedError
from tests.engines.doors import NOW, client_context, opened

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


async def shut_out(world, made, **more):
    """Nothing comes through: neither in the handshake nor right after it."""
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await first_byte(world, made, **more)


async def first_byte(world, made, **more):
    reader, writer = await connect(world, made, **more)
    writer.write(b"GET /version HTTP/1.1\r\n\r\n")
    return await asyncio.wait_for(reader.readexactly(1), SOON)


# --- Who comes in ----------------------------------------------------------------------------


@within_a_loop
async def test_the_right_certificate_reaches_its_own_engine(world):
    first, second = await world.engine(polite), await world.engine(named("second"))
    assert await ask(*await connect(world, first)) == (200, b"/version")
    assert await ask(*await connect(world, second)) == (200, b"second")


def named(name):
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ok(name.encode()))

    return talk


@within_a_loop
async def test_no_certificate_is_shut_out(world):
    made = await world.engine(polite)
    await shut_out(world, made, certificate=False)
    assert not world.counters.called()


@within_a_loop
async def test_a_certificate_of_a_foreign_authority_is_shut_out(world):
    """One that bears the right names but was signed by somebody else."""
    made = await world.engine(polite)
    forged = make_certificates(made.id, ["x"], at=NOW, until=NOW + timedelta(days=1))
    await shut_out(world, made, pair=forged.client)
    assert not world.counters.called()


@within_a_loop
async def test_an_expired_certificate_is_shut_out(world):
    made = await world.engine(polite, until=NOW - timedelta(seconds=1))
    await shut_out(world, made)


@within_a_loop
async def test_the_servers_own_certificate_lets_no_client_in(world):
    made = await world.engine(polite)
    await shut_out(world, made, pair=made.certificates.server)


@within_a_loop
async def test_another_sessions_certificate_is_shut_out_where_names_choose(world):
    with override_settings(ENGINE_PUBLIC_HOST="*.engines.test"):
        mine = await world.engine(polite, name="aaa.engines.test")
        other = await world.engine(polite, name="bbb.engines.test")
        assert await ask(*await connect(world, mine)) == (200, b"/version")
        await shut_out(world, mine, pair=other.certificates.client)
    assert world.counters.called() == {mine.id}


@within_a_loop
async def test_on_a_shared_name_another_certificate_reaches_its_own_engine_only(world):
    mine, other = await world.engine(named("mine")), await world.engine(named("other"))
    found = await ask(*await connect(world, mine, pair=other.certificates.client))
    assert found == (200, b"other")
    assert world.counters.called() == {other.id}


@within_a_loop
async def test_a_session_made_while_the_door_is_open_comes_in_at_once(world):
    first = await world.engine(polite)
    await ask(*await connect(world, first))
    later = await world.engine(polite)
    assert await ask(*await connect(world, later)) == (200, b"/version")


@within_a_loop
async def test_plain_http_and_noise_get_nothing_but_an_alert(world):
    for noise in (b"GET / HTTP/1.1\r\n\r\n", bytes(200), b"\x16\x03\x01\xff\xff" + bytes(70_000)):
        reader, writer = await world.connect()
        with contextlib.suppress(ConnectionError):
            writer.write(noise)
            assert len(await asyncio.wait_for(reader.read(), SOON)) <= 7
        writer.close()


@within_a_loop
async def test_old_tls_is_not_spoken(world):
    made = await world.engine(polite)
    context = client_context(made, world.folder)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await world.connect(context, "localhost")


@within_a_loop
async def test_a_handshake_that_never_ends_is_ended(world):
    reader, writer = await world.connect()
    writer.write(b"\x16\x03\x01")
    await until(lambda: world.door._all)
    for connection in world.door._all:
        connection._deadline = 0.0
    await world.door.look()
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), SOON) == b""
    assert not world.door._all


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
    counters.give_back(session, taken.api_calls)
    assert counters.take(session).api_calls == 1
    assert counters.take(session).attached == 1
    counters.forget(session)
    counters.closed(session, Kind.EXEC)
    assert counters.take(session).open_streams == {}


# --- Streams ---------------------------------------------------------------------------------


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


# --- Refusals and ends -----------------------------------------------------------------------


@within_a_loop
async def test_a_call_after_the_end_is_told_in_dockers_words(world):
    made = await world.engine(polite)
    made.refused = RefusedError(410, "The session has ended (idle). Start a new one.")
    reader, writer = await connect(world, made)
    status, body = await ask(reader, writer)
    assert status == 410
    assert json.loads(body) == {"message": "The session has ended (idle). Start a new one."}
    assert not world.counters.called()


@within_a_loop
async def test_a_refused_build_is_told_even_while_its_context_is_on_the_way(world):
    made = await world.engine(polite)
    made.refused = RefusedError(410, "The session has ended (idle). Start a new one.")
    reader, writer = await connect(world, made)
    writer.write(b"POST /build HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n" + bytes(3_000_000))
    assert (await answer(reader))[0] == 410


@within_a_loop
async def test_open_connections_are_cut_when_the_session_ends(world):
    made, other = await world.engine(echo_until_end), await world.engine(polite)
    reader, writer = await connect(world, made)
    writer.write(b"POST /exec/a/start HTTP/1.1\r\n" + UPGRADE + b"\r\n")
    await head_of(reader)
    kept = await connect(world, other)
    assert await ask(*kept) == (200, b"/version")
    made.refused = RefusedError(410, "ended")
    await world.door.look()
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), SOON) == b""
    assert world.counters.take(made.id).attached == 0
    assert await ask(*kept) == (200, b"/version")


@within_a_loop
async def test_a_session_that_is_forgotten_is_cut_too(world):
    made = await world.engine(polite)
    reader, writer = await connect(world, made)
    await ask(reader, writer)
    world.sessions.remove(made)
    await world.door.look()
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), SOON) == b""


@within_a_loop
async def test_an_engine_that_is_not_there_is_said(world):
    made = world.session()
    status, body = await ask(*await connect(world, made))
    assert status == 503
    assert "does not answer" in json.loads(body)["message"]


@within_a_loop
async def test_an_engine_that_dies_before_it_answers_is_said(world):
    async def die(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    made = await world.engine(die)
    assert (await ask(*await connect(world, made)))[0] == 502


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 300_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_bad_heads_are_answered_and_never_reach_the_engine(tmp_path, sent, status):
    async def main():
        reached = []

        async def engine(reader, writer):
            reached.append(await reader.read())

        async with opened(tmp_path) as world:
            reader, writer = await connect(world, await world.engine(engine))
            writer.write(sent)
            assert (await answer(reader))[0] == status
            writer.close()
            await until(lambda: reached)
        assert reached == [b""]

    asyncio.run(main())


@within_a_loop
async def test_a_large_head_of_registry_keys_passes(world):
    made = await world.engine(polite)
    reader, writer = await connect(world, made)
    writer.write(b"GET /a HTTP/1.1\r\nX-Registry-Config: " + b"x" * 60_000 + b"\r\n\r\n")
    assert await answer(reader) == (200, b"/a")


@within_a_loop
async def test_one_connection_too_many_is_refused_until_a_place_is_free(world):
    made = await world.engine(polite)
    world.door.most_of_a_session = 2
    first, second = await connect(world, made), await connect(world, made)
    await ask(*first)
    await ask(*second)
    assert (await ask(*await connect(world, made)))[0] == 503
    first[1].close()
    await until(lambda: len(world.door._of[made.id]) < 2)
    assert (await ask(*await connect(world, made)))[0] == 200


@within_a_loop
async def test_while_the_database_is_away_known_sessions_go_on(world):
    made = await world.engine(polite)
    reader, writer = await connect(world, made)
    await ask(reader, writer)

    def away(**_asked):
        raise OSError("no database")

    world.door._directory._look = away
    await world.door.look()
    assert await ask(reader, writer) == (200, b"/version")
    assert await ask(*await connect(world, made)) == (200, b"/version")
