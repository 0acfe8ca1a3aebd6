"""The members of an organization as lists show them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import CharField, Count, Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Lower, NullIf

from orgs.enums import LicenseState, MailState, PrivacyMode, RequestState
from orgs.models import (
    Invitation,
    License,
    LicenseGrant,
    MemberRequest,
    Membership,
    Organization,
    OutgoingMail,
    TeamMember,
)
from orgs.selectors.access import PersonRef, grant_words, grants_by_person, reference
from orgs.selectors.teams import teams_of


@dataclass(frozen=True, slots=True)
class MemberFilter:
    """What the member list was asked for; empty fields mean everyone.

    `access` is `held`, `queued` or `none`; `person_id` limits it to one (members see themselves).
    """

    search: str = ""
    role: str = ""
    access: str = ""
    person_id: uuid.UUID | None = None
    team_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member. `license_state` is `held`, `queued` or `none`; grants as the API says them.

    `teams` are (identifier, name). `last_session_at` is what the asker put beside the membership
    (`sessions.selectors.members`); None where there was no session, or nobody asked.
    """

    person: PersonRef
    role: str
    joined_at: datetime
    license_state: str
    grants: tuple[str, ...]
    teams: tuple[tuple[uuid.UUID, str], ...] = ()
    last_sign_in_at: datetime | None = None
    last_session_at: datetime | None = None
    hides_use: bool = False  # insights don't name people, so nobody's last session is told


EVERYONE = MemberFilter()


def members_matching(
    organization: Organization, wanted: MemberFilter = EVERYONE
) -> QuerySet[Membership]:
    """Memberships with `license_state` and `sort_name` beside them, by name or address.

    Page them by (sort_name, id), then `member_rows`.
    """
    licenses = License.objects.filter(
        organization_id=OuterRef("organization_id"), person_id=OuterRef("person_id")
    )
    rows = (
        Membership.objects.filter(organization=organization)
        .annotate(
            license_state=Subquery(licenses.order_by("id").values("state")[:1]),
            sort_name=Lower(
                Coalesce(
                    NullIf("person__name", Value("")), "person__email", output_field=CharField()
                )
            ),
        )
        .select_related("person")
        .order_by("sort_name", "id")
    )
    if wanted.team_id is not None:
        # Only a team of this organization: another's would tell who is in it.
        inside = TeamMember.objects.filter(organization=organization, team=wanted.team_id)
        rows = rows.filter(Exists(inside.filter(person=OuterRef("person_id"))))
    if wanted.person_id is not None:
        rows = rows.filter(person_id=wanted.person_id)
    if wanted.search:
        rows = rows.filter(
            Q(person__name__icontains=wanted.search) | Q(person__email__icontains=wanted.search)
        )
    if wanted.role:
        rows = rows.filter(role=wanted.role)
    if wanted.access == "none":
        rows = rows.filter(~Exists(licenses))
    elif wanted.access:
        rows = rows.filter(Exists(licenses.filter(state=wanted.access)))
    return rows


def member_rows(
    organization: Organization, memberships: Sequence[Membership], at: datetime
) -> tuple[MemberRow, ...]:
    """The rows of one page of `members_matching`, with every grant of each."""
    persons = [row.person_id for row in memberships]
    grants = grants_by_person(organization, at, persons)
    teams = teams_of(organization, persons)
    hides = organization.privacy != PrivacyMode.NAMED
    return tuple(
        MemberRow(
            person=reference(row.person),
            role=row.role,
            joined_at=row.joined_at,
            license_state=getattr(row, "license_state", None) or "none",
            grants=grant_words(grants.get(row.person_id, ())),
            teams=teams.get(row.person_id, ()),
            last_sign_in_at=row.person.last_login,
            last_session_at=None if hides else getattr(row, "last_session_at", None),
            hides_use=hides,
        )
        for row in memberships
    )


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What an organization's people have done of the first-run checklist."""

    members_invited: bool
    access_granted: bool
    member_count: int
    open_invitations: int
    licenses: int
    licenses_held: int
    licenses_queued: int
    open_requests: int
    unsent_mails: int


def first_steps(organization: Organization) -> FirstSteps:
    """Whether someone was invited or joined, who has access, and what waits; one statement."""
    counted = {
        "members": Membership.objects.all(),
        "invited": Invitation.objects.all(),
        "open_invitations": Invitation.objects.open(),
        "grants": LicenseGrant.objects.all(),
        "licenses_queued": License.objects.queued(),
        "open_requests": MemberRequest.objects.filter(state=RequestState.OPEN),
        "unsent_mails": OutgoingMail.objects.filter(state=MailState.FAILED),
    }
    numbers = {name: Subquery(_number_of(rows)) for name, rows in counted.items()}
    row = Organization.objects.filter(pk=organization.pk).annotate(**numbers)
    found: dict[str, Any] = dict(row.values("licenses", "licenses_held", *counted).get())
    of = {name: int(number or 0) for name, number in found.items()}
    return FirstSteps(
        members_invited=of["members"] > 1 or of["invited"] > 0,
        access_granted=of["grants"] > 0,
        member_count=of["members"],
        open_invitations=of["open_invitations"],
        licenses=of["licenses"],
        licenses_held=of["licenses_held"],
        licenses_queued=of["licenses_queued"],
        open_requests=of["open_requests"],
        unsent_mails=of["unsent_mails"],
    )


def _number_of(rows: QuerySet[Any]) -> Any:
    """How many of the rows belong to the organization of the outer query."""
    own = rows.filter(organization=OuterRef("pk")).order_by().values("organization")
    return own.annotate(number=Count("pk")).values("number")


LICENSE_STATES = (*LicenseState.values, "none")


def members_by_address(
    organization: Organization, addresses: Sequence[str]
) -> tuple[list[uuid.UUID], list[str]]:
    """The members who have the addresses, and the addresses that nobody here has."""
    emails = list(dict.fromkeys(address.strip().lower() for address in addresses))
    rows = Membership.objects.for_organization(organization).filter(person__email__in=emails)
    found = dict(rows.values_list("person__email", "person_id"))
    return [*found.values()], [email for email in emails if email not in found]
