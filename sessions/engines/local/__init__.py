"""A rootless dockerd for each session, on this machine, behind a wall of its own."""

from sessions.engines.local.provider import Local

__all__ = ["Local"]
