"""What an organization may still use (product.md rules 16 to 19)."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from offload_portal.common.identifiers import uuid7
from orgs.models import Organization
from usage.enums import OnDemand, PoolKind, PoolOrigin


class Allowance(models.Model):
    """One row for each organization: its watermark, limits and what the meter last found.

    `metered_until` is the second up to which all its sessions are metered (rule 17);
    `left_compute_seconds` is what could be paid then, None without a limit. If everything goes on
    as it did then, nothing is left from `spent_at` on and every session ends at
    `sessions_end_at`; None is not in sight, and they differ where sessions may finish (rule 19).
    """

    organization = models.OneToOneField(
        Organization, models.CASCADE, primary_key=True, related_name="allowance"
    )
    metered_until = models.DateTimeField()
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    on_demand_mode = models.CharField(max_length=16, choices=OnDemand.choices, default=OnDemand.OFF)
    on_demand_limit_microusd = models.PositiveBigIntegerField(null=True, blank=True)
    let_finish = models.BooleanField(default=False)
    on_demand_used_microusd = models.PositiveBigIntegerField(default=0)
    left_compute_seconds = models.PositiveBigIntegerField(null=True, blank=True, default=0)
    reserved_compute_seconds = models.PositiveBigIntegerField(default=0)
    # On-demand has paid since then, without a break; empty while something paid ahead does.
    on_demand_since = models.DateTimeField(null=True, blank=True)
    spent_at = models.DateTimeField(null=True, blank=True)
    sessions_end_at = models.DateTimeField(null=True, blank=True)
    # A lower limit that is to come into force is why.
    ends_by_limit = models.BooleanField(default=False)
    # It has, or had, caps: without any the meter need not ask for them.
    has_caps = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(on_demand_mode=OnDemand.LIMITED, on_demand_limit_microusd__isnull=False)
                | (~Q(on_demand_mode=OnDemand.LIMITED) & Q(on_demand_limit_microusd=None)),
                name="allowance_amount_only_with_limited",
                violation_error_message=_("An amount goes with a monthly limit, and only with it."),
            ),
        ]

    def __str__(self) -> str:
        return f"allowance of {self.organization_id}"


class LimitVersionQuerySet(models.QuerySet["LimitVersion"]):
    def standing(self) -> Self:
        """Without those that were replaced before they came into force.

        A version replaces earlier recorded ones that would come into force with it or after it.
        """
        later = Q(recorded_at__gt=OuterRef("recorded_at")) | Q(
            recorded_at=OuterRef("recorded_at"), id__gt=OuterRef("id")
        )
        replaced = LimitVersion.objects.filter(
            later,
            organization_id=OuterRef("organization_id"),
            effective_at__lte=OuterRef("effective_at"),
        )
        return self.filter(~Exists(replaced))


class LimitVersion(models.Model):
    """A change of the on-demand limit, kept for good: who, when, from when on, what, why."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="limit_versions")
    recorded_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    mode = models.CharField(max_length=16, choices=OnDemand.choices)
    limit_microusd = models.PositiveBigIntegerField(null=True, blank=True)
    let_finish = models.BooleanField(default=False)
    reason = models.CharField(max_length=200, blank=True)

    objects = LimitVersionQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["organization", "effective_at"], name="limit_in_force")]

    def __str__(self) -> str:
        return f"{self.mode} from {self.effective_at}"


class PoolQuerySet(models.QuerySet["Pool"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def open_at(self, at: datetime) -> Self:
        """Pools that can be drawn from at the instant, in the order of draw-down (rule 18)."""
        return self.filter(starts_at__lte=at, expires_at__gt=at).order_by(
            "kind", "expires_at", "bought_at", "id"
        )


class Pool(models.Model):
    """Compute time that was paid for or given: a period's commitment, a top-up, time given back."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="pools")
    kind = models.CharField(max_length=16, choices=PoolKind.choices)
    origin = models.CharField(max_length=16, choices=PoolOrigin.choices)
    compute_seconds = models.PositiveBigIntegerField()
    used_compute_seconds = models.PositiveBigIntegerField(default=0)
    starts_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    bought_at = models.DateTimeField()
    bought_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    price_microusd = models.PositiveBigIntegerField(default=0)
    # What made it, so that making it twice changes nothing (e.g. "period:2026-11-24").
    cause = models.CharField(max_length=80)

    objects = PoolQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "cause"], name="pool_made_once"),
            models.CheckConstraint(
                condition=Q(used_compute_seconds__lte=F("compute_seconds")),
                name="pool_never_overdrawn",
                violation_error_message=_("A pool can't be drawn below zero."),
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("starts_at")), name="pool_ends_after_its_start"
            ),
        ]
        indexes = [models.Index(fields=["organization", "expires_at"], name="pool_open")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.organization_id} until {self.expires_at}"

    @property
    def left_compute_seconds(self) -> int:
        return self.compute_seconds - self.used_compute_seconds


class Rate(models.Model):
    """The on-demand rate from a midnight (UTC) on; history keeps what it was priced with."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="rates")
    valid_from = models.DateField()
    microusd_per_compute_second = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "valid_from"], name="rate_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.microusd_per_compute_second} from {self.valid_from}"
