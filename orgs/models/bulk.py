"""What was done to many members in one step, so that it can be undone where nothing was lost."""

from django.db import models
from django.db.models import Q

from offload_portal.common.identifiers import uuid7
from orgs.enums import BulkKind
from orgs.models.organizations import Organization


class BulkChange(models.Model):
    """One step. `facts` hold what undoing needs: identifiers of persons, teams, earlier roles."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    actor_id = models.UUIDField()
    at = models.DateTimeField()
    kind = models.CharField(max_length=16, choices=BulkKind.choices)
    facts = models.JSONField(default=dict)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(undone_at=None) | Q(undone_at__gte=models.F("at")),
                name="bulk_change_undone_after_it_was_made",
            )
        ]
        indexes = [models.Index(fields=["at"], name="bulk_change_age")]

    def __str__(self) -> str:
        return f"{self.kind} in {self.organization_id} at {self.at}"
