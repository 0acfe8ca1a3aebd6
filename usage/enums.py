"""Closed lists of words in `usage`. `drawdown.Source` and `OnDemandMode` hold the arithmetic's."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SubscriptionState(models.TextChoices):
    """States of a subscription (product.md rule 23)."""

    TRIALING = "trialing", _("Trial")
    ACTIVE = "active", _("Active")
    PAST_DUE = "past_due", _("Past due")
    SUSPENDED = "suspended", _("Suspended")
    CANCELLED = "cancelled", _("Cancelled")


class EntrySource(models.TextChoices):
    """Who pays a ledger entry, in the order of draw-down (rules 17, 18)."""

    COMMITTED = "committed", _("Committed")
    TOP_UP = "top_up", _("Top-up")
    ON_DEMAND = "on_demand", _("On-demand")
    OVER_LIMIT = "over_limit", _("Over the limit")


class OnDemand(models.TextChoices):
    """Whether time beyond the commitment may be used (rule 19)."""

    OFF = "off", _("Off")
    LIMITED = "limited", _("Up to a monthly limit")
    UNLIMITED = "unlimited", _("Without a limit")


class PoolKind(models.TextChoices):
    """What a pool of compute time comes from."""

    COMMITTED = "committed", _("Committed")
    TOP_UP = "top_up", _("Top-up")


class PoolOrigin(models.TextChoices):
    PLAN = "plan", _("Plan")
    COMMITMENT = "commitment", _("More commitment")
    TRIAL = "trial", _("Trial")
    PURCHASE = "purchase", _("Purchase")
    GIVEN_BACK = "given_back", _("Time given back")
    OPERATOR = "operator", _("Granted by the operator")


class CapScope(models.TextChoices):
    """Whom a cap holds for (rule 19)."""

    TEAM = "team", _("Team")
    PERSON = "person", _("Person")
