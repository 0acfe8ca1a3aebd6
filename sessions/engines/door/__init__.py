"""The engines' TLS end: one public address and port, mutual TLS, calls and streams counted."""

from sessions.engines.door.calls import Kind
from sessions.engines.door.counters import Counters, Seen
from sessions.engines.door.server import Door, serve

__all__ = ["Counters", "Door", "Kind", "Seen", "serve"]
