"""What every change of a subscription begins with: the lock, the contract, the allowance."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from offload_portal.common.locks import lock_alone
from offload_portal.common.refusals import Refusal
from orgs.models import Organization
from usage.models import Allowance, Subscription

MOST_COMPUTE_SECONDS = 1_000_000 * 3_600  # a million compute-hours a period
MOST_MICROUSD = 10**15  # a thousand million dollars: far beyond a bill, well within a column


@dataclass(frozen=True, slots=True)
class Contract:
    """A subscription that goes on and the allowance it feeds, locked for this transaction."""

    subscription: Subscription
    allowance: Allowance
    period_start: datetime
    period_end: datetime

    @property
    def usable_until(self) -> datetime:
        """Nothing bought now is of use after this: the period's end or the subscription's."""
        ends_at = self.subscription.ends_at
        return self.period_end if ends_at is None else min(self.period_end, ends_at)


def contract_of(organization: Organization, at: datetime) -> Contract:
    """The organization's contract, or the refusal `not_subscribed` (rule 26)."""
    lock_alone(organization.pk)
    subscription = (
        Subscription.objects.current()
        .filter(organization=organization)
        .select_related("plan", "next_plan")
        .first()
    )
    allowance = Allowance.objects.select_for_update().filter(pk=organization.pk).first()
    if subscription is None or allowance is None or _is_over(subscription, at):
        raise not_subscribed()
    if allowance.period_start is None or allowance.period_end is None:
        raise not_subscribed()
    return Contract(subscription, allowance, allowance.period_start, allowance.period_end)


def _is_over(subscription: Subscription, at: datetime) -> bool:
    return subscription.ends_at is not None and subscription.ends_at <= at


def not_subscribed() -> Refusal:
    sentence = _("The organization has no subscription to Offload. Choose a plan first.")
    return Refusal("not_subscribed", sentence, status=402)


def refuse_field(field: str, sentence: str) -> Refusal:
    """A value that no rule allows, with the field to blame."""
    return Refusal("invalid", sentence, status=400, errors={field: [sentence]})


def check_compute_seconds(compute_seconds: int, *, field: str, least: int = 0) -> None:
    """Whole, and within what a period can hold."""
    if not least <= compute_seconds <= MOST_COMPUTE_SECONDS:
        sentence = _("Give from %(least)s to %(most)s compute-seconds.") % {
            "least": least,
            "most": f"{MOST_COMPUTE_SECONDS:,}",
        }
        raise refuse_field(field, sentence)
