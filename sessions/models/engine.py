"""What the portal knows of a session's engine: its place, its keys, and who waits for one."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from offload_portal.common.identifiers import uuid7
from orgs.models import Organization
from sessions.enums import EngineState
from sessions.models.session import Session


class EngineQuerySet(models.QuerySet["Engine"]):
    def there(self) -> Self:
        """Those that may still hold something on their host: a user, processes, files."""
        return self.exclude(state=EngineState.REMOVED)

    def on_host(self, host_name: str) -> Self:
        return self.filter(host_name=host_name)


class Engine(models.Model):
    """One session's engine, as its host last wrote it down.

    The web process writes `wanted`; from then on the host that takes it writes the rest. What the
    session is, follows from the session's own row alone. Instants are whole seconds, UTC.
    """

    session = models.OneToOneField(Session, models.CASCADE, primary_key=True, related_name="engine")
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    provider = models.CharField(max_length=16)
    state = models.CharField(max_length=16, choices=EngineState.choices, default=EngineState.WANTED)
    # The engine host that took it; empty until one has.
    host_name = models.CharField(max_length=255, blank=True)
    # Its place in the host's pool of operating-system users.
    slot = models.PositiveIntegerField(null=True, blank=True)
    asked_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    # Where the Docker API answers: a path on the host, or what another provider's door can dial.
    address = models.CharField(max_length=255, blank=True)
    # A sentence for operators: why it did not start, or was lost.
    failure = models.TextField(blank=True)
    # Sentences: which limits of the engine size this host could not set.
    left_out = models.JSONField(default=list, blank=True)
    # Seconds of each part of the start, as floats: {"user": 0.03, "daemon": 1.9, …}
    timings = models.JSONField(default=dict, blank=True)

    objects = EngineQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["host_name", "slot"],
                condition=Q(slot__isnull=False) & ~Q(state="removed"),
                name="engine_slot_once",
            ),
            models.CheckConstraint(
                condition=Q(removed_at=None) | Q(state="removed"),
                name="engine_removed_has_its_state",
            ),
        ]
        indexes = [
            models.Index(
                fields=["provider", "host_name"],
                condition=~Q(state="removed"),
                name="engine_there",
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} engine of {self.session_id}"


class EngineKeys(models.Model):
    """The certificates of a session's door. The authority's own key was thrown away after signing.

    `server_key` and `client_key` are sealed (`offload_portal.common.sealing`); `client_key` is
    emptied when the door first sees it used, and half a minute after it was given at the latest.
    """

    session = models.OneToOneField(
        Session, models.CASCADE, primary_key=True, related_name="engine_keys"
    )
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    # The name that a client asks for and the server's certificate carries.
    name = models.CharField(max_length=253)
    ca_pem = models.TextField()
    server_cert_pem = models.TextField()
    server_key = models.TextField()
    client_cert_pem = models.TextField()
    client_key = models.TextField(blank=True)
    key_given_at = models.DateTimeField(null=True, blank=True)
    # The caller's token by its identifier: who may fetch a lost answer again.
    key_given_to = models.CharField(max_length=80, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["key_given_at"],
                condition=Q(key_given_at__isnull=False) & ~Q(client_key=""),
                name="engine_key_given_kept",
            )
        ]

    def __str__(self) -> str:
        return f"keys of {self.session_id}"


# Who is told to come again after so many seconds, and has not for four times as long, gave up.
ASK_AGAIN_SECONDS = 15
PATIENCE = timedelta(seconds=4 * ASK_AGAIN_SECONDS)


class StartTicketQuerySet(models.QuerySet["StartTicket"]):
    def still_asking(self, at: datetime) -> Self:
        """Those who have asked again lately; the others have given up."""
        return self.filter(seen_at__gt=at - PATIENCE)


class StartTicket(models.Model):
    """A person's place in the queue for an engine, while every host is full."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    asked_at = models.DateTimeField()
    # When they last asked; who asks no more loses the place.
    seen_at = models.DateTimeField()

    objects = StartTicketQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "person"], name="start_ticket_once")
        ]
        indexes = [models.Index(fields=["asked_at", "id"], name="start_ticket_order")]

    def __str__(self) -> str:
        return f"{self.person_id} waits since {self.asked_at}"
