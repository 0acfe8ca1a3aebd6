"""Members beside their last session (api.md: Members with their last session, licenses to reclaim).

`used` is `never`: no session in this organization; `idle`: the last one ended 30 days ago or more
and none runs; "" means everyone.
"""

import uuid
from datetime import datetime, timedelta

from django.db.models import DateTimeField, Exists, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from orgs.enums import PrivacyMode
from orgs.models import Membership, Organization
from orgs.selectors.members import EVERYONE, MemberFilter, members_matching
from sessions.models import Session

IDLE_DAYS = 30
USES = ("never", "idle")
LONG_AGO = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
# What a list may be sorted by, and the annotation that does it; a "-" in front turns it round.
SORTS = {
    "name": "sort_name",
    "joined": "joined_at",
    "last_session": "sort_session",
    "last_sign_in": "sort_sign_in",
}


def members_with_use(
    organization: Organization, wanted: MemberFilter = EVERYONE, *, at: datetime, used: str = ""
) -> QuerySet[Membership]:
    """`members_matching` with `last_session_at`: when the last session ended, `at` if it runs.

    One index look-up for each row that is looked at. Page them by `order_of`, then `member_rows`.
    """
    own = Session.objects.filter(
        organization_id=OuterRef("organization_id"), person_id=OuterRef("person_id")
    )
    last = (
        own.order_by("-created_at", "-id")
        .annotate(until=Coalesce("ended_at", Value(at, DateTimeField())))
        .values("until")[:1]
    )
    long_ago = Value(LONG_AGO, DateTimeField())
    named = organization.privacy == PrivacyMode.NAMED
    rows = members_matching(organization, wanted).annotate(
        last_session_at=Subquery(last, output_field=DateTimeField()),
        # Where last sessions aren't told, their order isn't either.
        sort_session=Coalesce("last_session_at", long_ago) if named else long_ago,
        sort_sign_in=Coalesce("person__last_login", long_ago),
    )
    if used == "never":
        return rows.filter(~Exists(own))
    if used == "idle":
        since = at - timedelta(days=IDLE_DAYS)
        return rows.filter(last_session_at__lte=since).filter(~Exists(own.filter(ended_at=None)))
    return rows


def order_of(sort: str) -> tuple[str, str]:
    """The keyset order of a sort such as `name` or `-last_session`; by name where it is unknown."""
    sign = "-" if sort.startswith("-") else ""
    field = SORTS.get(sort.removeprefix("-"))
    return (f"{sign}{field}", f"{sign}id") if field else ("sort_name", "id")


def last_session_at(
    organization: Organization, person_id: uuid.UUID, at: datetime
) -> datetime | None:
    """When the person's last session here ended, `at` if one runs, None where there was none."""
    rows = Session.objects.filter(organization=organization, person_id=person_id)
    last = rows.order_by("-created_at", "-id").values_list("ended_at", flat=True)[:1]
    return next((ended or at for ended in last), None)
