"""The door's memory of sessions and of their TLS contexts. The database is read in threads."""

import asyncio
import logging
import os
import ssl
import uuid
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

from offload_portal.common.periods import cut_to_second
from sessions.engines.certificates import (
    Pair,
    door_certificate,
    is_signed_by,
    names_of,
    session_of_issuer,
)
from sessions.engines.door.standing import Keys, Known, Standing, look

logger = logging.getLogger(__name__)

DOOR_CERTIFICATE_LASTS = timedelta(days=30)
T = TypeVar("T")
Look = Callable[..., Known]


class Directory:
    """Everything but the constructor belongs to the door's loop."""

    def __init__(self, look: Look = look, threads: int = 2) -> None:
        self._look = look
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="door")
        self._lock = asyncio.Lock()
        self._begun = 0
        self._done = 0
        self._standings: dict[uuid.UUID, Standing] = {}
        self._keys: dict[uuid.UUID, Keys] = {}
        self._names: dict[str, uuid.UUID] = {}
        self._contexts: dict[uuid.UUID, ssl.SSLContext] = {}
        self._shared: tuple[frozenset[uuid.UUID], ssl.SSLContext, datetime] | None = None

    async def fresh(self) -> None:
        """A look at the database that began after this was called; many askers share one.

        While the database is away, what was known holds.
        """
        wanted = self._begun + 1
        async with self._lock:
            if self._done >= wanted:
                return
            self._begun += 1
            mine = self._begun
            try:
                at = cut_to_second(timezone.now())
                self._take(await self.in_thread(self._read, at, frozenset(self._keys)))
            except Exception as error:  # each database has its own errors
                logger.warning("The door could not look up the sessions: %s", error)
            self._done = mine

    def _read(self, at: datetime, have: frozenset[uuid.UUID]) -> Known:
        close_old_connections()
        try:
            return self._look(at=at, have=have)
        finally:
            close_old_connections()

    def _take(self, known: Known) -> None:
        self._standings = dict(known.standings)
        for gone in set(self._keys) - set(self._standings):
            del self._keys[gone]
            self._contexts.pop(gone, None)
        self._keys.update(known.keys)
        shared = settings.ENGINE_PUBLIC_HOST
        self._names = {
            keys.name.lower(): keys.session_id
            for keys in self._keys.values()
            if keys.name != shared
        }

    async def in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(function, *arguments))

    def standing_of(self, session_id: uuid.UUID) -> Standing | None:
        return self._standings.get(session_id)

    def session_of(self, certificate: bytes) -> uuid.UUID | None:
        """The session whose own authority signed the client's certificate (DER)."""
        session_id = session_of_issuer(certificate)
        keys = self._keys.get(session_id) if session_id else None
        if keys is None or not is_signed_by(certificate, keys.authority):
            return None
        return session_id

    async def context_for(self, server_name: str | None) -> ssl.SSLContext:
        """The session's own where the name is a session's, else the shared one."""
        await self.fresh()
        session_id = self._names.get((server_name or "").lower().rstrip("."))
        if session_id is None:
            return await self._shared_context()
        if session_id not in self._contexts:
            keys = self._keys[session_id]
            context = await self.in_thread(make_context, keys.server, [keys.authority])
            self._contexts[session_id] = context
        return self._contexts[session_id]

    async def _shared_context(self) -> ssl.SSLContext:
        """It shows the door's certificate and takes a client of any session it knows."""
        sessions, now = frozenset(self._keys), timezone.now()
        kept = self._shared
        if kept is None or kept[0] != sessions or kept[2] < now:
            authorities = [keys.authority for keys in self._keys.values()]
            until = now + DOOR_CERTIFICATE_LASTS
            pair = door_certificate(_shared_names(), at=now, until=until)
            context = await self.in_thread(make_context, pair, authorities)
            kept = (sessions, context, now + DOOR_CERTIFICATE_LASTS / 2)
            self._shared = kept
        return kept[1]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _shared_names() -> tuple[str, ...]:
    """What the door's own certificate is good for."""
    return names_of(settings.ENGINE_PUBLIC_HOST.removeprefix("*."))


def make_context(pair: Pair, authorities: Collection[str]) -> ssl.SSLContext:
    """TLS 1.3, a client certificate always, no resumption: each connection is checked anew."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    _load_pair(context, pair)
    _trust(context, authorities)
    return context


def _trust(context: ssl.SSLContext, authorities: Iterable[str]) -> None:
    together = "".join(authorities)
    if together:
        context.load_verify_locations(cadata=together)


def _load_pair(context: ssl.SSLContext, pair: Pair) -> None:
    """OpenSSL takes keys from files only; this one lies in memory."""
    descriptor = os.memfd_create("pair", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, (pair.certificate + pair.key).encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
