"""What owners want to be warned of, and what they were warned of (product.md rule 20)."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from offload_portal.common.identifiers import uuid7
from orgs.models import Organization


class AlertSetting(models.Model):
    """An organization's own choice; without a row the portal's thresholds and all owners hold."""

    organization = models.OneToOneField(
        Organization, models.CASCADE, primary_key=True, related_name="alert_setting"
    )
    # Whole percent, ascending.
    thresholds = models.JSONField(default=list)
    # Identifiers of owners and editors; empty is all owners.
    recipients = models.JSONField(default=list, blank=True)

    def __str__(self) -> str:
        return f"alerts of {self.organization_id}"


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> Self:
        """Those that still hold, the gravest first."""
        return self.filter(over_at=None).order_by("-threshold", "bound", "id")


class Alert(models.Model):
    """One threshold of one limit in one period, said once.

    `bound` and `kind` are words of `usage.alerts`; `limit` and `used` are micro-dollars or
    compute-seconds, as `in_money` says. A forecast and the move to on-demand have threshold 0.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    period_start = models.DateTimeField()
    bound = models.CharField(max_length=48)
    # Whose cap it is: a team by its name, a person by who they are, so that it goes with them.
    name = models.CharField(max_length=120, blank=True)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    threshold = models.PositiveSmallIntegerField(default=0)
    limit = models.PositiveBigIntegerField(default=0)
    used = models.PositiveBigIntegerField(default=0)
    in_money = models.BooleanField(default=False)
    # When a forecast says that time runs out.
    expected_at = models.DateTimeField(null=True, blank=True)
    at = models.DateTimeField()
    over_at = models.DateTimeField(null=True, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "period_start", "bound", "threshold", "limit"],
                name="alert_said_once",
                violation_error_message=_("This was said already in this period."),
            ),
            models.CheckConstraint(condition=Q(threshold__lte=100), name="alert_is_a_share"),
        ]
        indexes = [
            models.Index(
                fields=["organization"], condition=Q(over_at=None), name="alert_that_holds"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.bound} {self.threshold} % since {self.at}"
