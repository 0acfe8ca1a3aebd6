"""Licenses, grants and policies (product.md rules 4 to 6)."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from offload_portal.common.identifiers import uuid7
from orgs.enums import GrantKind, LicenseState, OffloadSwitch
from orgs.models.organizations import Organization, Team


class LicenseGrant(models.Model):
    """Why a member has a license: a grant to all members, to a team, or to the person.

    It holds before `until`, at which it has ended; empty: it has no end.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="license_grants")
    kind = models.CharField(max_length=8, choices=GrantKind.choices)
    team = models.ForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="+")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+"
    )
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    granted_at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=GrantKind.ALL, team=None, person=None)
                | Q(kind=GrantKind.TEAM, team__isnull=False, person=None)
                | Q(kind=GrantKind.PERSON, team=None, person__isnull=False),
                name="license_grant_names_its_target",
            ),
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(kind=GrantKind.ALL),
                name="license_grant_all_once",
            ),
            models.UniqueConstraint(
                fields=["organization", "team"],
                condition=Q(kind=GrantKind.TEAM),
                name="license_grant_team_once",
            ),
            models.UniqueConstraint(
                fields=["organization", "person"],
                condition=Q(kind=GrantKind.PERSON),
                name="license_grant_person_once",
                violation_error_message=_("This member is selected already."),
            ),
            models.CheckConstraint(
                condition=Q(until=None) | Q(until__gt=models.F("granted_at")),
                name="license_grant_ends_after_its_start",
                violation_error_message=_("A grant ends after it begins."),
            ),
        ]
        indexes = [
            models.Index(
                fields=["until"], condition=Q(until__isnull=False), name="license_grant_ends"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} in {self.organization_id}"


class LicenseQuerySet(models.QuerySet["License"]):
    def held(self) -> Self:
        return self.filter(state=LicenseState.HELD)

    def queued(self) -> Self:
        """Those who wait, in order of grant (rule 4)."""
        return self.filter(state=LicenseState.QUEUED).order_by("granted_at", "id")


class License(models.Model):
    """One member's right to use Offload, held or waited for. A row exists while a grant does."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="member_licenses")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="member_licenses"
    )
    state = models.CharField(max_length=8, choices=LicenseState.choices)
    granted_at = models.DateTimeField()
    held_since = models.DateTimeField(null=True, blank=True)
    # When the last of the grants that give it ends; empty where one of them has no end.
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = LicenseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "person"], name="license_once_per_member"
            ),
            models.CheckConstraint(
                condition=Q(state=LicenseState.HELD, held_since__isnull=False)
                | Q(state=LicenseState.QUEUED, held_since=None),
                name="license_held_since_its_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} in {self.organization_id}: {self.state}"

    def holds(self, at: datetime) -> bool:
        """Whether a grant still gives it at the instant, written down or not (rule 5)."""
        return self.ends_at is None or at < self.ends_at


class AccessLoss(models.Model):
    """Somebody lost access at an instant. Sessions take it as an input (rule 5)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="access_losses")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    at = models.DateTimeField()
    cause = models.CharField(max_length=32)

    class Meta:
        indexes = [models.Index(fields=["organization", "person", "at"], name="access_loss_order")]

    def __str__(self) -> str:
        return f"{self.person_id} in {self.organization_id} at {self.at}"


def default_sizes() -> list[str]:
    return ["standard", "large"]


def default_keep_alive() -> int:
    """As long as the portal allows a job to declare itself alive (seconds)."""
    return int(settings.KEEP_ALIVE_MOST_SECONDS)


class Policy(models.Model):
    """What owners set for clients (rule 6): one for everyone in the organization."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.OneToOneField(Organization, models.CASCADE, related_name="policy")
    version = models.PositiveIntegerField(default=1)
    # Versions of everyone's policy and of single people's come from one counter.
    last_version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField()
    offload = models.CharField(
        max_length=16, choices=OffloadSwitch.choices, default=OffloadSwitch.ENABLED
    )
    idle_timeout_seconds = models.PositiveIntegerField(default=300)
    idle_timeout_least_seconds = models.PositiveIntegerField(default=10)
    idle_timeout_most_seconds = models.PositiveIntegerField(default=3_600)
    engine_sizes = models.JSONField(default=default_sizes)
    gpu_allowed = models.BooleanField(default=False)
    longest_session_seconds = models.PositiveIntegerField(null=True, blank=True)
    sessions_per_person = models.PositiveSmallIntegerField(default=1)
    # How far ahead a job may declare itself alive; 0 allows none.
    keep_alive_most_seconds = models.PositiveIntegerField(default=default_keep_alive)
    # Names of labels without which no session starts, for charge-back.
    required_labels = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    idle_timeout_least_seconds__gte=10,
                    idle_timeout_most_seconds__lte=3_600,
                    idle_timeout_seconds__gte=models.F("idle_timeout_least_seconds"),
                    idle_timeout_seconds__lte=models.F("idle_timeout_most_seconds"),
                ),
                name="policy_idle_timeout_in_order",
                violation_error_message=_(
                    "The idle timeout lies within its bounds, and those within 10 seconds "
                    "and one hour."
                ),
            ),
            models.CheckConstraint(
                condition=Q(sessions_per_person__gte=1), name="policy_sessions_at_least_one"
            ),
            models.CheckConstraint(
                condition=Q(version__lte=models.F("last_version")), name="policy_version_counted"
            ),
        ]

    def __str__(self) -> str:
        return f"policy {self.version} of {self.organization_id}"
