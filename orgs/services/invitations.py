"""Inviting people (product.md rule 3)."""

import secrets
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import Refusal, not_found
from orgs.enums import Event, NewsKind, Role
from orgs.models import Invitation, Membership, Organization, Person, Team
from orgs.policies import check_can_change_people
from orgs.selectors.invitations import (
    ReviewLine,
    check_how_many,
    digest_of,
    review_invitations,
)
from orgs.services import audit
from orgs.services.access import grant_chosen
from orgs.services.checking import invalid
from orgs.services.expiry import lock_at
from orgs.services.locking import lock, viewer
from orgs.services.mails import portal_link, sealed_letter
from orgs.services.members import add_member
from orgs.services.notices import tell_inviter
from orgs.services.outbox import Letter, post
from orgs.services.teams import put_in, team_of


@dataclass(frozen=True, slots=True)
class SentInvitation:
    """An invitation and the secret of its link, which is kept nowhere."""

    invitation: Invitation
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Invited:
    """What inviting did; `skipped` are the addresses that it passed over, each with its mark."""

    sent: tuple[SentInvitation, ...]
    skipped: tuple[ReviewLine, ...]


def invite(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    emails: Sequence[str],
    role: str = Role.MEMBER,
    team_id: uuid.UUID | None = None,
    with_license: bool = False,
) -> Invited:
    """Invite 1 to 1,000 addresses; those that are invalid, double, in or invited are skipped.

    A license is not reserved: it is given at acceptance, or waited for, and both are told.
    """
    if role not in Role.values:
        raise invalid("role", _("Choose owner, editor or member."))
    with transaction.atomic():
        row = lock(organization.pk)
        check_can_change_people(viewer(actor, row))
        offer = Offer(role, team_of(row, team_id) if team_id else None, with_license)
        review = review_invitations(row, emails, at)
        # Expired ones make room for the new link.
        Invitation.objects.open().filter(
            organization=row, email__in=review.new, expires_at__lte=at
        ).update(revoked_at=at)
        sent = [_new(actor, at, row, email, offer) for email in review.new]
        Invitation.objects.bulk_create(each.invitation for each in sent)
        audit.record_many(
            event=Event.INVITATION_SENT,
            actor=actor,
            at=at,
            organization_id=row.pk,
            subjects=[("invitation", each.invitation.pk) for each in sent],
            after=offer.fact(),
        )
        _send(row, actor, sent)
    return Invited(tuple(sent), review.skipped)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the inviter chose for those who accept."""

    role: str
    team: Team | None = None
    with_license: bool = False

    def fact(self) -> dict[str, object]:
        """As the audit log keeps it."""
        fact: dict[str, object] = {"role": str(self.role)}
        if self.team is not None:
            fact["team"] = str(self.team.pk)
        if self.with_license:
            fact["license"] = True
        return fact


def _new(
    actor: Actor, at: datetime, organization: Organization, email: str, offer: Offer
) -> SentInvitation:
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        organization=organization,
        email=email,
        role=offer.role,
        team=offer.team,
        with_license=offer.with_license,
        token_digest=digest_of(token),
        invited_by_id=actor.id,
        created_at=at,
        sent_at=at,
        expires_at=_expiry(at),
    )
    return SentInvitation(invitation, token)


def _expiry(at: datetime) -> datetime:
    return at + timedelta(days=settings.INVITATION_DAYS)


def _send(organization: Organization, actor: Actor, sent: Sequence[SentInvitation]) -> None:
    """Write the mails in the transaction; a worker sends them."""
    if not sent:
        return
    inviter = Person.objects.filter(pk=actor.id).first() if actor.id else None
    known = Person.objects.filter(email__in=[each.invitation.email for each in sent])
    languages = dict(known.order_by("id").values_list("email", "language"))
    fallback = inviter.language if inviter else ""
    letters = []
    for each in sent:
        email = each.invitation.email
        facts = _facts(organization, inviter, each)
        sealed = sealed_letter(NewsKind.INVITATION, languages.get(email, fallback), facts)
        letters.append(Letter(NewsKind.INVITATION, email, sealed, organization.pk))
    post(letters, sent[0].invitation.sent_at)


def _facts(
    organization: Organization, inviter: Person | None, sent: SentInvitation
) -> dict[str, Any]:
    return {
        "organization": organization.name,
        "inviter": inviter.shown_name if inviter else "",
        "role": sent.invitation.role,
        "days": settings.INVITATION_DAYS,
        "with_license": sent.invitation.with_license,
        "link": portal_link("orgs:accept_invitation", sent.token),
    }


def resend_invitation(
    *, actor: Actor, at: datetime, organization: Organization, invitation_id: uuid.UUID
) -> SentInvitation:
    """Send a new link with a new term; the old link stops working."""
    with transaction.atomic():
        invitation = _opened(actor, organization, invitation_id)
        return _renewed(actor, at, invitation.organization, [invitation])[0]


def resend_invitations(
    *, actor: Actor, at: datetime, organization: Organization, ids: Collection[uuid.UUID]
) -> tuple[SentInvitation, ...]:
    """Send new links for those that are still open, 1,000 at most; the others are passed over."""
    with transaction.atomic():
        row, found = _still_open(actor, organization, ids)
        return _renewed(actor, at, row, found)


def _renewed(
    actor: Actor, at: datetime, organization: Organization, invitations: Sequence[Invitation]
) -> tuple[SentInvitation, ...]:
    sent = []
    for invitation in invitations:
        token = secrets.token_urlsafe(32)
        invitation.token_digest = digest_of(token)
        invitation.sent_at, invitation.expires_at = at, _expiry(at)
        sent.append(SentInvitation(invitation, token))
    fields = ["token_digest", "sent_at", "expires_at"]
    Invitation.objects.bulk_update(invitations, fields, batch_size=200)
    _record(Event.INVITATION_RESENT, actor, at, organization, invitations)
    _send(organization, actor, sent)
    return tuple(sent)


def revoke_invitation(
    *, actor: Actor, at: datetime, organization: Organization, invitation_id: uuid.UUID
) -> Invitation:
    """Take an invitation back; its link stops working."""
    with transaction.atomic():
        invitation = _opened(actor, organization, invitation_id)
        invitation.revoked_at = at
        invitation.save(update_fields=["revoked_at"])
        _record(Event.INVITATION_REVOKED, actor, at, invitation.organization, [invitation])
    return invitation


def revoke_invitations(
    *, actor: Actor, at: datetime, organization: Organization, ids: Collection[uuid.UUID]
) -> tuple[Invitation, ...]:
    """Take back those that are still open, 1,000 at most; the others are passed over."""
    with transaction.atomic():
        row, found = _still_open(actor, organization, ids)
        Invitation.objects.filter(pk__in=[each.pk for each in found]).update(revoked_at=at)
        _record(Event.INVITATION_REVOKED, actor, at, row, found)
    return tuple(found)


def _still_open(
    actor: Actor, organization: Organization, ids: Collection[uuid.UUID]
) -> tuple[Organization, list[Invitation]]:
    """The locked organization, and those of the identifiers that are open there."""
    check_how_many([str(key) for key in ids])
    row = lock(organization.pk)
    check_can_change_people(viewer(actor, row))
    own = Invitation.objects.filter(organization=row, pk__in=ids)
    if own.count() != len(set(ids)):
        raise not_found()
    return row, list(own.filter(accepted_at=None, revoked_at=None).order_by("created_at", "id"))


def _opened(actor: Actor, organization: Organization, invitation_id: uuid.UUID) -> Invitation:
    row = lock(organization.pk)
    check_can_change_people(viewer(actor, row))
    found = Invitation.objects.select_related("organization").filter(
        organization=row, pk=invitation_id
    )
    invitation = found.first()
    if invitation is None:
        raise not_found()
    if invitation.accepted_at is not None:
        raise Refusal("invitation_used", _("This invitation was accepted already."), 409)
    if invitation.revoked_at is not None:
        raise Refusal("invitation_revoked", _("This invitation was taken back already."), 409)
    return invitation


def _record(
    event: Event,
    actor: Actor,
    at: datetime,
    organization: Organization,
    invitations: Sequence[Invitation],
) -> None:
    for role in Role.values:
        audit.record_many(
            event=event,
            actor=actor,
            at=at,
            organization_id=organization.pk,
            subjects=[("invitation", each.pk) for each in invitations if each.role == role],
            after={"role": role},
        )


def accept_invitation(*, actor: Actor, at: datetime, token: str, person: Person) -> Membership:
    """Join by a link: once, for the invited address, until it expires (at its expiry it has)."""
    digest = digest_of(token)
    found = Invitation.objects.filter(token_digest=digest).first()
    if found is None:
        raise unknown_link()
    with transaction.atomic():
        organization = lock_at(found.organization_id, at)
        invitation = Invitation.objects.select_related("team").get(pk=found.pk)
        if invitation.token_digest != digest:
            raise unknown_link()
        _check_open(invitation, at)
        _check_address(invitation, person)
        invitation.accepted_at, invitation.accepted_by = at, person
        invitation.save(update_fields=["accepted_at", "accepted_by"])
        membership = add_member(
            actor=actor, at=at, organization=organization, person=person, role=invitation.role
        )
        _give_what_was_offered(actor, at, organization, invitation, person)
        return membership


def _give_what_was_offered(
    actor: Actor, at: datetime, organization: Organization, invitation: Invitation, person: Person
) -> None:
    """The team and the license that the inviter chose; both are told what became of it."""
    if invitation.team is not None:
        put_in(actor, at, organization, invitation.team, [person.pk])
    if invitation.with_license:
        by = Actor(invitation.invited_by_id, actor.origin)
        grant_chosen(by, at, organization, [person.pk])
    tell_inviter(organization, invitation, person, at)


def unknown_link() -> Refusal:
    sentence = _(
        "This link leads nowhere: it was replaced by a newer one, or part of it is missing. "
        "Ask for a new invitation."
    )
    return Refusal("invitation_unknown", sentence, 404)


def _check_open(invitation: Invitation, at: datetime) -> None:
    if invitation.accepted_at is not None:
        raise Refusal("invitation_used", _("This invitation was used already."), 410)
    if invitation.revoked_at is not None:
        sentence = _("This invitation was taken back. Ask for a new one.")
        raise Refusal("invitation_revoked", sentence, 410)
    if not invitation.is_open(at):
        sentence = _("This invitation has expired. Ask for a new one.")
        raise Refusal("invitation_expired", sentence, 410)


def _check_address(invitation: Invitation, person: Person) -> None:
    if is_address_of(invitation.email, person):
        return
    sentence = _(
        "The invitation is for %(invited)s, and you are signed in as %(own)s. Sign out, then "
        "sign in with the invited address."
    )
    values = {"invited": invitation.email, "own": person.email}
    raise Refusal("invitation_for_another_address", sentence % values, 403)


def is_address_of(email: str, person: Person) -> bool:
    """Whether it is an address that the person has confirmed: their own, or another one."""
    confirmed = EmailAddress.objects.filter(user_id=person.pk, verified=True)
    return bool(confirmed.filter(email__iexact=email).exists())
