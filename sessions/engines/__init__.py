"""The engines behind sessions: one interface and its providers."""

from sessions.engines.base import Engine, provider
from sessions.engines.readiness import Readiness

__all__ = ["Engine", "Readiness", "provider"]
