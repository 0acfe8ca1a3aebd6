"""What members ask of owners when they are refused (product.md rule 26)."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from offload_portal.common.identifiers import uuid7
from orgs.enums import RequestKind, RequestState
from orgs.models.organizations import Organization


class MemberRequestQuerySet(models.QuerySet["MemberRequest"]):
    def open(self) -> Self:
        return self.filter(state=RequestState.OPEN).order_by("created_at", "id")


class MemberRequest(models.Model):
    """One request. `wanted_seconds` is compute time for hours, clock time for a session's length.

    `until` is how long what was approved holds; None for hours, which the owner buys or allows.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="requests")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16, choices=RequestKind.choices)
    state = models.CharField(max_length=10, choices=RequestState.choices, default=RequestState.OPEN)
    note = models.CharField(_("note"), max_length=500, blank=True)
    wanted_seconds = models.PositiveBigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    answer = models.CharField(_("answer"), max_length=500, blank=True)
    until = models.DateTimeField(null=True, blank=True)

    objects = MemberRequestQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="request_newest"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "person", "kind"],
                condition=Q(state=RequestState.OPEN),
                name="request_open_once",
                violation_error_message=_("You have asked for this already."),
            ),
            models.CheckConstraint(
                condition=Q(state=RequestState.OPEN, answered_at=None)
                | (~Q(state=RequestState.OPEN) & Q(answered_at__isnull=False)),
                name="request_answered_at_its_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.person_id}: {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state == RequestState.OPEN
