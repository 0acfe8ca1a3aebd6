"""Changes to the book."""

from usage.services.commitments import buy_top_up, change_commitment
from usage.services.limits import set_on_demand
from usage.services.periods import roll_period
from usage.services.subscriptions import (
    cancel,
    change_plan,
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
    "resume",
    "roll_period",
    "set_on_demand",
    "settle_subscription",
    "settle_subscriptions",
    "subscribe",
]
