"""The ledger (product.md rule 17): what was used, from which source, at which rate.

A session stands here by its identifier alone: `usage` knows nothing else of it. The keys hold
the organization and the hour, so that the table can be cut into months.
"""

from typing import Self

from django.db import models
from django.db.models import F, Q

from offload_portal.common.identifiers import uuid7
from orgs.models import Organization
from usage.enums import EntrySource


class LedgerQuerySet(models.QuerySet["LedgerEntry"]):
    def for_organization(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def in_period(self, start: object, end: object) -> Self:
        """Entries whose hour begins within the half-open range."""
        return self.filter(hour__gte=start, hour__lt=end)


class LedgerEntry(models.Model):
    """One usage entry: a session's use in one UTC hour from one source.

    It grows while its hour is open and never changes afterwards. A correction is another
    entry (`corrects` names the one it corrects). Times are seconds, money micro-dollars; `seconds`
    holds `lump_seconds`, those of a gap that was resumed in this hour (rule 15).

    `seconds_1` to `compute_3` say how much of it fell into the hour's second, third and last
    quarter; the first has the rest. So days of every zone add up, also where one begins at 18:15
    UTC. A correction stands in the first quarter of its hour.
    """

    pk = models.CompositePrimaryKey("organization_id", "hour", "id")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    hour = models.DateTimeField()
    id = models.UUIDField(default=uuid7, editable=False)
    session_id = models.UUIDField()
    person_id = models.UUIDField()
    source = models.CharField(max_length=16, choices=EntrySource.choices)
    engine_size = models.CharField(max_length=32)
    period_start = models.DateTimeField()
    seconds = models.BigIntegerField()
    lump_seconds = models.BigIntegerField(default=0)
    compute_seconds = models.BigIntegerField()
    seconds_1 = models.IntegerField(default=0, db_default=0)
    seconds_2 = models.IntegerField(default=0, db_default=0)
    seconds_3 = models.IntegerField(default=0, db_default=0)
    compute_1 = models.IntegerField(default=0, db_default=0)
    compute_2 = models.IntegerField(default=0, db_default=0)
    compute_3 = models.IntegerField(default=0, db_default=0)
    rate_microusd = models.BigIntegerField(default=0)
    cost_microusd = models.BigIntegerField(default=0)
    corrects = models.UUIDField(null=True, blank=True)
    # Of a correction: the hour that it speaks of, which may be closed.
    corrected_hour = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    ordered_by = models.UUIDField(null=True, blank=True)

    objects = LedgerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "hour", "session_id", "source"],
                condition=Q(corrects=None),
                name="ledger_one_entry",
            ),
            models.CheckConstraint(
                condition=Q(corrects__isnull=False)
                | Q(
                    seconds__gte=F("lump_seconds"),
                    lump_seconds__gte=0,
                    compute_seconds__gte=0,
                    cost_microusd__gte=0,
                ),
                name="ledger_entry_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(source__in=[EntrySource.ON_DEMAND, EntrySource.OVER_LIMIT])
                | Q(cost_microusd=0),
                name="ledger_paid_ahead_costs_nothing",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "session_id"], name="ledger_of_session"),
            models.Index(fields=["organization", "period_start", "source"], name="ledger_period"),
        ]

    def __str__(self) -> str:
        return f"{self.session_id} {self.hour} {self.source}"


class UnpaidTime(models.Model):
    """Billed time that nothing could pay: the rest of the second of exhaustion (rule 19)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    session_id = models.UUIDField()
    seconds = models.PositiveBigIntegerField(default=0)
    compute_seconds = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "session_id"], name="unpaid_once_per_session"
            )
        ]

    def __str__(self) -> str:
        return f"{self.session_id}: {self.compute_seconds} unpaid"
