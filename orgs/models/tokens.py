"""Tokens of people and organizations for scripts (api.md, "Who is calling")."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from offload_portal.common.identifiers import uuid7
from orgs.enums import TokenKind
from orgs.models.organizations import Organization


class Token(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=16, choices=TokenKind.choices)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=16)
    name = models.CharField(max_length=80)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="tokens"
    )
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="tokens"
    )
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=TokenKind.PERSONAL, person__isnull=False)
                | Q(kind=TokenKind.ORGANIZATION, organization__isnull=False),
                name="token_belongs_to_someone",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    def is_good(self, at: datetime) -> bool:
        """Neither revoked nor expired at the instant."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)
