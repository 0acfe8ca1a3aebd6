"""What a provider of engines does for a session."""

from typing import Protocol

from sessions.engines.external import External
from sessions.engines.readiness import Readiness
from sessions.models import Session


class Engine(Protocol):
    """Start, observe and stop the engine of one session. Each may be called twice."""

    def starts_at_once(self) -> bool:
        """Whether the engine answers as soon as the session exists."""

    def start(self, session: Session) -> None:
        """Begin to bring the engine up; `observe` tells when it answers."""

    def observe(self, session: Session) -> Readiness:
        """Whether the engine answers now."""

    def stop(self, session: Session) -> None:
        """Take the engine away, with every container, image and volume in it (rule 12)."""


PROVIDERS: dict[str, Engine] = {"external": External()}


def provider(name: str) -> Engine:
    """The provider of that name; an unknown name is a programming error."""
    return PROVIDERS[name]
