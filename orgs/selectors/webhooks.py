"""An organization's webhooks."""

import uuid

from offload_portal.common.refusals import not_found
from orgs.models import Organization, WebhookEndpoint


def endpoints_of(organization: Organization) -> list[WebhookEndpoint]:
    """Oldest first; there are at most ten."""
    rows = WebhookEndpoint.objects.filter(organization=organization)
    return list(rows.order_by("created_at", "id"))


def find_endpoint(organization: Organization, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    row = WebhookEndpoint.objects.filter(organization=organization, pk=endpoint_id).first()
    if row is None:
        raise not_found()
    return row
