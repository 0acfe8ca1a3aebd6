"""Sessions whose engines are to be watched."""

from sessions.enums import EngineState
from sessions.models import Session


def watched_sessions() -> list[Session]:
    """Those that run on an engine that answers, in the order of their start."""
    return list(
        Session.objects.running()
        .filter(engine__state=EngineState.READY, ready_at__isnull=False)
        .exclude(engine__address="")
        .select_related("engine", "pulse")
        .order_by("created_at", "id")
    )
