"""Signs of life of what works in the background. They live in the cache: old ones mean nothing."""

import logging
from datetime import datetime

from django.core.cache import cache
from django.utils import timezone

logger = logging.getLogger(__name__)


def beat(name: str) -> None:
    """Say that `name` has just done its work. A cache that is away never undoes that work."""
    try:
        cache.set(_key(name), timezone.now(), timeout=None)
    except Exception as error:  # each cache has its own errors
        logger.warning("The heartbeat of %s could not be kept: %s", name, error)


def last_beat(name: str) -> datetime | None:
    """When `name` last said so; None where it never has, or the cache was emptied."""
    found = cache.get(_key(name))
    return found if isinstance(found, datetime) else None


def _key(name: str) -> str:
    return f"heartbeat:{name}"
