"""An event becomes one delivery for each receiver that wants it, in the event's transaction."""

import json
import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from orgs import chat
from orgs.enums import PrivacyMode, WebhookEvent, WebhookStyle
from orgs.models import WebhookDelivery, WebhookEndpoint
from orgs.services.mails import portal_link

logger = logging.getLogger(__name__)


def publish(
    *, organization_id: uuid.UUID | None, event: str, at: datetime, data: Mapping[str, Any]
) -> None:
    """Write what is to be sent. One statement where nobody listens."""
    if organization_id is None:
        return
    rows = WebhookEndpoint.objects.filter(organization_id=organization_id, is_enabled=True)
    wanted = [
        row for row in rows.select_related("organization").order_by("id") if event in row.events
    ]
    if wanted:
        shown = _veiled(data) if _tells_of_people(event, wanted[0].organization.privacy) else data
        whole = {"organization_id": str(organization_id), **shown}
        WebhookDelivery.objects.bulk_create(
            WebhookDelivery(
                endpoint=row,
                event=event,
                body=body_for(row, event, at, whole),
                created_at=at,
                next_attempt_at=at,
            )
            for row in wanted
        )
        transaction.on_commit(hint, robust=True)


def _tells_of_people(event: str, privacy: str) -> bool:
    """Whether receivers would learn who did what, where insights don't show it."""
    return event.startswith("session.") and privacy != PrivacyMode.NAMED


def _veiled(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if name in ("actor_id", "person") else value for name, value in data.items()}


def body_for(row: WebhookEndpoint, event: str, at: datetime, data: Mapping[str, Any]) -> str:
    """What this receiver takes: the event, or a line of its chat."""
    if row.style == WebhookStyle.STANDARD:
        return body_of(event, at, data)
    titles = dict(WebhookEvent.choices)
    place = row.organization
    values = {
        "event": event,
        "title": titles.get(event, event),
        "organization": place.name,
        "time": at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "details": chat.details_of(data),
        "link": portal_link("pages:overview", place.slug),
        "data": data,
    }
    return chat.body_for(row.style, chat.text_of(row.template, values))


def body_of(event: str, at: datetime, data: Mapping[str, Any]) -> str:
    """Standard Webhooks' shape: `type`, `timestamp`, `data`."""
    instant = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    whole = {"type": event, "timestamp": instant, "data": dict(data)}
    return json.dumps(whole, default=str, separators=(",", ":"))


def hint() -> None:
    """Ask a worker to send what is due. A lost message is found by the sweep."""
    try:
        current_app.send_task("orgs.tasks.deliver_webhooks", retry=False)
    except OperationalError:
        logger.warning("The broker is away; webhooks go out with the next sweep")
