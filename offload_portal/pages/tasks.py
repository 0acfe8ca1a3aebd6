"""Tasks are doors: they read the clock once and make one call."""

import logging
from functools import partial

from celery import shared_task
from django.utils import timezone

from offload_portal.common.periods import cut_to_second
from offload_portal.pages.reports_mail import letter_for
from sessions.services import reports

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 20


@shared_task(time_limit=900)
def send_reports() -> None:
    """Send the reports that are due; twice at once sends each once."""
    at = cut_to_second(timezone.now())
    for report in reports.due_reports(at, most=MOST_AT_ONCE):
        try:
            reports.send_report(at=at, report=report, write=partial(letter_for, report))
        except Exception:  # one that can't be written does not hold up the others
            logger.exception("Report %s could not be sent", report.pk)
