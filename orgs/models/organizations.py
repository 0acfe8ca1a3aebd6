"""Organizations and who belongs to them (product.md rules 1 to 3)."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from offload_portal.common.identifiers import uuid7
from orgs.enums import PrivacyMode, Role, pays, sees_everything, sees_usage


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def of_person(self, person: models.Model) -> Self:
        """The organizations that the person belongs to, by name."""
        return self.filter(memberships__person=person).order_by("name", "id")


class Organization(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(_("address"), max_length=48, unique=True)
    name = models.CharField(_("name"), max_length=80)
    zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    created_at = models.DateTimeField()
    requires_second_factor = models.BooleanField(default=False)
    privacy = models.CharField(
        max_length=16,
        choices=PrivacyMode.choices,
        default=PrivacyMode.NAMED,
        db_default=PrivacyMode.NAMED,
    )
    # An address, of no member perhaps, that gets what concerns money; empty where there is none.
    billing_contact = models.EmailField(max_length=254, blank=True)
    # Since then the row is only what ledgers and statements point to.
    deleted_at = models.DateTimeField(null=True, blank=True)
    # The pool of licenses: `usage` tells its size, `orgs` counts who holds one.
    licenses = models.PositiveIntegerField(default=0)
    licenses_held = models.PositiveIntegerField(default=0)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(licenses_held__lte=F("licenses")),
                name="organization_licenses_within_pool",
                violation_error_message=_("No license is left in the pool."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class Address(models.Model):
    """Every address (slug) that an organization has or had: each belongs to one for ever.

    The present one is the organization's own `slug`; the others lead to it.
    """

    slug = models.SlugField(max_length=48, primary_key=True)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="addresses")
    taken_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.slug


class MembershipQuerySet(models.QuerySet["Membership"]):
    def owners(self) -> Self:
        return self.filter(role=Role.OWNER)

    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization).order_by("joined_at", "id")


class Membership(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.MEMBER)
    joined_at = models.DateTimeField()

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "person"],
                name="membership_once",
                violation_error_message=_("This person is a member already."),
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} in {self.organization_id} as {self.role}"

    @property
    def is_owner(self) -> bool:
        return self.role == Role.OWNER

    @property
    def sees_everything(self) -> bool:
        """Owners and editors see everything of the organization (rule 2)."""
        return sees_everything(self.role)

    @property
    def sees_usage(self) -> bool:
        return sees_usage(self.role)

    @property
    def pays(self) -> bool:
        return pays(self.role)


class Team(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="teams")
    name = models.CharField(_("name"), max_length=80)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                name="team_name_once",
                violation_error_message=_("A team has this name already."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class TeamMember(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    team = models.ForeignKey(Team, models.CASCADE, related_name="members")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    joined_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "team", "person"], name="team_member_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.person_id} in {self.team_id}"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> Self:
        """Neither accepted nor revoked; they may have expired."""
        return self.filter(accepted_at=None, revoked_at=None).order_by("-created_at", "id")


class Invitation(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail address"), max_length=254)
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.MEMBER)
    token_digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    # Chosen by the inviter, given when it is accepted; a license is not reserved until then.
    team = models.ForeignKey(Team, models.SET_NULL, null=True, blank=True, related_name="+")
    with_license = models.BooleanField(default=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=Q(accepted_at=None, revoked_at=None),
                name="invitation_open_once",
                violation_error_message=_("This address has an open invitation already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.organization_id}"

    def is_open(self, at: datetime) -> bool:
        """Whether its link still works at the instant (rule 3)."""
        return self.accepted_at is None and self.revoked_at is None and at < self.expires_at

    def is_expired(self, at: datetime) -> bool:
        return self.accepted_at is None and self.revoked_at is None and at >= self.expires_at
