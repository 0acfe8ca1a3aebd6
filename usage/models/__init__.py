from usage.models.alerts import Alert, AlertSetting
from usage.models.allowance import Allowance, LimitVersion, Pool, Rate
from usage.models.caps import Cap, CapVersion
from usage.models.ledger import LedgerEntry, UnpaidTime
from usage.models.plans import Plan, Subscription
from usage.models.reconciliation import Reconciliation
from usage.models.rollups import UsageDay, UsageQuarter

__all__ = [
    "Alert",
    "AlertSetting",
    "Allowance",
    "Cap",
    "CapVersion",
    "LedgerEntry",
    "LimitVersion",
    "Plan",
    "Pool",
    "Rate",
    "Reconciliation",
    "Subscription",
    "UnpaidTime",
    "UsageDay",
    "UsageQuarter",
]
