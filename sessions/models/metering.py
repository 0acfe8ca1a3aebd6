"""What went wrong with the meter, until it goes right again."""

from django.db import models

from orgs.models import Organization


class MeterFailure(models.Model):
    """An organization that could not be metered; gone once it was. `error` is for operators."""

    organization = models.OneToOneField(
        Organization, models.CASCADE, primary_key=True, related_name="meter_failure"
    )
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)
    error = models.CharField(max_length=500)

    def __str__(self) -> str:
        return f"{self.organization_id} since {self.first_at}: {self.error}"
