"""A session: one developer's use of one engine from start to end."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

from offload_portal.common.identifiers import uuid7
from orgs.models import Organization, PolicyMark
from sessions.enums import EndReason

# What pages and the API show of a session besides its own row, in the same statement.
BESIDE = ("person", "organization__allowance", "organization__policy")


def policy_mark() -> Subquery:
    """The number of the last change of policy that concerned the session's person alone."""
    marks = PolicyMark.objects.filter(
        organization=OuterRef("organization_id"), person=OuterRef("person_id")
    )
    return Subquery(marks.values("version"))


class SessionQuerySet(models.QuerySet["Session"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def running(self) -> Self:
        """Those whose end is not written down yet."""
        return self.filter(ended_at=None)

    def with_facts(self) -> Self:
        """Everything the clock reads, in a fixed number of queries."""
        return self.select_related("pulse").prefetch_related("stretches")

    def as_shown(self) -> Self:
        """With its facts, its person, and what its organization's rows say for notices."""
        return self.with_facts().with_notices()

    def with_notices(self) -> Self:
        """With its person, and what its organization's rows say for notices; no query more."""
        rows = self.select_related("pulse", *BESIDE)
        return rows.annotate(policy_mark=policy_mark())


class Session(models.Model):
    """What was recorded of a session. Its state follows from these facts (`sessions.clock`).

    The columns from `idle_timeout_seconds` to `keep_alive_most_seconds` are the terms with which it
    started and which it keeps (rule 14). Instants are whole seconds, UTC.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="offload_sessions")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="offload_sessions"
    )
    engine_size = models.CharField(max_length=32)
    gpu = models.BooleanField(default=False)
    multiplier = models.PositiveSmallIntegerField()
    labels = models.JSONField(default=dict)
    client = models.JSONField(default=dict)
    policy_version = models.PositiveIntegerField(default=1)
    provider = models.CharField(max_length=16, default="external")

    created_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True, blank=True)

    idle_timeout_seconds = models.PositiveIntegerField()
    start_timeout_seconds = models.PositiveIntegerField()
    idle_end_seconds = models.PositiveIntegerField()
    longest_seconds = models.PositiveIntegerField(null=True, blank=True)
    inactivity_prompt_seconds = models.PositiveIntegerField()
    prompt_seconds = models.PositiveIntegerField()
    prompt_answer_seconds = models.PositiveIntegerField()
    daily_limit_seconds = models.PositiveIntegerField()
    daily_prompt_seconds = models.PositiveIntegerField()
    keep_alive_most_seconds = models.PositiveIntegerField()
    # Active time of this person here in the UTC day of the start, before it (rule 13).
    active_before_seconds = models.PositiveIntegerField(default=0)

    # The recorded end: a stop, access lost, the engine lost … The clock may know an earlier one.
    stop_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=24, choices=EndReason.choices, blank=True)
    stop_actor_id = models.UUIDField(null=True, blank=True)
    # The exact second at which nothing was left, as the meter found it (rule 19).
    exhausted_at = models.DateTimeField(null=True, blank=True)
    exhausted_reason = models.CharField(max_length=24, choices=EndReason.choices, blank=True)
    # Which cap that was, with `cap_reached`.
    exhausted_cap = models.UUIDField(null=True, blank=True)
    failure = models.CharField(max_length=200, blank=True)

    # When it was first told that compute time comes to an end, and when its use moved on to
    # on-demand (rule 19).
    low_at = models.DateTimeField(null=True, blank=True)
    on_demand_at = models.DateTimeField(null=True, blank=True)

    # When the first of its caps will be reached if everything goes on: see `CapAhead`.
    cap_ahead = models.JSONField(null=True, blank=True)

    # Written down once it is true; `ended_at` empty means that the sweep still looks at it.
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=24, choices=EndReason.choices, blank=True)
    # What the facts come to once ended, so that lists need not read every stretch again.
    active_seconds = models.PositiveIntegerField(default=0)
    billed_seconds = models.PositiveIntegerField(default=0)
    container_count = models.PositiveIntegerField(default=0)
    # The image whose containers ran longest, for charging back.
    main_image = models.CharField(max_length=255, blank=True, default="", db_default="")

    reserved_compute_seconds = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=1)

    objects = SessionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None, end_reason="")
                | (Q(ended_at__isnull=False) & ~Q(end_reason="")),
                name="session_end_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(stop_at=None, stop_reason="")
                | (Q(stop_at__isnull=False) & ~Q(stop_reason="")),
                name="session_stop_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=models.F("created_at")),
                name="session_ends_after_its_start",
                violation_error_message=_("A session can't end before its start."),
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="session_newest"),
            models.Index(
                fields=["organization", "person", "-created_at", "-id"], name="session_of_person"
            ),
            models.Index(
                fields=["organization", "person"],
                condition=Q(ended_at=None),
                name="session_running",
            ),
            models.Index(fields=["organization", "ended_at"], name="session_by_end"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class SessionTeam(models.Model):
    """A team that a session's person was in when it started: the session counts for its cap."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", db_index=False)
    team_id = models.UUIDField()
    session = models.ForeignKey(Session, models.CASCADE, related_name="teams")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "team_id", "session"], name="session_once_in_a_team"
            )
        ]

    def __str__(self) -> str:
        return f"{self.session_id} of team {self.team_id}"
