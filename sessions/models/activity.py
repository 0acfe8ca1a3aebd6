"""What clients and the watcher saw: history is kept as stretches that grow, not as reports."""

from django.db import models
from django.db.models import F, Q

from offload_portal.common.identifiers import uuid7
from orgs.models import Organization
from sessions.models.session import Session


class Pulse(models.Model):
    """The narrow row that each activity report changes. Nothing it changes has an index."""

    session = models.OneToOneField(Session, models.CASCADE, primary_key=True, related_name="pulse")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", db_index=False)
    sequence = models.BigIntegerField(default=0)
    # The open stretch; empty before the first activity.
    started_at = models.DateTimeField(null=True, blank=True)
    last_activity_at = models.DateTimeField(null=True, blank=True)
    last_call_at = models.DateTimeField(null=True, blank=True)
    idled_at = models.DateTimeField(null=True, blank=True)
    # A job declared itself alive until then; its label says which.
    kept_until = models.DateTimeField(null=True, blank=True)
    kept_label = models.CharField(max_length=80, blank=True)
    running_containers = models.PositiveIntegerField(default=0)
    active_builds = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"pulse of {self.session_id}"


class Stretch(models.Model):
    """One closed run of activity: it was resumed after a gap that began at `idle_at`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    session = models.ForeignKey(Session, models.CASCADE, related_name="stretches")
    started_at = models.DateTimeField()
    idle_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "session", "started_at"], name="stretch_once"
            ),
            models.CheckConstraint(
                condition=Q(idle_at__gte=F("started_at")), name="stretch_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session_id} from {self.started_at}"


class ContainerRun(models.Model):
    """One run of a container, as its engine told it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    session = models.ForeignKey(Session, models.CASCADE, related_name="container_runs")
    container_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255, blank=True)
    image = models.CharField(max_length=255)
    # The engine's own clock; shown, never billed.
    started_at = models.DateTimeField()
    exited_at = models.DateTimeField(null=True, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "session", "container_id", "started_at"],
                name="container_run_once",
            )
        ]
        indexes = [models.Index(fields=["organization", "image"], name="container_image")]

    def __str__(self) -> str:
        return f"{self.image} in {self.session_id}"


class BuildRun(models.Model):
    """One build of an image, as the client told it or the door in front of the engine saw it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    session = models.ForeignKey(Session, models.CASCADE, related_name="build_runs")
    build_id = models.CharField(max_length=64)
    # The name that it gets; empty where it gets none.
    image = models.CharField(max_length=255, blank=True)
    # The client's or the door's clock; shown, never billed.
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    # Empty where nobody told: the door passes on what it does not read.
    succeeded = models.BooleanField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "session", "build_id"], name="build_run_once"
            )
        ]
        indexes = [models.Index(fields=["organization", "image"], name="build_image")]

    def __str__(self) -> str:
        return f"{self.image} built in {self.session_id}"


class Sample(models.Model):
    """What the engine used at an instant. The key is fit for monthly partitions."""

    pk = models.CompositePrimaryKey("organization_id", "session_id", "at")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    session = models.ForeignKey(Session, models.CASCADE, related_name="samples")
    at = models.DateTimeField()
    cpu_milli_percent = models.BigIntegerField()
    memory_bytes = models.BigIntegerField()
    network_rx_bytes = models.BigIntegerField(default=0)
    network_tx_bytes = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.session_id} at {self.at}"
