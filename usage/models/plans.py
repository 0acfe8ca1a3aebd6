"""Plans and subscriptions (product.md rules 22, 23)."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Case, F, Q, When
from django.db.models.functions import Least
from django.utils.translation import gettext_lazy as _

from offload_portal.common.identifiers import uuid7
from orgs.models import Organization
from usage.enums import SubscriptionState


class PlanQuerySet(models.QuerySet["Plan"]):
    def offered(self) -> Self:
        return self.filter(is_offered=True).order_by("position", "slug")


class Plan(models.Model):
    """What an organization may subscribe to. Times are compute-seconds, money micro-dollars."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(unique=True, max_length=40)
    name = models.CharField(_("name"), max_length=80)
    summary = models.CharField(_("summary"), max_length=160, blank=True)
    licenses = models.PositiveIntegerField(_("licenses"))
    committed_compute_seconds = models.PositiveBigIntegerField()
    price_microusd = models.PositiveBigIntegerField()
    on_demand_rate_microusd = models.PositiveBigIntegerField()
    # What one more committed compute-second of a period costs.
    commitment_rate_microusd = models.PositiveBigIntegerField(default=0)
    trial_days = models.PositiveSmallIntegerField(default=0)
    is_offered = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=0)

    objects = PlanQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def is_trial(self) -> bool:
        return self.trial_days > 0


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def current(self) -> Self:
        """Those that have not ended."""
        return self.filter(ended_at=None).order_by("organization_id", "id")

    def going_on(self, at: datetime) -> Self:
        """Those that hold at the instant, also where they ended since; the newest first."""
        ended = Q(ended_at__lte=at) | Q(cancel_at__lte=at)
        ended |= Q(state=SubscriptionState.TRIALING, trial_ends_at__lte=at)
        return self.filter(started_at__lte=at).exclude(ended).order_by("-started_at", "-id")

    def with_end(self) -> Self:
        """Annotated with `end`, which is what `ends_at` says."""
        return self.annotate(
            end=Case(
                When(ended_at__isnull=False, then=F("ended_at")),
                # Both, or SQLite would find no lesser one.
                When(
                    state=SubscriptionState.TRIALING,
                    trial_ends_at__isnull=False,
                    cancel_at__isnull=False,
                    then=Least("trial_ends_at", "cancel_at"),
                ),
                When(
                    state=SubscriptionState.TRIALING,
                    trial_ends_at__isnull=False,
                    then=F("trial_ends_at"),
                ),
                default=F("cancel_at"),
            )
        )

    def due_to_end(self, at: datetime) -> Self:
        """Those whose trial or notice is over by the instant, though nobody wrote it down yet."""
        over = Q(state=SubscriptionState.TRIALING, trial_ends_at__lte=at) | Q(cancel_at__lte=at)
        return self.current().filter(over)


class Subscription(models.Model):
    """An organization's contract. At most one has not ended."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="subscriptions")
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="+")
    state = models.CharField(max_length=16, choices=SubscriptionState.choices)
    # The day that anchors the billing periods (UTC); a period's bounds come from it alone.
    anchor = models.DateField()
    started_at = models.DateTimeField()
    licenses = models.PositiveIntegerField()
    committed_compute_seconds = models.PositiveBigIntegerField()
    next_committed_compute_seconds = models.PositiveBigIntegerField(null=True, blank=True)
    # Less takes effect at the next period (rule 22), a smaller plan too.
    next_plan = models.ForeignKey(Plan, models.PROTECT, null=True, blank=True, related_name="+")
    price_microusd = models.PositiveBigIntegerField()
    trial_ends_at = models.DateTimeField(null=True, blank=True)
    cancel_at = models.DateTimeField(null=True, blank=True)
    suspended_at = models.DateTimeField(null=True, blank=True)
    # A fact with its instant: sessions that still run end there (rule 11).
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(ended_at=None),
                name="subscription_one_at_a_time",
                violation_error_message=_("The organization has a subscription already."),
            ),
            models.CheckConstraint(
                condition=Q(state=SubscriptionState.CANCELLED, ended_at__isnull=False)
                | (~Q(state=SubscriptionState.CANCELLED) & Q(ended_at=None)),
                name="subscription_cancelled_when_ended",
            ),
            models.CheckConstraint(
                condition=~Q(state=SubscriptionState.SUSPENDED) | Q(suspended_at__isnull=False),
                name="subscription_suspended_since",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} of {self.organization_id}"

    @property
    def is_trial(self) -> bool:
        return self.state == SubscriptionState.TRIALING

    @property
    def ends_at(self) -> datetime | None:
        """The instant at which it ends by what is known now; None while it goes on (rule 23)."""
        if self.ended_at is not None:
            return self.ended_at
        trial_end = self.trial_ends_at if self.is_trial else None
        known = [at for at in (trial_end, self.cancel_at) if at is not None]
        return min(known, default=None)
