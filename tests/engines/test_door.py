"""The engines' door: who comes in, and what is said to those who don't."""

import asyncio
import contextlib
import json
import ssl
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import override_settings

from sessions.engines.certificates import make_certificates
from sessions.engines.door.standing import RefusedError
from tests.engines.doors import NOW, client_context, opened
from tests.engines.talking import (
    SOON,
    UPGRADE,
    answer,
    ask,
    connect,
    echo_until_end,
    head_of,
    named,
    polite,
    until,
    within_a_loop,
)


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


@pytest.mark.parametrize("case", ["no certificate", "foreign authority", "expired", "server's"])
def test_under_a_name_of_its_own_only_its_own_certificate_opens(case, tmp_path):
    @within_a_loop
    async def test(world):
        until = NOW - timedelta(seconds=1) if case == "expired" else None
        made = await world.engine(polite, name="aaa.engines.test", until=until)
        forged = make_certificates(made.id, ["x"], at=NOW, until=NOW + timedelta(days=1))
        shown = {"foreign authority": forged.client, "server's": made.certificates.server}
        await shut_out(world, made, pair=shown.get(case), certificate=case != "no certificate")
        assert not world.counters.called()
        assert not world.used

    with override_settings(ENGINE_PUBLIC_HOST="*.engines.test"):
        test(tmp_path)


@within_a_loop
async def test_who_asks_for_another_sessions_name_gets_in_nowhere(world):
    """The name of A with the certificate of B, whatever way the name is written."""
    with override_settings(ENGINE_PUBLIC_HOST="*.engines.test"):
        mine = await world.engine(named("mine"), name="aaa.engines.test")
        other = await world.engine(named("other"), name="bbb.engines.test")
        for name in ("aaa.engines.test", "AAA.engines.test", "aaa.engines.test."):
            context = client_context(other, world.folder)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await ask(*await world.connect(context, name))
        # A name that is nobody's chooses nothing: the certificate alone does.
        context = client_context(other, world.folder)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for unknown in ("ccc.engines.test", "localhost"):
            assert await ask(*await world.connect(context, unknown)) == (200, b"other")
    assert world.counters.called() == {other.id}
    assert mine.id not in world.used


@within_a_loop
async def test_the_first_use_of_a_key_is_told_once(world):
    made, other = await world.engine(polite), await world.engine(polite)
    for _visit in range(2):
        await ask(*await connect(world, made))
    await ask(*await connect(world, other))
    await until(lambda: len(world.used) == 2)
    assert world.used == [made.id, other.id]


@within_a_loop
async def test_a_first_use_that_could_not_be_noted_is_told_again(world):
    def fail(_session_id):
        raise OperationalError("away")

    made = await world.engine(polite)
    world.keep_used = fail
    assert await ask(*await connect(world, made)) == (200, b"/version")
    await asyncio.sleep(0.1)
    world.keep_used = lambda _session_id: None
    await ask(*await connect(world, made))
    await until(lambda: world.used == [made.id])


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
