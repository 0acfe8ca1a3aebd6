"""Which images are used most."""

from datetime import datetime

from django.db.models import Count

from orgs.enums import PrivacyMode
from orgs.models import Organization
from orgs.privacy import LEAST_GROUP
from sessions.models import ContainerRun
from usage.selectors.leaders import MOST_LEADING, LeadingUse


def leading_images(organization: Organization, since: datetime) -> list[LeadingUse]:
    """The three used in most sessions that were started since. One statement.

    Where insights are in aggregate, of those that five people used.
    """
    least = LEAST_GROUP if organization.privacy == PrivacyMode.AGGREGATE else 0
    rows = (
        ContainerRun.objects.filter(
            session__organization=organization, session__created_at__gte=since
        )
        .values("image")
        .annotate(
            amount=Count("session_id", distinct=True),
            people=Count("session__person_id", distinct=True),
        )
        .filter(people__gte=least)
        .order_by("-amount", "image")[:MOST_LEADING]
    )
    return [LeadingUse(row["image"], row["amount"]) for row in rows]
