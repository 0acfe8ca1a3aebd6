"""Warnings go out after metering (product.md rule 20): the meter's figures are what they tell."""

import logging
import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sessions.selectors.leaders import leading_images
from usage.models import Allowance
from usage.selectors.alerts import with_open_alerts
from usage.services import alerts

logger = logging.getLogger(__name__)
MOST_AT_ONCE = 500


def warn_after_metering(*, metered: Collection[uuid.UUID], at: datetime) -> int:
    """Say what is due in those that were metered, and what is over in any; how many alerts."""
    keys = sorted({*metered, *with_open_alerts()})
    return sum(_warn_each(alerts.organizations_to_warn(some, at), at) for some in _portions(keys))


def warn_of_forecasts(*, at: datetime) -> int:
    """Say where time is expected to run out before the period ends; how many alerts."""
    rows = Allowance.objects.filter(period_end__gt=at).order_by("pk")
    keys = list(rows.values_list("pk", flat=True))
    said = 0
    for some in _portions(keys):
        coming = alerts.organizations_with_forecast(some, at)
        said += _warn_each(coming, at, with_forecast=True)
    return said


def _portions(keys: Sequence[uuid.UUID]) -> Iterator[Sequence[uuid.UUID]]:
    """The keys in portions that one statement may name."""
    for start in range(0, len(keys), MOST_AT_ONCE):
        yield keys[start : start + MOST_AT_ONCE]


def _warn_each(keys: Collection[uuid.UUID], at: datetime, *, with_forecast: bool = False) -> int:
    said = 0
    for key in keys:
        try:
            said += alerts.warn(
                organization_id=key, at=at, images=leading_images, with_forecast=with_forecast
            )
        except Exception:  # one organization's fault must not keep the others' warnings
            logger.exception("Organization %s could not be warned", key)
    return said
