"""Reports that are asked for: a view of activity that comes by e-mail each week or month."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models

from offload_portal.common.identifiers import uuid7
from orgs.models import Organization
from sessions.enums import ReportAudience, ReportFrequency


class ReportQuerySet(models.QuerySet["ScheduledReport"]):
    def for_organization(self, organization: Organization) -> Self:
        """The newest first."""
        return self.filter(organization=organization).order_by("-created_at", "-id")

    def due(self, at: datetime) -> Self:
        return self.filter(next_at__lte=at).order_by("next_at", "id")


class ScheduledReport(models.Model):
    """Somebody's wish to get a view of activity regularly.

    `query` holds the filters as the page's address has them, without period and user; whose
    sessions they are, if one person's, is `about`. `next_at` is when the report of the last whole
    week or month in `zone` goes out; it never goes out twice for one.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="reports")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    about = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+"
    )
    frequency = models.CharField(max_length=8, choices=ReportFrequency.choices)
    audience = models.CharField(max_length=8, choices=ReportAudience.choices)
    query = models.CharField(max_length=1_000, blank=True)
    zone = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    next_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["next_at", "id"], name="report_due")]

    def __str__(self) -> str:
        return f"{self.frequency} report of {self.organization_id}"
