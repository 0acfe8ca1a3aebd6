"""Identifiers that sort by the time of their making."""

import uuid

import uuid_utils.compat


def uuid7() -> uuid.UUID:
    """A UUIDv7."""
    return uuid_utils.compat.uuid7()
