"""What is still kept of a session (rule 27)."""

from datetime import datetime

from django.conf import settings

from offload_portal.common.periods import boundary
from sessions.models import Session


def runs_gone_from(at: datetime) -> datetime:
    """Stretches and container runs of sessions that ended before it are deleted: a midnight."""
    return boundary(at.date(), -settings.RUNS_KEPT_MONTHS)


def is_forgotten(session: Session, at: datetime) -> bool:
    """Only its sums are left, whether a task has deleted the rest yet or not."""
    return session.ended_at is not None and session.ended_at < runs_gone_from(at)
