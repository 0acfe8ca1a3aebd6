"""What the nightly comparison of ledger, rollups and sessions found (targets R2)."""

from django.db import models
from django.db.models import Q

from orgs.models import Organization


class Reconciliation(models.Model):
    """One row for each organization: how far its numbers were compared and found to be one.

    `reconciled_until` is the end of the last closed hour up to which everything agreed; it moves
    forward only. While `differences` is not 0 its numbers are under review, since `differs_since`.
    """

    organization = models.OneToOneField(
        Organization, models.CASCADE, primary_key=True, related_name="reconciliation"
    )
    checked_at = models.DateTimeField()
    reconciled_until = models.DateTimeField(null=True, blank=True)
    differences = models.PositiveIntegerField(default=0)
    differs_since = models.DateTimeField(null=True, blank=True)
    # Sentences for operators, the first few.
    findings = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(differences=0, differs_since=None)
                | Q(differences__gt=0, differs_since__isnull=False),
                name="reconciliation_differs_since",
            )
        ]

    def __str__(self) -> str:
        return f"{self.organization_id}: {self.differences} differences"
