"""Who used most of a period."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from orgs.enums import PrivacyMode
from orgs.models import Organization
from usage.selectors.reports import Grain, GroupBy, UsageQuestion, usage_rows

MOST_LEADING = 3


@dataclass(frozen=True, slots=True)
class LeadingUse:
    """A member with compute-seconds, or an image with the sessions it was used in."""

    name: str
    amount: int


def leading_members(organization: Organization, since: datetime, at: datetime) -> list[LeadingUse]:
    """The three with most compute time, most first; nobody where insights are in aggregate.

    Two statements.
    """
    if organization.privacy == PrivacyMode.AGGREGATE:
        return []
    until = at + timedelta(seconds=1)  # the hour that runs belongs to it
    question = UsageQuestion(organization, since, until, ZoneInfo("UTC"))
    rows = usage_rows(question, Grain.WHOLE, GroupBy.MEMBER)
    return [LeadingUse(row.label, row.sums.compute_seconds) for row in rows[:MOST_LEADING]]
