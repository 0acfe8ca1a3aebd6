"""What an alert says, in the language that is active: the same words in mail, pages and news."""

from collections.abc import Mapping
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from offload_portal.common.display import compute_hours_text
from offload_portal.common.money import format_usd
from usage.alerts import COMMITMENT, FORECAST, MOVED, ON_DEMAND
from usage.models import Alert


def facts_of_alert(row: Alert) -> dict[str, Any]:
    """The facts that the words are made of; JSON can hold them."""
    return {
        "bound": row.bound,
        "name": row.person.shown_name if row.person else row.name,
        "person": str(row.person_id) if row.person_id else "",
        "threshold": row.threshold,
        "used": row.used,
        "limit": row.limit,
        "in_money": row.in_money,
        "expected_at": row.expected_at,
    }


def without_names(facts: Mapping[str, Any]) -> dict[str, Any]:
    """For copies that stay longer than a person's name may."""
    return {**facts, "name": "" if facts.get("person") else facts["name"]}


def alert_title(facts: Mapping[str, Any]) -> str:
    bound, share = facts["bound"], facts["threshold"]
    if bound == MOVED:
        return _("Use has moved from committed to on-demand")
    if bound == FORECAST:
        day = day_text(facts["expected_at"])
        return _("Compute time is expected to run out on %(day)s") % {"day": day}
    if bound == COMMITMENT:
        return _("%(share)s %% of committed usage is used") % {"share": share}
    if bound == ON_DEMAND:
        return _("%(share)s %% of the on-demand limit is used") % {"share": share}
    return _("%(share)s %% of the cap of %(name)s is used") % {
        "share": share,
        "name": facts["name"] or _("a member"),
    }


def alert_text(facts: Mapping[str, Any]) -> str:
    if facts["bound"] == MOVED:
        return _("What is used from now on in this period is paid afterwards: %(used)s so far.") % {
            "used": amount_text(facts["used"], in_money=True)
        }
    if facts["bound"] == FORECAST:
        return _("At the pace of the last week that is before the period ends.")
    return _("%(used)s of %(limit)s in this period.") % {
        "used": amount_text(facts["used"], in_money=facts["in_money"]),
        "limit": amount_text(facts["limit"], in_money=facts["in_money"]),
    }


def normal_text(facts: Mapping[str, Any]) -> str:
    """What is so again of a bound that was warned of."""
    values = {
        "used": amount_text(facts["used"], in_money=facts["in_money"]),
        "limit": amount_text(facts["limit"], in_money=facts["in_money"]),
        "name": facts["name"] or _("a member"),
    }
    if facts["bound"] == COMMITMENT:
        return _("Committed usage: %(used)s of %(limit)s.") % values
    if facts["bound"] == ON_DEMAND:
        return _("On-demand usage: %(used)s of its limit of %(limit)s.") % values
    return _("The cap of %(name)s: %(used)s of %(limit)s.") % values


def amount_text(amount: int, *, in_money: bool) -> str:
    return format_usd(amount) if in_money else compute_hours_text(amount)


def day_text(instant: Any) -> str:
    return date_format(instant, pgettext("date format", "j M Y"))
