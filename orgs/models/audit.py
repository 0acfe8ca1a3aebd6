"""The audit log: who did what, on what, when, from where, before and after (rule 7)."""

from django.db import models

from offload_portal.common.identifiers import uuid7
from orgs.enums import Event


class AuditEntry(models.Model):
    """Holds identifiers, never names, and no foreign keys: it outlives what it speaks of."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField(null=True, blank=True)
    at = models.DateTimeField()
    actor_id = models.UUIDField(null=True, blank=True)
    event = models.CharField(max_length=40, choices=Event.choices)
    subject_kind = models.CharField(max_length=24)
    subject_id = models.UUIDField(null=True, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    origin = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization_id", "-at", "-id"], name="audit_newest"),
            models.Index(fields=["organization_id", "event", "-at"], name="audit_by_event"),
        ]

    def __str__(self) -> str:
        return f"{self.event} at {self.at}"
