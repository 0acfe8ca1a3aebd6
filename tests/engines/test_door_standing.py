"""What the door reads of the database: who may come in, and why not."""

import asyncio
import socket
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from sessions import services
from sessions.engines.door import Counters, Door
from sessions.engines.door.server import place_of, serve
from sessions.engines.door.standing import look
from sessions.enums import EngineState
from sessions.host.run import EngineHost, door_loop
from sessions.models import Engine, EngineKeys, Session
from tests.sessions.lives import start, stop

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(organization, member, at):
    return with_engine(start(organization, member, at), at)


def with_engine(session, at):
    Engine.objects.create(
        session=session,
        organization_id=session.organization_id,
        provider="local",
        state=EngineState.READY,
        asked_at=at,
        ready_at=at,
        address="/engine.sock",
    )
    services.make_keys(session, at)
    return session


def told(session, at):
    refused = look(at=at).standings[session.pk].refused
    return None if refused is None else refused.status


def test_a_ready_session_may_come_in(session, at):
    known = look(at=at)
    assert known.standings[session.pk].address == "/engine.sock"
    assert known.standings[session.pk].refused is None
    keys = known.keys[session.pk]
    assert (keys.name, keys.authority) == ("localhost", session.engine_keys.ca_pem)
    assert "PRIVATE KEY" in keys.server.key
    assert look(at=at, have={session.pk}).keys == {}


def test_the_clock_ends_it_before_anybody_wrote_it_down(session, at):
    end = at + timedelta(seconds=session.idle_end_seconds)
    assert told(session, end - timedelta(seconds=1)) is None
    assert told(session, end) == 410
    assert Session.objects.get(pk=session.pk).ended_at is None


def test_a_stopped_session_is_told_for_an_hour_and_then_unknown(session, at):
    stop(session, at)
    assert told(session, at) == 410
    assert told(session, at + timedelta(minutes=59)) == 410
    assert session.pk not in look(at=at + timedelta(hours=1)).standings


@pytest.mark.parametrize("state", [state for state in EngineState if state != EngineState.READY])
def test_an_engine_in_another_state_is_not_ready(session, at, state):
    removed = at if state == EngineState.REMOVED else None
    Engine.objects.update(state=state, removed_at=removed)
    assert told(session, at) == 409


def test_keys_that_cannot_be_unsealed_shut_out_their_own_session_only(
    session, at, organization, owner
):
    other = with_engine(start(organization, owner, at), at)
    EngineKeys.objects.filter(pk=session.pk).update(server_key="broken")
    assert set(look(at=at).keys) == {other.pk}


def test_expired_keys_are_unknown(session, at):
    EngineKeys.objects.update(expires_at=at)
    assert look(at=at).standings == {}


def test_the_statements_do_not_grow_with_the_sessions(
    session,
    at,
    organization,
    owner,
    editor,
    django_assert_num_queries,
    django_assert_max_num_queries,
):
    with django_assert_max_num_queries(10) as one:
        look(at=at)
    with_engine(start(organization, owner, at), at)
    with django_assert_num_queries(len(one)):
        look(at=at)


def test_addresses_to_listen_at():
    assert place_of("127.0.0.1:2376") == ("127.0.0.1", 2376)
    assert place_of("[::1]:80") == ("::1", 80)


def test_a_port_that_is_taken_is_an_error_that_names_it():
    async def main():
        first = Door(Counters())
        port = await first.open("127.0.0.1", 0)
        try:
            with override_settings(ENGINE_BIND=f"127.0.0.1:{port}"):
                await serve(Counters())
        finally:
            await first.close()

    cure = r"Address already in use.*set ENGINE_BIND and ENGINE_PUBLIC_PORT"
    with pytest.raises(OSError, match=cure):
        asyncio.run(main())


def test_the_loop_of_a_door_that_can_not_open_ends_so_that_it_is_begun_again():
    host: Any = None
    engines, raised = EngineHost(host), []

    def hold():
        try:
            door_loop(engines)
        except OSError as error:
            raised.append(str(error))

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with override_settings(ENGINE_BIND=address):
            loop = threading.Thread(target=hold, daemon=True)
            loop.start()
            loop.join(60)
    assert not loop.is_alive()
    assert address in raised[0]
    assert not engines.is_open.is_set()


def test_the_loop_of_a_door_says_that_it_is_open_and_ends_when_it_is_told_to():
    host: Any = None
    engines = EngineHost(host)
    with override_settings(ENGINE_BIND="127.0.0.1:0"):
        loop = threading.Thread(target=door_loop, args=(engines,), daemon=True)
        loop.start()
        assert engines.is_open.wait(60)
        engines.stop.set()
        loop.join(60)
    assert not loop.is_alive()
    assert not engines.is_open.is_set()


def test_serving_ends_when_it_is_cancelled():
    async def main():
        doors: list[Door] = []
        with override_settings(ENGINE_BIND="127.0.0.1:0"):
            task = asyncio.create_task(serve(Counters(), opened=doors.append))
            while not doors:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
