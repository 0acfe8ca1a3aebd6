"""Changes to the book."""

from usage.services.commitments import (
    buy_top_up,
    change_commitment,
    check_commitment,
    check_top_up,
)
from usage.services.contract import not_subscribed
from usage.services.limits import check_setting, set_on_demand
from usage.services.periods import roll_period
from usage.services.subscriptions import (
    cancel,
    change_plan,
    end_now,
    extend_trial,
    resume,
    settle_subscription,
    settle_subscriptions,
    subscribe,
)

__all__ = [
    "buy_top_up",
    "cancel",
    "change_commitment",
    "change_plan",
    "check_commitment",
    "check_setting",
    "check_top_up",
    "end_now",
    "extend_trial",
    "not_subscribed",
    "resume",
    "roll_period",
    "set_on_demand",
    "settle_subscription",
    "settle_subscriptions",
    "subscribe",
]
