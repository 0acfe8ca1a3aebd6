"""How far what is kept of an organization's sessions has been thinned and forgotten (rule 27)."""

from django.db import models

from orgs.models import Organization


class Keeping(models.Model):
    """Each mark is an instant: what lies before it is done. Marks only move forward."""

    organization = models.OneToOneField(
        Organization, models.CASCADE, primary_key=True, related_name="+"
    )
    # Samples before it are thinned to one a minute, and to one for five minutes.
    minutes_until = models.DateTimeField()
    five_minutes_until = models.DateTimeField()
    # Samples before it are gone.
    samples_gone_until = models.DateTimeField()
    # Stretches and container runs of sessions that ended before it are gone.
    runs_gone_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"what is kept of {self.organization_id}"
