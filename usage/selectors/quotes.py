"""What a change would cost, before it is made: pages, API and services ask the same functions.

Times are compute-seconds, money is micro-dollars (product.md rules 21, 22).
"""

from dataclasses import dataclass
from datetime import datetime

from offload_portal.common.money import per_hour, prorate_charge_down, prorate_grant_up
from offload_portal.common.periods import to_seconds
from usage.models import Allowance, Plan, Subscription
from usage.selectors.allowances import AllowanceView


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """A plan as it is offered."""

    slug: str
    name: str
    summary: str
    licenses: int
    committed_compute_seconds: int
    price_microusd: int
    on_demand_rate_microusd: int
    commitment_rate_microusd: int
    trial_days: int

    @property
    def on_demand_per_hour_microusd(self) -> int:
        return per_hour(self.on_demand_rate_microusd)

    @property
    def commitment_per_hour_microusd(self) -> int:
        return per_hour(self.commitment_rate_microusd)

    def price_with(self, committed_compute_seconds: int) -> int:
        """A whole period's price: the plan's, and what is committed beyond what it includes."""
        more = max(0, committed_compute_seconds - self.committed_compute_seconds)
        return self.price_microusd + more * self.commitment_rate_microusd


@dataclass(frozen=True, slots=True)
class Terms:
    """What a quote needs to know of a subscription and its period."""

    plan: PlanTerms
    next_plan: PlanTerms
    committed_compute_seconds: int
    price_microusd: int
    is_trial: bool
    period_start: datetime
    period_end: datetime

    @property
    def period_seconds(self) -> int:
        return to_seconds(self.period_end) - to_seconds(self.period_start)

    def seconds_left(self, at: datetime) -> int:
        """Whole seconds of the period that are still to come."""
        return max(0, min(self.period_seconds, to_seconds(self.period_end) - to_seconds(at)))


@dataclass(frozen=True, slots=True)
class CommitmentQuote:
    """A change of the commitment: what it brings now, what it costs now and per period."""

    compute_seconds: int
    effective_at: datetime
    granted_compute_seconds: int
    charge_microusd: int
    price_microusd: int


@dataclass(frozen=True, slots=True)
class PlanQuote:
    """A change of plan: as `CommitmentQuote`, with the plan and its licenses."""

    plan: PlanTerms
    compute_seconds: int
    effective_at: datetime
    granted_compute_seconds: int
    charge_microusd: int
    price_microusd: int


def plan_terms(plan: Plan) -> PlanTerms:
    return PlanTerms(
        slug=plan.slug,
        name=plan.name,
        summary=plan.summary,
        licenses=plan.licenses,
        committed_compute_seconds=plan.committed_compute_seconds,
        price_microusd=plan.price_microusd,
        on_demand_rate_microusd=plan.on_demand_rate_microusd,
        commitment_rate_microusd=plan.commitment_rate_microusd,
        trial_days=plan.trial_days,
    )


def terms_of(subscription: Subscription, allowance: Allowance) -> Terms:
    """Of a subscription that was read with its plan, in its present period."""
    if allowance.period_start is None or allowance.period_end is None:
        raise ValueError("Without a period nothing can be quoted: subscribe first.")
    return _terms(subscription, allowance.period_start, allowance.period_end)


def _terms(subscription: Subscription, start: datetime, end: datetime) -> Terms:
    return Terms(
        plan=plan_terms(subscription.plan),
        next_plan=plan_terms(subscription.next_plan or subscription.plan),
        committed_compute_seconds=subscription.committed_compute_seconds,
        price_microusd=subscription.price_microusd,
        is_trial=subscription.is_trial,
        period_start=start,
        period_end=end,
    )


def terms_in(view: AllowanceView) -> Terms | None:
    """The same from an allowance that was read; None where nothing holds."""
    subscription = view.subscription
    if subscription is None or view.period_start is None or view.period_end is None:
        return None
    return _terms(subscription, view.period_start, view.period_end)


def quote_commitment(terms: Terms, compute_seconds: int, at: datetime) -> CommitmentQuote:
    """More holds at once and is prorated; less, or as much, holds from the next period on."""
    more = compute_seconds - terms.committed_compute_seconds
    if more <= 0:
        price = terms.next_plan.price_with(compute_seconds)
        return CommitmentQuote(compute_seconds, terms.period_end, 0, 0, price)
    left, whole = terms.seconds_left(at), terms.period_seconds
    return CommitmentQuote(
        compute_seconds=compute_seconds,
        effective_at=at,
        granted_compute_seconds=prorate_grant_up(more, left, whole),
        charge_microusd=prorate_charge_down(
            more * terms.plan.commitment_rate_microusd, left, whole
        ),
        price_microusd=terms.plan.price_with(compute_seconds),
    )


def quote_plan(terms: Terms, plan: PlanTerms, at: datetime) -> PlanQuote:
    """Another plan: at once from a trial or where it costs more, else from the next period on.

    A commitment larger than the new plan's stays when moving up.
    """
    dearer = terms.is_trial or plan.price_microusd > terms.plan.price_microusd
    if not dearer:
        committed = plan.committed_compute_seconds
        return PlanQuote(plan, committed, terms.period_end, 0, 0, plan.price_with(committed))
    had = 0 if terms.is_trial else terms.committed_compute_seconds
    committed = max(had, plan.committed_compute_seconds)
    price = plan.price_with(committed)
    left, whole = terms.seconds_left(at), terms.period_seconds
    return PlanQuote(
        plan=plan,
        compute_seconds=committed,
        effective_at=at,
        granted_compute_seconds=prorate_grant_up(committed - had, left, whole),
        charge_microusd=prorate_charge_down(max(0, price - terms.price_microusd), left, whole),
        price_microusd=price,
    )


def quote_top_up(terms: Terms, compute_seconds: int) -> int:
    """Micro-dollars: time bought ahead costs the plan's commitment rate."""
    return compute_seconds * terms.plan.commitment_rate_microusd
