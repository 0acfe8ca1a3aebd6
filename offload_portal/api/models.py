"""What idempotency keeps (api.md, Conventions)."""

from django.db import models


class KeptAnswer(models.Model):
    """The answer to a POST with an `Idempotency-Key`; empty while the first is under way."""

    caller = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    claimed_at = models.DateTimeField()
    claim = models.UUIDField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    content_type = models.CharField(max_length=80, blank=True)
    body = models.BinaryField(default=bytes)
    headers = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="kept_answer_once")]
        indexes = [models.Index(fields=["claimed_at"], name="kept_answer_age")]

    def __str__(self) -> str:
        return f"{self.key} of {self.caller}"
