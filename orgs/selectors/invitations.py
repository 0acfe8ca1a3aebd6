"""Invitations: what was typed, what it would do, what a link leads to (product.md rule 3)."""

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from offload_portal.common.refusals import Refusal
from orgs.models import Invitation, Membership, Organization
from orgs.selectors.addresses import is_address, plain_domain, tidy

MOST_AT_ONCE = 1_000


class Mark(StrEnum):
    """What the review says of one address."""

    NEW = "new"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    MEMBER = "member"
    INVITED = "invited"


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """An address in small letters as it was typed, and what would happen with it."""

    email: str
    mark: Mark

    @property
    def plain_domain(self) -> str:
        """Its domain in ASCII where it has other letters: a look-alike shows itself."""
        return plain_domain(self.email)


@dataclass(frozen=True, slots=True)
class Review:
    """The lines in the order typed."""

    lines: tuple[ReviewLine, ...]

    @property
    def new(self) -> tuple[str, ...]:
        return tuple(line.email for line in self.lines if line.mark == Mark.NEW)

    @property
    def skipped(self) -> tuple[ReviewLine, ...]:
        return tuple(line for line in self.lines if line.mark != Mark.NEW)

    def count(self, mark: str) -> int:
        return Counter(line.mark for line in self.lines)[Mark(mark)]


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """An open invitation in the list of the members page."""

    id: uuid.UUID
    email: str
    role: str
    sent_at: datetime
    expires_at: datetime
    expired: bool
    invited_by: str
    team: str
    with_license: bool


@dataclass(frozen=True, slots=True)
class InvitationOffer:
    """What a link offers. `state` is `open`, `expired`, `used` or `revoked`."""

    organization_name: str
    slug: str
    email: str
    role: str
    invited_by: str
    expires_at: datetime
    state: str
    team: str = ""
    with_license: bool = False


def digest_of(token: str) -> str:
    """What is kept of a link's secret."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def check_how_many(addresses: Sequence[str]) -> None:
    """1 to 1,000 at once (rule 3)."""
    if not addresses:
        sentence = _("Give at least one e-mail address.")
        raise Refusal("invalid", sentence, 400, errors={"emails": [sentence]})
    if len(addresses) > MOST_AT_ONCE:
        sentence = _("At most %(most)s addresses at once; these are %(count)s.") % {
            "most": f"{MOST_AT_ONCE:,}",
            "count": f"{len(addresses):,}",
        }
        raise Refusal("too_many_invitations", sentence, 400, errors={"emails": [sentence]})


def review_invitations(
    organization: Organization, addresses: Sequence[str], at: datetime
) -> Review:
    """What inviting these addresses would do. Two statements, whatever their number."""
    check_how_many(addresses)
    emails = [tidy(address) for address in addresses]
    members = _member_addresses(organization, emails)
    invited = set(
        Invitation.objects.open()
        .filter(organization=organization, email__in=emails, expires_at__gt=at)
        .values_list("email", flat=True)
    )
    seen: set[str] = set()
    lines = []
    for email in emails:
        lines.append(ReviewLine(email, _mark(email, seen, members, invited)))
        seen.add(email)
    return Review(tuple(lines))


def _member_addresses(organization: Organization, emails: Sequence[str]) -> set[str]:
    rows = Membership.objects.filter(organization=organization, person__email__in=emails)
    return set(rows.order_by("id").values_list("person__email", flat=True))


def _mark(email: str, seen: set[str], members: set[str], invited: set[str]) -> Mark:
    if not is_address(email):
        return Mark.INVALID
    if email in seen:
        return Mark.DUPLICATE
    if email in members:
        return Mark.MEMBER
    return Mark.INVITED if email in invited else Mark.NEW


def invitations_matching(
    organization: Organization, at: datetime, *, search: str = "", expired: bool | None = None
) -> QuerySet[Invitation]:
    """Open ones, those that expired among them; page them by INVITATION_ORDER."""
    rows = Invitation.objects.open().filter(organization=organization)
    if search:
        rows = rows.filter(email__icontains=search)
    if expired is not None:
        rows = rows.filter(expires_at__lte=at) if expired else rows.filter(expires_at__gt=at)
    return rows.select_related("invited_by", "team")


INVITATION_ORDER = ("-created_at", "id")


def invitation_rows(invitations: Iterable[Invitation], at: datetime) -> tuple[InvitationRow, ...]:
    """The rows of one page of `invitations_matching`."""
    return tuple(
        InvitationRow(
            id=row.pk,
            email=row.email,
            role=row.role,
            sent_at=row.sent_at,
            expires_at=row.expires_at,
            expired=row.is_expired(at),
            invited_by=row.invited_by.shown_name if row.invited_by else "",
            team=row.team.name if row.team else "",
            with_license=row.with_license,
        )
        for row in invitations
    )


def offer_of(token: str, at: datetime) -> InvitationOffer | None:
    """What the link offers at the instant; None where no invitation has it."""
    row = (
        Invitation.objects.filter(token_digest=digest_of(token))
        .select_related("organization", "invited_by", "team")
        .first()
    )
    if row is None:
        return None
    return InvitationOffer(
        organization_name=row.organization.name,
        slug=row.organization.slug,
        email=row.email,
        role=row.role,
        invited_by=row.invited_by.shown_name if row.invited_by else "",
        expires_at=row.expires_at,
        state=_state(row, at),
        team=row.team.name if row.team else "",
        with_license=row.with_license,
    )


def _state(row: Invitation, at: datetime) -> str:
    if row.accepted_at is not None:
        return "used"
    if row.revoked_at is not None:
        return "revoked"
    return "open" if row.is_open(at) else "expired"
