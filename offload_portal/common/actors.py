"""Who orders a change, and from where (product.md rule 7)."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """A person by identifier, or the portal itself where `id` is None.

    `origin` is the network address or the door ("cli", "sweep") that the order came from.
    """

    id: uuid.UUID | None
    origin: str = ""


PORTAL = Actor(None, "portal")
