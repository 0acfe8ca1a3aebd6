"""Rate limits per token and per organization, shown in `RateLimit` headers (api.md).

They count in the shared cache where that is Redis. The embedded default has one web process, and
its cache is the database: counting there would cost each request more statements than its work,
so it counts in the process. Where the cache is away everybody passes.
"""

import logging
import time
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from offload_portal.api.callers import caller_of
from offload_portal.common.refusals import Refusal

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60
# Counts, and forgets the count once its window is over.
COUNT = """
local used = redis.call("INCR", KEYS[1])
if used == 1 then redis.call("EXPIRE", KEYS[1], ARGV[1]) end
return used
"""
# An organization's people and tokens together; one token must not starve the others.
ORGANIZATION_FACTOR = 50
_in_process = LocMemCache("api-rate", {"OPTIONS": {"MAX_ENTRIES": 100_000}})


@dataclass(frozen=True, slots=True)
class Count:
    """How much of a limit is left in this window, which ends in `reset` seconds."""

    policy: str
    limit: int
    used: int
    reset: int

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)


def _used(key: str) -> int:
    """How often the key was counted, this time included."""
    if settings.REDIS_URL:
        return int(_counter(settings.REDIS_URL)(keys=[key], args=[2 * WINDOW_SECONDS]))
    _in_process.add(key, 0, 2 * WINDOW_SECONDS)
    return _in_process.incr(key)


@cache
def _counter(address: str) -> Any:
    """One client with its pool, and one trip: Django's cache makes both anew, three times each."""
    # One more try is for a connection that the server closed meanwhile; nobody waits for more.
    again = Retry(NoBackoff(), 1)
    client = redis.Redis.from_url(address, socket_timeout=2, socket_connect_timeout=2, retry=again)
    return client.register_script(COUNT)


def _count(policy: str, name: str, limit: int) -> Count | None:
    """Count one request; None where the cache is away."""
    now = int(time.time())
    window, passed = divmod(now, WINDOW_SECONDS)
    try:
        used = _used(f"portal:rate:{policy}:{name}:{window}")
    except Exception as error:
        logger.warning("The cache is away, so nobody is limited: %s", error)
        return None
    return Count(policy, limit, used, WINDOW_SECONDS - passed)


def _check(request: Request, count: Count | None) -> None:
    if count is None:
        return
    counts: list[Count] = getattr(request._request, "rate_counts", [])
    request._request.rate_counts = [*counts, count]  # type: ignore[attr-defined]  # ours alone
    if count.used > count.limit:
        raise _too_many(count)


def _too_many(count: Count) -> Refusal:
    sentence = _("More than %(limit)s requests in a minute; go on in %(reset)s seconds.") % {
        "limit": count.limit,
        "reset": count.reset,
    }
    extra = {"scope": count.policy, "limit": count.limit, "used": count.used}
    return Refusal("rate_limited", sentence, 429, extra, retry_after=count.reset)


class TokenThrottle(BaseThrottle):
    """Counts requests of a token; without one, of an address."""

    def allow_request(self, request: Request, view: Any) -> bool:
        limit = settings.API_REQUESTS_PER_MINUTE
        if request.auth is not None:
            _check(request, _count("token", caller_of(request).token, limit))
        else:
            _check(request, _count("address", self.get_ident(request), limit))
        return True


def count_organization(request: Request, organization_id: uuid.UUID) -> None:
    """Count a request of somebody who belongs to the organization; a stranger never counts."""
    limit = settings.API_REQUESTS_PER_MINUTE * ORGANIZATION_FACTOR
    _check(request, _count("organization", str(organization_id), limit))


def show(request: Any, response: HttpResponseBase) -> None:
    """Write the headers of the IETF's draft (httpapi-ratelimit-headers)."""
    counts: list[Count] = getattr(request, "rate_counts", [])
    if not counts:
        return
    response.headers["RateLimit-Policy"] = ", ".join(
        f'"{count.policy}";q={count.limit};w={WINDOW_SECONDS}' for count in counts
    )
    response.headers["RateLimit"] = ", ".join(
        f'"{count.policy}";r={count.left};t={count.reset}' for count in counts
    )
