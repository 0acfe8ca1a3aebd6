"""What operators do to people, each act with a reason and an audit entry (rule 7)."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.refusals import Refusal, not_found
from orgs.enums import Event, NewsKind
from orgs.models import OutgoingMail, Person
from orgs.services import audit, outbox
from orgs.services.checking import invalid
from orgs.services.mails import portal_link
from orgs.services.news import notify

MOST_REASON = 200


def clean_reason(reason: str) -> str:
    """1 to 200 characters; whoever reads the log later wants to know why."""
    text = " ".join(reason.split())
    if not text:
        raise invalid("reason", _("Say why: it stands in the audit log."))
    if len(text) > MOST_REASON:
        sentence = _("Give the reason in at most %(most)s characters.")
        raise invalid("reason", sentence % {"most": MOST_REASON})
    return text


def check_is_operator(actor: Actor) -> None:
    """404 for everybody else, as for whatever is not theirs to see."""
    staff = Person.objects.filter(is_staff=True, is_active=True)
    if actor.id is None or not staff.filter(pk=actor.id).exists():
        raise not_found()


def note_act(
    *,
    actor: Actor,
    at: datetime,
    act: str,
    reason: str,
    subject: tuple[str, uuid.UUID],
    organization_id: uuid.UUID | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """The entry of an operator's act, in the organization's log where it concerns one.

    Call it in the transaction of the act, after `check_is_operator`.
    """
    named = audit.Named(clean_reason(reason), actor.id)
    audit.record(
        event=Event.OPERATOR_ACTED,
        actor=actor,
        at=at,
        organization_id=organization_id,
        subject=subject,
        after={"act": act, "reason": named, **(more or {})},
    )


def switch_sign_in(
    *, actor: Actor, at: datetime, person: Person, active: bool, reason: str
) -> None:
    """Let nobody sign in as the person, or let them again; browsers are signed out at once."""
    with transaction.atomic():
        row = _changeable(actor, person)
        note_act(
            actor=actor,
            at=at,
            act="sign_in_on" if active else "sign_in_off",
            reason=reason,
            subject=("person", row.pk),
        )
        if not active:
            # While they are still among those who are told anything.
            _tell(row, "sign_in_off", at)
            sign_out_everywhere(row)
        row.is_active = active
        row.save(update_fields=["is_active"])
        if active:
            _tell(row, "sign_in_on", at)


def remove_second_factor(*, actor: Actor, at: datetime, person: Person, reason: str) -> None:
    """For somebody who lost the device and the recovery codes, once the operator knows who asks."""
    with transaction.atomic():
        row = _changeable(actor, person)
        factors = Authenticator.objects.filter(user_id=row.pk)
        if not factors.exists():
            raise Refusal("no_second_factor", _("This person has no second factor."), 409)
        note_act(
            actor=actor,
            at=at,
            act="second_factor_removed",
            reason=reason,
            subject=("person", row.pk),
        )
        factors.delete()
        sign_out_everywhere(row)
        _tell(row, "second_factor_removed", at)


def make_operator(
    *, actor: Actor, at: datetime, person: Person, operator: bool, reason: str
) -> None:
    """Give the operators' pages to a person, or take them away."""
    with transaction.atomic():
        row = _changeable(actor, person)
        note_act(
            actor=actor,
            at=at,
            act="operator_on" if operator else "operator_off",
            reason=reason,
            subject=("person", row.pk),
        )
        row.is_staff = operator
        row.is_superuser = operator
        row.save(update_fields=["is_staff", "is_superuser"])


def _tell(person: Person, act: str, at: datetime) -> None:
    """By mail also where the person may no longer sign in: it is theirs to know."""
    facts = {"person": person.shown_name, "act": act, "link": portal_link("mfa_index")}
    notify(
        kind=NewsKind.SIGN_IN_CHANGED,
        at=at,
        organization=None,
        people=[person],
        context=lambda _person: facts,
    )


def send_mail_again(
    *, actor: Actor, at: datetime, mail_ids: Sequence[uuid.UUID], reason: str
) -> int:
    """Let mail that could not be sent go out once more, of whatever organization; how many."""
    with transaction.atomic():
        check_is_operator(actor)
        rows = OutgoingMail.objects.troubled().filter(pk__in=mail_ids)
        found = outbox.queue_again(rows, at)
        for mail in found:
            note_act(
                actor=actor,
                at=at,
                act="mail_resent",
                reason=reason,
                subject=("mail", mail.pk),
                organization_id=mail.organization_id,
                more={"kind": mail.kind},
            )
        return len(found)


def sign_out_everywhere(person: Person) -> None:
    """End every browser's session of the person."""
    rows = UserSession.objects.filter(user_id=person.pk)
    for session in rows.order_by("id"):
        SessionStore(session.session_key).delete()
    rows.delete()


def _changeable(actor: Actor, person: Person) -> Person:
    """The row, locked; oneself and who was erased can't be changed here."""
    check_is_operator(actor)
    if actor.id == person.pk:
        sentence = _("Another operator has to do this to your own account.")
        raise Refusal("own_account", sentence, 409)
    row = Person.objects.select_for_update().get(pk=person.pk)
    if row.is_erased:
        raise Refusal("erased", _("This person has been erased."), 409)
    return row
