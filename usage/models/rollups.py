"""Sums of the ledger that charts read: disposable, `manage.py rebuild_rollups` makes them anew.

`UsageQuarter` has the quarters of each UTC hour, on which the days of every zone begin, without
people; `UsageDay` has UTC days by person. A quarter by person would hold more rows than the ledger.
"""

from django.db import models

from orgs.models import Organization
from usage.enums import EntrySource


class UsageQuarter(models.Model):
    """What an organization used in a quarter of an hour that begins at `at`, by size and source."""

    pk = models.CompositePrimaryKey("organization_id", "at", "engine_size", "source")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField()
    engine_size = models.CharField(max_length=32)
    source = models.CharField(max_length=16, choices=EntrySource.choices)
    seconds = models.BigIntegerField()
    compute_seconds = models.BigIntegerField()
    cost_microusd = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.organization_id} {self.at} {self.engine_size} {self.source}"


class UsageDay(models.Model):
    """What a person used on a UTC day, by size and source."""

    pk = models.CompositePrimaryKey("organization_id", "day", "person_id", "engine_size", "source")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    person_id = models.UUIDField()
    engine_size = models.CharField(max_length=32)
    source = models.CharField(max_length=16, choices=EntrySource.choices)
    seconds = models.BigIntegerField()
    compute_seconds = models.BigIntegerField()
    cost_microusd = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.person_id} {self.day} {self.engine_size} {self.source}"
