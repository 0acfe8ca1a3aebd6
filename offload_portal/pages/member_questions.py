"""What a member list was asked for, from its query; the same for the list, its CSV and its acts."""

from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import QueryDict

from orgs.enums import Role
from orgs.models import Membership, Organization
from orgs.selectors import MemberFilter
from orgs.selectors.members import LICENSE_STATES
from orgs.views.parsing import MOST_SEARCHED, identifier_or_none
from sessions.selectors.members import SORTS, USES, members_with_use, order_of


@dataclass(frozen=True, slots=True)
class MemberQuestion:
    """`used` is `never`, `idle` or ""; `sort` a name of SORTS, with "-" in front turned round."""

    filter: MemberFilter
    used: str = ""
    sort: str = "name"

    @property
    def is_narrow(self) -> bool:
        wanted = self.filter
        return bool(wanted.search or wanted.role or wanted.access or wanted.team_id or self.used)

    @property
    def order(self) -> tuple[str, str]:
        return order_of(self.sort)

    @property
    def purpose(self) -> str:
        """What a cursor of this list is good for."""
        return f"members.{self.sort}"

    def rows(self, organization: Organization, at: datetime) -> QuerySet[Membership]:
        return members_with_use(organization, self.filter, at=at, used=self.used)

    def query(self, **changed: str) -> str:
        """The query string that asks for this again."""
        wanted = self.filter
        values = {
            "q": wanted.search,
            "role": wanted.role,
            "team": str(wanted.team_id or ""),
            "access": wanted.access,
            "used": self.used,
            "sort": "" if self.sort == "name" else self.sort,
            **changed,
        }
        return urlencode({name: value for name, value in values.items() if value})


def question_of(query: QueryDict, membership: Membership) -> MemberQuestion:
    """What was asked; a word that is none asks for everyone, and a member sees only themselves."""
    role, access = query.get("role", ""), query.get("access", "")
    used, sort = query.get("used", ""), query.get("sort", "")
    wanted = MemberFilter(
        search=query.get("q", "").strip()[:MOST_SEARCHED],
        role=role if role in Role.values else "",
        access=access if access in LICENSE_STATES else "",
        team_id=identifier_or_none(query.get("team", "")),
        person_id=None if membership.sees_everything else membership.person_id,
    )
    asked = MemberQuestion(wanted, used if used in USES else "")
    return replace(asked, sort=sort) if sort.removeprefix("-") in SORTS else asked
