from usage.models.alerts import Alert, AlertSetting
from usage.models.allowance import Allowance, LimitVersion, Pool, Rate
from usage.models.ledger import LedgerEntry, UnpaidTime
from usage.models.plans import Plan, Subscription
from usage.models.rollups import UsageDay, UsageQuarter

__all__ = [
    "Alert",
    "AlertSetting",
    "Allowance",
    "LedgerEntry",
    "LimitVersion",
    "Plan",
    "Pool",
    "Rate",
    "Subscription",
    "UnpaidTime",
    "UsageDay",
    "UsageQuarter",
]
