"""Time zones that people may choose."""

import functools
from zoneinfo import ZoneInfo, available_timezones


@functools.cache
def zone_names() -> tuple[str, ...]:
    """Every zone by name, without the machine's own ("localtime") and posix copies."""
    hidden = ("posix", "right", "localtime", "Factory", "build/")
    return tuple(sorted(name for name in available_timezones() if not name.startswith(hidden)))


def is_zone(name: str) -> bool:
    return name in zone_names()


def zone_or_utc(name: str) -> ZoneInfo:
    """The zone of the name; UTC where it is empty or the machine no longer knows it."""
    return ZoneInfo(name if is_zone(name) else "UTC")
