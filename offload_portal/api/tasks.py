"""Tasks are doors: they read the clock once and make one call."""

from celery import shared_task
from django.utils import timezone

from offload_portal.api import idempotency


@shared_task
def tidy() -> None:
    """Forget kept answers whose keys are past their day."""
    idempotency.forget_old(at=timezone.now())
