"""An organization's webhooks."""

import uuid

from offload_portal.common.refusals import not_found
from orgs.models import Organization, WebhookDelivery, WebhookEndpoint

MOST_SHOWN = 50


def endpoints_of(organization: Organization) -> list[WebhookEndpoint]:
    """Oldest first; there are at most ten."""
    rows = WebhookEndpoint.objects.filter(organization=organization)
    return list(rows.order_by("created_at", "id"))


def deliveries_of(endpoint: WebhookEndpoint) -> list[WebhookDelivery]:
    """The newest fifty."""
    rows = WebhookDelivery.objects.filter(endpoint=endpoint).order_by("-id")
    return list(rows[:MOST_SHOWN])


def find_endpoint(organization: Organization, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    row = WebhookEndpoint.objects.filter(organization=organization, pk=endpoint_id).first()
    if row is None:
        raise not_found()
    return row
