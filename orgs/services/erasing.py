"""Erasing people and deleting organizations (product.md rules 1, 7 and 27).

Personal data goes; identifiers stay, because ledgers, sessions and audit entries point to them.
"""

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.idp.oidc.models import Token as ClientToken
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from offload_portal.api.models import KeptAnswer
from offload_portal.common.actors import Actor
from offload_portal.common.refusals import Refusal, not_found
from orgs.enums import Event, LicenseState, NewsKind
from orgs.models import (
    AccessLoss,
    Address,
    AuditText,
    BulkChange,
    DeclinedMail,
    Invitation,
    License,
    LicenseGrant,
    MemberRequest,
    Membership,
    Notification,
    Organization,
    OutgoingMail,
    Person,
    PolicyMark,
    PolicyOverride,
    PolicyTarget,
    Team,
    TeamMember,
    Token,
)
from orgs.policies import check_can_delete_organization
from orgs.selectors.erasing import lone_ownerships
from orgs.services import audit
from orgs.services.locking import lock, viewer
from orgs.services.mails import portal_link
from orgs.services.members import leave
from orgs.services.news import notify
from orgs.services.operating import sign_out_everywhere

# In an order in which nothing points to what is gone.
OF_AN_ORGANIZATION = (
    LicenseGrant,
    License,
    PolicyTarget,
    PolicyOverride,
    PolicyMark,
    BulkChange,
    MemberRequest,
    TeamMember,
    Team,
    Invitation,
    Membership,
    Token,
    Address,
    OutgoingMail,
    Notification,
)
ERASED_HOST = "erased.invalid"


def _nowhere(identifier: uuid.UUID) -> str:
    """An address that can't exist, unique as the column asks."""
    return f"{identifier.hex}@{ERASED_HOST}"


# People


def erase_person(*, actor: Actor, at: datetime, person: Person) -> list[uuid.UUID]:
    """Take name and addresses of the person from everywhere; the organizations that they left.

    Every membership ends as if they had left, so a last owner is refused (409 `last_owner`).
    Tokens and sign-ins are dead afterwards. Doing it again changes nothing.
    """
    with transaction.atomic():
        _check_owns_nothing_alone(person)
        left = _leave_all(actor, at, person)
        row = Person.objects.select_for_update().get(pk=person.pk)
        if row.is_erased:
            return []
        _forget_texts(row)
        _shut_out(row)
        _empty(row, at)
        audit.record(
            event=Event.PERSON_ERASED,
            actor=actor,
            at=at,
            organization_id=None,
            subject=("person", row.pk),
        )
    return left


def _check_owns_nothing_alone(person: Person) -> None:
    alone = lone_ownerships(person)
    if alone:
        names = ", ".join(each.name for each in alone)
        sentence = _(
            "An organization keeps at least one owner, and you are the only one of %(names)s. Make "
            "someone else an owner there, or delete it first."
        )
        raise Refusal("last_owner", sentence % {"names": names}, 409)


def _leave_all(actor: Actor, at: datetime, person: Person) -> list[uuid.UUID]:
    """In one order, so that two who go at once don't wait for each other."""
    rows = Membership.objects.filter(person=person).select_related("organization")
    left = [row.organization for row in rows.order_by("organization_id")]
    for organization in left:
        leave(actor=actor, at=at, organization=organization, person=person)
    return [organization.pk for organization in left]


def _addresses_of(person: Person) -> set[str]:
    rows = EmailAddress.objects.filter(user_id=person.pk)
    return {person.email.lower(), *(each.lower() for each in rows.values_list("email", flat=True))}


def _forget_texts(person: Person) -> None:
    """What names them beside audit entries, and in invitations, whoever wrote it."""
    known = _addresses_of(person)
    AuditText.objects.filter(person_id=person.pk).delete()
    for address in known:
        AuditText.objects.filter(text__iexact=address).delete()
        for row in Invitation.objects.filter(email__iexact=address).order_by("id"):
            Invitation.objects.filter(pk=row.pk).update(email=_nowhere(row.pk))
    _forget_news(person, known)
    MemberRequest.objects.filter(person=person).update(note="", answer="")
    MemberRequest.objects.filter(answered_by=person).update(answer="")


def _forget_news(person: Person, addresses: Collection[str]) -> None:
    """Mail to them that still waits, news for them, and news that names them."""
    for address in addresses:
        OutgoingMail.objects.filter(to__iexact=address).delete()
    OutgoingMail.objects.filter(person=person).delete()
    DeclinedMail.objects.filter(person=person).delete()
    Notification.objects.filter(Q(person=person) | Q(about=person)).delete()
    named = Notification.objects.alias(told=Cast("facts", TextField()))
    for name in {person.name, *addresses} - {""}:
        # Between quotes, so that only whole values match; SQLite keeps them in ASCII.
        for form in {json.dumps(name), json.dumps(name, ensure_ascii=False)}:
            named.filter(told__icontains=form).delete()


def _shut_out(person: Person) -> None:
    """No token, browser, second factor or address opens anything any more."""
    sign_out_everywhere(person)
    for rows in (EmailAddress, Authenticator, ClientToken):
        rows.objects.filter(user_id=person.pk).delete()
    Token.objects.filter(person=person).delete()
    KeptAnswer.objects.filter(caller=f"person:{person.pk}").delete()


def _empty(person: Person, at: datetime) -> None:
    person.email = _nowhere(person.pk)
    person.name = person.language = person.zone = ""
    person.idle_timeout_seconds = None
    person.default_organization = None
    person.is_active = person.is_staff = person.is_superuser = False
    person.last_login = None
    person.erased_at = at
    person.set_unusable_password()
    person.save()


# Organizations


def delete_organization(*, actor: Actor, at: datetime, organization: Organization) -> None:
    """Take its people, access, invitations, tokens and names away; what is booked stays.

    Owners only. Its sessions and subscription have ended before (`sessions.services` sees to
    that). Nobody finds it afterwards, and its addresses are free again.
    """
    with transaction.atomic():
        row = lock(organization.pk)
        if row.deleted_at is not None:
            raise not_found()
        check_can_delete_organization(viewer(actor, row))
        _lose_access(row, at)
        members = _tell_of_deletion(actor, row, at)
        Person.objects.filter(default_organization=row).update(default_organization=None)
        for rows in OF_AN_ORGANIZATION:
            rows.objects.filter(organization=row).delete()
        AuditText.objects.filter(organization_id=row.pk).delete()
        _empty_organization(row, at)
        audit.record(
            event=Event.ORGANIZATION_DELETED,
            actor=actor,
            at=at,
            organization_id=row.pk,
            subject=("organization", row.pk),
            before={"members": members},
        )


def _tell_of_deletion(actor: Actor, organization: Organization, at: datetime) -> int:
    """Tell everybody who belongs to it; how many they are. The news outlives the organization."""
    rows = Membership.objects.for_organization(organization).select_related("person")
    people = [row.person for row in rows]
    by = next((person.shown_name for person in people if person.pk == actor.id), _("An operator"))
    link = portal_link("pages:home")

    def facts(person: Person) -> Mapping[str, Any]:
        names = {"organization": organization.name, "by": by, "link": link}
        return {**names, "person": person.shown_name}

    notify(
        kind=NewsKind.ORGANIZATION_DELETED, at=at, organization=None, people=people, context=facts
    )
    return len(people)


def _lose_access(organization: Organization, at: datetime) -> None:
    held = License.objects.filter(organization=organization, state=LicenseState.HELD)
    people: Sequence[uuid.UUID] = list(held.order_by("id").values_list("person_id", flat=True))
    AccessLoss.objects.bulk_create(
        AccessLoss(organization=organization, person_id=person, at=at, cause="organization_deleted")
        for person in people
    )


def _empty_organization(organization: Organization, at: datetime) -> None:
    organization.slug = f"deleted-{organization.pk.hex}"
    organization.name = ""
    organization.licenses = organization.licenses_held = 0
    organization.requires_second_factor = False
    organization.billing_contact = ""
    organization.deleted_at = at
    organization.save()
