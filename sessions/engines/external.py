"""The client brings its own engine and reports its activity; the portal meters it."""

from sessions.engines.readiness import Readiness
from sessions.models import Session


class External:
    """There is nothing to start or to stop: the engine is the client's."""

    def starts_at_once(self) -> bool:
        return True

    def start(self, session: Session) -> None:
        """Nothing: the client has it already."""

    def observe(self, session: Session) -> Readiness:
        return Readiness(answers=True)

    def stop(self, session: Session) -> None:
        """Nothing: the client keeps it."""
