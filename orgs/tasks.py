"""Tasks are doors: they read the clock once and make one call."""

from celery import shared_task
from django.utils import timezone

from offload_portal.common.periods import cut_to_second
from orgs.services import outbox, publishing, sealing, webhooks


@shared_task
def seal_audit() -> None:
    """Number and chain the audit entries that have come since; twice at once does no harm."""
    sealing.seal_entries(at=cut_to_second(timezone.now()))


@shared_task(time_limit=3_600)
def check_audit() -> None:
    """Verify the whole audit log, nightly; `/readyz` says what was found."""
    sealing.check_audit(at=cut_to_second(timezone.now()))


@shared_task
def deliver_mail() -> None:
    """Send the mail that is due. Runs each minute, and at once as a hint after a commit."""
    if outbox.deliver(at=cut_to_second(timezone.now())).more:
        outbox.hint()


@shared_task
def forget_mail() -> None:
    """Mail and news whose time is over go."""
    at = cut_to_second(timezone.now())
    outbox.forget(at=at)
    webhooks.forget(at=at)


@shared_task(time_limit=600)
def deliver_webhooks() -> None:
    """Send the webhooks that are due. Runs each minute, and at once as a hint after a commit."""
    if webhooks.deliver(at=cut_to_second(timezone.now())) == webhooks.MOST_AT_ONCE:
        publishing.hint()
