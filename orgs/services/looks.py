"""Who looked at what named people did (`orgs.privacy`): kept in the audit log.

Pages refresh themselves and clients poll, so the same look of one person counts once an hour and
process; a download counts each time.
"""

import threading
import uuid
from datetime import datetime

from offload_portal.common.actors import Actor
from offload_portal.common.periods import HOUR, to_seconds
from orgs.enums import Event, PrivacyMode
from orgs.models import Organization
from orgs.services import audit

MOST_LOOKS = 100_000


class _Noted:
    """The looks of one hour, in memory: asking a cache would cost each page more than the page.

    What a process forgets is written down once more, which is better than not at all.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.hour = 0
        self.looks: set[tuple[object, ...]] = set()

    def is_first(self, hour: int, look: tuple[object, ...]) -> bool:
        with self.lock:
            if hour != self.hour or len(self.looks) >= MOST_LOOKS:
                self.hour, self.looks = hour, set()
            if look in self.looks:
                return False
            self.looks.add(look)
            return True


_noted = _Noted()


def note_look(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    what: str,
    person_id: uuid.UUID | None = None,
    session_id: uuid.UUID | None = None,
) -> None:
    """Note that the actor looks at `what` of everyone, of one person or at one session of theirs.

    Call it only where somebody sees what others did. Nothing is kept unless insights are named.
    """
    if organization.privacy != PrivacyMode.NAMED:
        return
    hour = to_seconds(at) // HOUR
    if _noted.is_first(hour, (organization.pk, actor.id, what, person_id, session_id)):
        _keep(Event.INSIGHTS_VIEWED, actor, at, organization, what, person_id, session_id)


def note_download(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    what: str,
    person_id: uuid.UUID | None = None,
) -> None:
    """Note that the actor takes a file with what named people did."""
    if organization.privacy == PrivacyMode.NAMED:
        _keep(Event.INSIGHTS_EXPORTED, actor, at, organization, what, person_id, None)


def _keep(
    event: Event,
    actor: Actor,
    at: datetime,
    organization: Organization,
    what: str,
    person_id: uuid.UUID | None,
    session_id: uuid.UUID | None,
) -> None:
    subject = ("session", session_id) if session_id else ("organization", organization.pk)
    told = {"what": what, **({"person": str(person_id)} if person_id else {})}
    audit.record(
        event=event,
        actor=actor,
        at=at,
        organization_id=organization.pk,
        subject=subject,
        after=told,
    )
