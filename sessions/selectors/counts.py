"""How many sessions an organization has, by state."""

from collections import Counter
from datetime import datetime

from django.db.models import Count, Q

from orgs.models import Organization
from sessions.enums import EndReason, SessionState
from sessions.models import Session
from sessions.selectors.views import views_of


def sessions_by_state(
    organization: Organization, since: datetime | None, at: datetime
) -> dict[str, int]:
    """Each state with its number, 0 included; those that ended count from `since` on."""
    sessions = Session.objects.for_organization(organization)
    running = list(sessions.running().as_shown().order_by("created_at", "id"))
    found = Counter(str(view.state) for view in views_of(running, at))
    ended = sessions.filter(ended_at__gte=since) if since is not None else sessions.none()
    failed = Count("pk", filter=Q(end_reason=EndReason.FAILED))
    sums = ended.aggregate(all=Count("pk"), failed=failed)
    found[SessionState.FAILED.value] += sums["failed"]
    found[SessionState.ENDED.value] += sums["all"] - sums["failed"]
    return {state.value: found[state.value] for state in SessionState}
