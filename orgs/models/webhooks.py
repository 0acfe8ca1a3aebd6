"""Receivers of an organization's events, and what was sent to them."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from offload_portal.common.identifiers import uuid7
from orgs.enums import DeliveryState, WebhookStyle
from orgs.models.organizations import Organization


class WebhookEndpoint(models.Model):
    """One receiver. Secrets are sealed: they sign, so they must be read again.

    `old_secret` signs beside the present one until `old_secret_until`, so that a receiver can
    change over. `failing_since` is the first failure after the last success.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=500)
    events = models.JSONField(default=list)
    style = models.CharField(
        max_length=8, choices=WebhookStyle.choices, default=WebhookStyle.STANDARD
    )
    # Of a chat's line; empty is the usual one.
    template = models.CharField(max_length=300, blank=True)
    secret = models.TextField()
    old_secret = models.TextField(blank=True)
    old_secret_until = models.DateTimeField(null=True, blank=True)
    is_enabled = models.BooleanField(default=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["organization"], condition=Q(is_enabled=True), name="webhook_that_listens"
            )
        ]

    def __str__(self) -> str:
        return f"webhook {self.id}"


class DeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def due(self, at: datetime) -> Self:
        """Those whose turn it is at the instant, the longest due first."""
        rows = self.filter(state=DeliveryState.WAITING, next_attempt_at__lte=at)
        return rows.order_by("next_attempt_at", "id")


class WebhookDelivery(models.Model):
    """One event for one receiver: written with the event, sent by whoever claims it.

    `body` is what is signed and sent, byte for byte at every attempt.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=40)
    body = models.TextField()
    state = models.CharField(
        max_length=9, choices=DeliveryState.choices, default=DeliveryState.WAITING
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.CharField(max_length=500, blank=True)
    error = models.CharField(max_length=200, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(state=DeliveryState.WAITING),
                name="webhook_delivery_waiting",
            ),
            models.Index(fields=["endpoint", "-id"], name="webhook_delivery_newest"),
            models.Index(fields=["created_at"], name="webhook_delivery_age"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state=DeliveryState.SENDING) | Q(claimed_at__isnull=False),
                name="webhook_sending_is_claimed",
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}: {self.state}"
