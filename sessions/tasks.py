"""Tasks are doors: they read the clock once and make one call."""

import uuid

from celery import shared_task
from django.utils import timezone

from offload_portal.common import heartbeat
from offload_portal.common.periods import cut_to_second
from sessions import services
from sessions.services import forgetting, keys, reconciling


@shared_task
def sweep() -> None:
    """Meter and end everything that is due. Runs each minute; twice at once does no harm."""
    services.sweep(at=cut_to_second(timezone.now()))
    heartbeat.beat("meter")


@shared_task
def meet_bounds() -> None:
    """Meter those that are near a bound. Runs every few seconds; twice at once does no harm."""
    services.meet_bounds(at=cut_to_second(timezone.now()))


@shared_task
def meter(*, organization_id: str) -> None:
    """Meter one organization now: a hint after a change, never the truth."""
    key, at = uuid.UUID(organization_id), cut_to_second(timezone.now())
    services.meter_and_warn(organization_id=key, at=at)


@shared_task
def warn_of_forecasts() -> None:
    """Warn where time runs out before the period does; twice at once does no harm."""
    services.warn_of_forecasts(at=cut_to_second(timezone.now()))


@shared_task
def forget_keys() -> None:
    """Take keys that nobody needs any more out of the database."""
    keys.forget_keys(at=cut_to_second(timezone.now()))


@shared_task
def tidy() -> None:
    """Thin samples with their age and delete what was kept long enough (rule 27)."""
    forgetting.tidy(at=cut_to_second(timezone.now()))


@shared_task(time_limit=3_600)
def reconcile() -> None:
    """Compare ledger, rollups and sessions, nightly; `/readyz` and the pages say what was found."""
    reconciling.reconcile(at=cut_to_second(timezone.now()))
