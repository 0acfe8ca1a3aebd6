"""Sessions as JSON. Page, API and CSV ask the same selectors."""

from typing import Any

from offload_portal.api.serializers import zulu
from sessions.api.shapes import BuildSeenShape, EventShape, RunShape, SegmentShape
from sessions.selectors import Insights, SessionView
from sessions.selectors.notices import Notice
from usage.enums import EntrySource
from usage.selectors import SourceUse

NO_USE = SourceUse(0, 0, 0)
INSTANTS = (
    "created_at",
    "ready_at",
    "first_active_at",
    "last_activity_at",
    "idle_since",
    "ended_at",
)
AS_THEY_ARE = (
    "organization",
    "state",
    "end_reason",
    "failure",
    "engine_size",
    "gpu",
    "multiplier",
    "idle_timeout_seconds",
    "seconds_until_idle",
    "seconds_until_end",
    "elapsed_seconds",
    "active_seconds",
    "idle_seconds",
    "billed_seconds",
    "compute_seconds",
    "cost_microusd",
    "container_count",
    "policy_version",
)


def use_json(use: SourceUse) -> dict[str, int]:
    return {
        "seconds": use.seconds,
        "compute_seconds": use.compute_seconds,
        "cost_microusd": use.cost_microusd,
    }


def session_json(view: SessionView) -> dict[str, Any]:
    """By hand, not through `SessionShape`: this runs for each report (targets P1)."""
    value: dict[str, Any] = {name: getattr(view, name) for name in AS_THEY_ARE}
    for name in INSTANTS:
        at = getattr(view, name)
        value[name] = None if at is None else zulu(at)
    value["id"] = str(view.id)
    value["user"] = {"id": str(view.user_id), "name": view.user_name, "email": view.user_email}
    value["labels"] = dict(view.labels)
    value["client"] = dict(view.client)
    value["images"] = list(view.images)
    value["notices"] = [_notice(notice) for notice in view.notices]
    value["as_of"] = zulu(view.as_of)
    value["prompt"] = _prompt(view)
    value["keep_alive"] = _kept(view)
    value["cost_by_source"] = {
        source: use_json(view.by_source.get(source, NO_USE)) for source in EntrySource.values
    }
    return value


def _prompt(view: SessionView) -> dict[str, str] | None:
    prompt = view.prompt
    if prompt is None:
        return None
    return {
        "kind": prompt.kind,
        "due_at": zulu(prompt.due_at),
        "answer_by": zulu(prompt.answer_by),
    }


def _notice(notice: Notice) -> dict[str, Any]:
    return {
        "kind": str(notice.kind),
        "sentence": notice.sentence,
        "at": zulu(notice.at),
        "urgent": notice.urgent,
        "ends_session": notice.ends_session,
    }


def _kept(view: SessionView) -> dict[str, str] | None:
    kept = view.keep_alive
    return None if kept is None else {"label": kept.label, "until": zulu(kept.until)}


def insights_json(found: Insights) -> dict[str, Any]:
    session = session_json(found.session)
    return {
        "session": session,
        "timeline": SegmentShape(found.timeline, many=True).data,
        "containers": RunShape(found.runs, many=True).data,
        "builds": BuildSeenShape(found.builds, many=True).data,
        "images": session["images"],
        "samples": [
            {
                "at": zulu(sample.at),
                "cpu_percent": sample.cpu_milli_percent / 1000,
                "memory_bytes": sample.memory_bytes,
                "network_rx_bytes": sample.network_rx_bytes,
                "network_tx_bytes": sample.network_tx_bytes,
            }
            for sample in found.samples
        ],
        "sample_seconds": found.sample_seconds,
        "events": EventShape(found.events, many=True).data,
        "cost_by_source": session["cost_by_source"],
        "unpaid_seconds": found.unpaid_seconds,
        "kept_alive_by": list(found.kept_alive_by),
        "end_reason": found.session.end_reason,
        "as_of": zulu(found.as_of),
    }
