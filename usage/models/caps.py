"""Caps for a team or a person inside the organization's allowance (product.md rule 19)."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q

from offload_portal.common.identifiers import uuid7
from orgs.models import Organization
from usage.enums import CapScope


class CapQuerySet(models.QuerySet["Cap"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def binding(self) -> Self:
        """Those that have a limit now."""
        return self.filter(limit_compute_seconds__isnull=False)


class Cap(models.Model):
    """What a team or a person may use of a period, from every source, in compute-seconds.

    `used_compute_seconds` is of the present period, as of the organization's watermark, and counts
    its sessions from the period's start, whenever the cap was made. Without a limit it only counts:
    a cap that was lifted and is set again knows what was used meanwhile. If everything goes on as
    it did when it was metered its sessions end at `ends_at`; None is not in sight.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="caps")
    scope = models.CharField(max_length=16, choices=CapScope.choices)
    # The team's identifier, or the person's.
    subject_id = models.UUIDField()
    limit_compute_seconds = models.PositiveBigIntegerField(null=True, blank=True)
    used_compute_seconds = models.PositiveBigIntegerField(default=0)
    ends_at = models.DateTimeField(null=True, blank=True)
    # A lower limit that is to come into force is why.
    ends_by_limit = models.BooleanField(default=False)

    objects = CapQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "scope", "subject_id"], name="cap_once_for_each"
            )
        ]

    def __str__(self) -> str:
        return f"cap of {self.scope} {self.subject_id}"

    @property
    def left_compute_seconds(self) -> int | None:
        """None without a limit."""
        if self.limit_compute_seconds is None:
            return None
        return max(0, self.limit_compute_seconds - self.used_compute_seconds)


class CapVersionQuerySet(models.QuerySet["CapVersion"]):
    def standing(self) -> Self:
        """Without those that were replaced before they came into force."""
        later = Q(recorded_at__gt=OuterRef("recorded_at")) | Q(
            recorded_at=OuterRef("recorded_at"), id__gt=OuterRef("id")
        )
        replaced = CapVersion.objects.filter(
            later, cap_id=OuterRef("cap_id"), effective_at__lte=OuterRef("effective_at")
        )
        return self.filter(~Exists(replaced))

    def coming(self, since: datetime, until: datetime, recorded_by: datetime) -> Self:
        """Those that come into force in [since, until), as far as they are recorded by then."""
        return self.filter(
            effective_at__gte=since, effective_at__lt=until, recorded_at__lte=recorded_by
        ).order_by("recorded_at", "id")


class CapVersion(models.Model):
    """A change of a cap, kept for good: who, when, from when on, what, why. None lifts it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="cap_versions")
    cap = models.ForeignKey(Cap, models.CASCADE, related_name="versions")
    recorded_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    limit_compute_seconds = models.PositiveBigIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)

    objects = CapVersionQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["organization", "effective_at"], name="cap_in_force")]

    def __str__(self) -> str:
        return f"{self.limit_compute_seconds} from {self.effective_at}"
