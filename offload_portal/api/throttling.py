"""Rate limits per token and per organization, shown in `RateLimit` headers (api.md).

They count in the shared cache where that is Redis. The embedded default has one web process, and
its cache is the database: counting there would cost each request more statements than its work,
so it counts in the process. Where the cache is away everybody passes.
"""

import logging
import time
import uuid
from collections.abc import Sequence
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
# Counts each, and forgets a count once its window is over. One that is over its limit ends it: who
# is refused for a token takes nothing from the organization.
COUNT = """
local counts = {}
for place, key in ipairs(KEYS) do
    counts[place] = redis.call("INCR", key)
    if counts[place] == 1 then redis.call("EXPIRE", key, ARGV[1]) end
    if counts[place] > tonumber(ARGV[place + 1]) then break end
end
return counts
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


@dataclass(frozen=True, slots=True)
class Limit:
    """How many requests of whom a window takes."""

    policy: str
    name: str
    most: int


def _used(keys: Sequence[str], most: Sequence[int]) -> list[int]:
    """How often each was counted, this time included, up to one that is over its limit."""
    if settings.REDIS_URL:
        return list(_counter(settings.REDIS_URL)(keys=keys, args=[2 * WINDOW_SECONDS, *most]))
    counts: list[int] = []
    for key, limit in zip(keys, most, strict=True):
        _in_process.add(key, 0, 2 * WINDOW_SECONDS)
        counts.append(_in_process.incr(key))
        if counts[-1] > limit:
            break
    return counts


@cache
def _counter(address: str) -> Any:
    """One client with its pool, and one trip: Django's cache makes both anew, three times each."""
    # One more try is for a connection that the server closed meanwhile; nobody waits for more.
    again = Retry(NoBackoff(), 1)
    client = redis.Redis.from_url(address, socket_timeout=2, socket_connect_timeout=2, retry=again)
    return client.register_script(COUNT)


def _count(request: Request, *limits: Limit) -> None:
    """Count one request, in one trip; where the cache is away everybody passes."""
    now = int(time.time())
    window, passed = divmod(now, WINDOW_SECONDS)
    keys = [f"portal:rate:{limit.policy}:{limit.name}:{window}" for limit in limits]
    try:
        used = _used(keys, [limit.most for limit in limits])
    except Exception as error:
        logger.warning("The cache is away, so nobody is limited: %s", error)
        return
    left = WINDOW_SECONDS - passed
    found = [
        Count(limit.policy, limit.most, number, left)
        for limit, number in zip(limits, used, strict=False)
    ]
    before: list[Count] = getattr(request._request, "rate_counts", [])
    request._request.rate_counts = [*before, *found]  # type: ignore[attr-defined]  # ours alone
    if found[-1].used > found[-1].limit:
        raise _too_many(found[-1])


def _too_many(count: Count) -> Refusal:
    sentence = _("More than %(limit)s requests in a minute; go on in %(reset)s seconds.") % {
        "limit": count.limit,
        "reset": count.reset,
    }
    extra = {"scope": count.policy, "limit": count.limit, "used": count.used}
    return Refusal("rate_limited", sentence, 429, extra, retry_after=count.reset)


class TokenThrottle(BaseThrottle):
    """Counts requests of a token; without one, of an address.

    A view with `counts_late` counts token and organization in one trip, once it knows which.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.auth is None:
            limit = settings.API_REQUESTS_PER_MINUTE
            _count(request, Limit("address", self.get_ident(request), limit))
        elif view.counts_late:
            request._request.rate_is_late = True  # type: ignore[attr-defined]  # ours alone
        else:
            _count(request, _of_token(request))
        return True


def _of_token(request: Request) -> Limit:
    return Limit("token", caller_of(request).token, settings.API_REQUESTS_PER_MINUTE)


def _is_late(request: Request) -> bool:
    late: bool = request._request.__dict__.pop("rate_is_late", False)
    return late


def count_organization(request: Request, organization_id: uuid.UUID) -> None:
    """Count a request of somebody who belongs to the organization; a stranger never counts."""
    most = settings.API_REQUESTS_PER_MINUTE * ORGANIZATION_FACTOR
    limit = Limit("organization", str(organization_id), most)
    limits = [_of_token(request), limit] if _is_late(request) else [limit]
    _count(request, *limits)


def settle(request: Request) -> Refusal | None:
    """Count what was refused before its organization was known; 429 where it is one too many."""
    try:
        if _is_late(request):
            _count(request, _of_token(request))
    except Refusal as refusal:
        return refusal
    return None


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
