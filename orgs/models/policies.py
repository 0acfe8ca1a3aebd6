"""Policies for named teams and people, which override the organization's (product.md rule 6)."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from offload_portal.common.identifiers import uuid7
from orgs.models.organizations import Organization, Team


class PolicyOverrideQuerySet(models.QuerySet["PolicyOverride"]):
    def live(self, at: datetime) -> Self:
        """Those that hold at the instant; at its `until` one no longer does."""
        return self.filter(Q(until=None) | Q(until__gt=at)).order_by("created_at", "id")

    def ended(self, at: datetime) -> Self:
        """Those whose end is over and was not written down yet."""
        return self.filter(until__lte=at, ended_at=None).order_by("until", "id")


class PolicyOverride(models.Model):
    """What it sets, it sets for the teams and people among its targets; the rest stays as it is.

    `terms` maps a policy's fields to values, whole groups of fields at a time
    (`orgs.selectors.policies.GROUPS`). One with `until` has ended at that instant; `ended_at` is
    when a sweep wrote it down.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="policy_overrides")
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("description"), max_length=300, blank=True)
    terms = models.JSONField()
    until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    objects = PolicyOverrideQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "created_at"], name="policy_override_order"),
            models.Index(
                fields=["until"], condition=Q(ended_at=None), name="policy_override_ending"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(until__isnull=False),
                name="policy_override_ends_by_its_until",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PolicyTarget(models.Model):
    """A team or a person that a policy applies to."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    policy = models.ForeignKey(PolicyOverride, models.CASCADE, related_name="targets")
    team = models.ForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="+")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+"
    )

    class Meta:
        indexes = [models.Index(fields=["organization", "person"], name="policy_target_person")]
        constraints = [
            models.CheckConstraint(
                condition=Q(team=None, person__isnull=False) | Q(team__isnull=False, person=None),
                name="policy_target_is_a_team_or_a_person",
            ),
            models.UniqueConstraint(
                fields=["policy", "team"],
                condition=Q(person=None),
                name="policy_target_team_once",
            ),
            models.UniqueConstraint(
                fields=["policy", "person"],
                condition=Q(team=None),
                name="policy_target_person_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.policy_id} for {self.team_id or self.person_id}"


class PolicyMark(models.Model):
    """The number of the last change of what holds for one person, other than everyone's."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    version = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "person"], name="policy_mark_once"),
        ]

    def __str__(self) -> str:
        return f"{self.version} for {self.person_id}"
