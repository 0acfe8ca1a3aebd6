"""Closed lists of words in `sessions`; the clock's own words are in `sessions.clock`."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SessionState(models.TextChoices):
    """States of a session (product.md rules 8 to 11)."""

    STARTING = "starting", _("Starting")
    IDLE = "idle", _("Idle")
    ACTIVE = "active", _("Active")
    ENDED = "ended", _("Ended")
    FAILED = "failed", _("Failed")


class EndReason(models.TextChoices):
    """Why a session ended (rule 11)."""

    STOPPED = "stopped", _("Stopped by its user")
    STOPPED_BY_OWNER = "stopped_by_owner", _("Stopped by an owner")
    IDLE = "idle", _("Idle too long")
    ALLOWANCE_EXHAUSTED = "allowance_exhausted", _("Allowance used up")
    CAP_REACHED = "cap_reached", _("Cap reached")
    ACCESS_REVOKED = "access_revoked", _("Access taken away")
    SESSION_LENGTH = "session_length", _("Longest session reached")
    SUBSCRIPTION_ENDED = "subscription_ended", _("Subscription ended")
    ENGINE_LOST = "engine_lost", _("Engine lost")
    FAILED = "failed", _("Engine did not start")


class ReportFrequency(models.TextChoices):
    WEEKLY = "weekly", _("Each Monday, about the week before")
    MONTHLY = "monthly", _("On the first of each month, about the month before")


class ReportAudience(models.TextChoices):
    """Who gets a report."""

    ME = "me", _("Me")
    SEERS = "seers", _("All owners and editors")


class NoticeKind(models.TextChoices):
    """What a session's user is told (rules 14 and 19)."""

    ALLOWANCE_LOW = "allowance_low", _("Compute time runs out")
    LIMIT_REACHED_AT = "limit_reached_at", _("A lower limit takes effect")
    CAP_LOW = "cap_low", _("A cap is nearly used up")
    CAP_REACHED_AT = "cap_reached_at", _("A lower cap takes effect")
    SESSION_LENGTH = "session_length", _("The longest session ends")
    SUBSCRIPTION_ENDING = "subscription_ending", _("The subscription ends")
    ON_DEMAND_NOW = "on_demand_now", _("On-demand pays now")
    POLICY_CHANGED = "policy_changed", _("The policy has changed")


class ClientKind(models.TextChoices):
    CLI = "cli", _("Command line")
    DESKTOP = "desktop", _("Desktop")
    CI = "ci", _("CI")


class EngineState(models.TextChoices):
    """What an engine's host last wrote down of it."""

    WANTED = "wanted", _("Wanted")
    STARTING = "starting", _("Starting")
    READY = "ready", _("Ready")
    LOST = "lost", _("Lost")
    STOPPING = "stopping", _("Being removed")
    REMOVED = "removed", _("Removed")
