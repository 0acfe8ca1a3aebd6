"""When the policy that holds for a person changed, by the audit log."""

import uuid
from collections.abc import Iterator
from datetime import datetime

from orgs.enums import Event
from orgs.models import AuditEntry, TeamMember

OF_SOME = (Event.POLICY_ADDED, Event.POLICY_REMOVED, Event.POLICY_ENDED)
MOST_CHANGES = 100


def policy_changes(
    organization_id: uuid.UUID, person_id: uuid.UUID, start: datetime, end: datetime
) -> tuple[datetime, ...]:
    """Instants in (start, end] of changes for everyone, for the person, or for a team of theirs.

    One statement, and one more where a policy for some changed.
    """
    entries = (
        AuditEntry.objects.filter(
            organization_id=organization_id,
            event__in=(Event.POLICY_CHANGED, *OF_SOME),
            at__gt=start,
            at__lte=end,
        )
        .order_by("at", "id")
        .only("at", "event", "before", "after")
    )
    return tuple(_concerning(list(entries[:MOST_CHANGES]), organization_id, person_id))


def _concerning(
    entries: list[AuditEntry], organization_id: uuid.UUID, person_id: uuid.UUID
) -> Iterator[datetime]:
    mine = {str(person_id)}
    if any(entry.event in OF_SOME for entry in entries):
        teams = TeamMember.objects.filter(organization_id=organization_id, person_id=person_id)
        mine |= {str(team) for team in teams.values_list("team_id", flat=True)}
    for entry in entries:
        if entry.event == Event.POLICY_CHANGED or _targets(entry) & mine:
            yield entry.at


def _targets(entry: AuditEntry) -> set[str]:
    """People and teams that a policy for some names, before and after."""
    named = [
        side.get(key) or () for side in (entry.before, entry.after) for key in ("people", "teams")
    ]
    return {each for part in named for each in part}
