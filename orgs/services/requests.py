"""A refused member asks, owners answer (product.md rule 26): one request of a kind at a time."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common.actors import Actor
from offload_portal.common.display import duration_text
from offload_portal.common.refusals import Refusal, not_found
from orgs.enums import (
    Event,
    LicenseState,
    NewsKind,
    OffloadSwitch,
    RequestKind,
    RequestState,
)
from orgs.models import LicenseGrant, MemberRequest, Organization, Person
from orgs.policies import check_can_answer_requests
from orgs.selectors.access import standing
from orgs.selectors.policies import policy_of
from orgs.services import audit
from orgs.services.access import grant_to_person
from orgs.services.checking import invalid
from orgs.services.expiry import lock_at
from orgs.services.following import end_overrides
from orgs.services.locking import viewer
from orgs.services.mails import portal_link
from orgs.services.news import notify
from orgs.services.notices import owners_of
from orgs.services.overrides import OverrideChange, add_to_locked

MOST_LETTERS = 500
LEAST_SECONDS, MOST_SECONDS = 60, 365 * 86_400
MOST_NAME_LETTERS = 80


@dataclass(frozen=True, slots=True)
class Answer:
    """What an owner answers. `until` is needed for access and length, `seconds` overrides what
    was wanted for length."""

    approve: bool
    until: datetime | None = None
    seconds: int | None = None
    text: str = ""


def make_request(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    person: Person,
    kind: str,
    note: str = "",
    wanted_seconds: int | None = None,
) -> MemberRequest:
    """Ask the owners. 409 where the same is asked already or is so anyway."""
    if kind not in RequestKind.values:
        raise invalid("kind", _("Ask for access, hours or a longer session."))
    with transaction.atomic():
        row = lock_at(organization.pk, at)
        found = standing(row, person, at)
        if found.role is None:
            raise not_found()
        if MemberRequest.objects.open().filter(organization=row, person=person, kind=kind).exists():
            raise Refusal("request_open", _("You have asked for this; an owner will answer."), 409)
        _check_needed(row, person, at, RequestKind(kind), found.license_state, wanted_seconds)
        made = MemberRequest.objects.create(
            organization=row,
            person=person,
            kind=kind,
            note=_text("note", note),
            wanted_seconds=wanted_seconds,
            created_at=at,
        )
        _record(Event.REQUEST_MADE, actor, at, made, {"wanted_seconds": wanted_seconds})
        _tell_owners(row, made, person)
    return made


def _check_needed(
    organization: Organization,
    person: Person,
    at: datetime,
    kind: RequestKind,
    license_state: str,
    wanted: int | None,
) -> None:
    if wanted is not None and not LEAST_SECONDS <= wanted <= MOST_SECONDS:
        raise invalid("wanted_seconds", _("From one minute to 365 days."))
    terms = policy_of(organization, person, at).terms
    off = terms.offload == OffloadSwitch.ALWAYS_DISABLED
    if kind == RequestKind.ACCESS and license_state == LicenseState.HELD and not off:
        raise Refusal("request_needless", _("You have access already."), 409)
    if kind != RequestKind.SESSION_LENGTH:
        return
    longest = terms.longest_session_seconds
    if longest is None:
        raise Refusal("request_needless", _("Your sessions have no limit of length."), 409)
    if wanted is None:
        raise invalid("wanted_seconds", _("Say how long a session should last."))
    if wanted <= longest:
        sentence = _("Your sessions may last %(longest)s already.")
        raise invalid("wanted_seconds", sentence % {"longest": duration_text(longest)})


def withdraw_request(
    *, actor: Actor, at: datetime, organization: Organization, person: Person, request_id: uuid.UUID
) -> MemberRequest:
    """Take one's own request back."""
    with transaction.atomic():
        row = lock_at(organization.pk, at)
        found = _open(MemberRequest.objects.filter(organization=row, person=person), request_id)
        _close(found, RequestState.WITHDRAWN, at)
        _record(Event.REQUEST_WITHDRAWN, actor, at, found, {})
    return found


def withdraw_all(
    actor: Actor, at: datetime, organization: Organization, people: Collection[uuid.UUID]
) -> None:
    """Who leaves the locked organization asks for nothing any more."""
    rows = MemberRequest.objects.open().filter(organization=organization, person_id__in=people)
    for found in rows:
        _close(found, RequestState.WITHDRAWN, at)
        _record(Event.REQUEST_WITHDRAWN, actor, at, found, {})


def answer_request(
    *,
    actor: Actor,
    at: datetime,
    organization: Organization,
    request_id: uuid.UUID,
    answer: Answer,
) -> MemberRequest:
    """Approve or decline. Approving access or length holds until an instant; owners only.

    409 where it was answered or withdrawn before: two owners at once give one answer.
    """
    with transaction.atomic():
        row = lock_at(organization.pk, at)
        check_can_answer_requests(viewer(actor, row))
        found = _open(MemberRequest.objects.filter(organization=row), request_id)
        found.answer, found.answered_by_id = _text("answer", answer.text), actor.id
        if answer.approve:
            end_overrides(row, at)
            found.until = _until(found, answer, at)
            _grant(actor, at, row, found, answer)
        _close(found, RequestState.APPROVED if answer.approve else RequestState.DECLINED, at)
        event = Event.REQUEST_APPROVED if answer.approve else Event.REQUEST_DECLINED
        until = found.until.isoformat() if found.until else None
        _record(event, actor, at, found, {"person": str(found.person_id), "until": until})
        _tell_asker(row, found, actor)
    return found


def _open(rows: Any, request_id: uuid.UUID) -> MemberRequest:
    found = rows.select_related("person").filter(pk=request_id).first()
    if found is None:
        raise not_found()
    if found.state == RequestState.WITHDRAWN:
        raise Refusal("request_answered", _("This request was withdrawn."), 409)
    if not found.is_open:
        raise Refusal("request_answered", _("This request was answered already."), 409)
    return found  # type: ignore[no-any-return]  # rows are requests


def _close(found: MemberRequest, state: RequestState, at: datetime) -> None:
    found.state, found.answered_at = state, at
    found.save()


def _until(found: MemberRequest, answer: Answer, at: datetime) -> datetime | None:
    if found.kind == RequestKind.HOURS:
        return None
    if answer.until is None:
        raise invalid("until", _("Say until when it holds."))
    if answer.until <= at:
        raise invalid("until", _("The end lies in the past."))
    return answer.until


def _grant(
    actor: Actor, at: datetime, organization: Organization, found: MemberRequest, answer: Answer
) -> None:
    """What is asked for, until the instant. Hours are bought or allowed on the billing pages."""
    if found.kind == RequestKind.ACCESS:
        _give_access(actor, at, organization, found)
    elif found.kind == RequestKind.SESSION_LENGTH:
        seconds = answer.seconds or found.wanted_seconds
        name = _("Longer sessions for %(name)s")
        _override(actor, at, organization, found, name, {"longest_session_seconds": seconds})


def _give_access(
    actor: Actor, at: datetime, organization: Organization, found: MemberRequest
) -> None:
    own = LicenseGrant.objects.filter(organization=organization, person=found.person).first()
    lasts = own is not None and (own.until is None or (found.until and own.until >= found.until))
    if not lasts:
        grant_to_person(
            actor=actor,
            at=at,
            organization=organization,
            person=found.person,
            until=found.until,
        )
    terms = policy_of(organization, found.person, at).terms
    if terms.offload == OffloadSwitch.ALWAYS_DISABLED:
        name = _("Offload for %(name)s")
        _override(actor, at, organization, found, name, {"offload": OffloadSwitch.ENABLED})


def _override(
    actor: Actor,
    at: datetime,
    organization: Organization,
    found: MemberRequest,
    name: str,
    terms: dict[str, Any],
) -> None:
    change = OverrideChange(
        name=(name % {"name": found.person.shown_name})[:MOST_NAME_LETTERS],
        terms=terms,
        person_ids=[found.person_id],
        description=_("Approved request"),
        until=found.until,
    )
    add_to_locked(actor, at, organization, change)


def _text(field: str, text: str) -> str:
    words = " ".join(text.split())
    if len(words) > MOST_LETTERS:
        raise invalid(field, _("At most %(most)s characters.") % {"most": MOST_LETTERS})
    return words


def _record(
    event: Event, actor: Actor, at: datetime, found: MemberRequest, after: dict[str, Any]
) -> None:
    audit.record(
        event=event,
        actor=actor,
        at=at,
        organization_id=found.organization_id,
        subject=("request", found.pk),
        after={"kind": found.kind, **after},
    )


def _tell_owners(organization: Organization, found: MemberRequest, person: Person) -> None:
    wanted = duration_text(found.wanted_seconds) if found.wanted_seconds else ""
    facts = {
        "organization": organization.name,
        "person": person.shown_name,
        "kind": found.kind,
        "note": found.note,
        "wanted": wanted,
        "link": portal_link("orgs:request", organization.slug, found.pk),
    }
    notify(
        kind=NewsKind.REQUEST_MADE,
        at=found.created_at,
        organization=organization,
        people=owners_of(organization),
        context=lambda _owner: facts,
        about=person.pk,
    )


def _tell_asker(organization: Organization, found: MemberRequest, actor: Actor) -> None:
    by = Person.objects.filter(pk=actor.id).first() if actor.id else None
    facts = {
        "organization": organization.name,
        "person": found.person.shown_name,
        "by": by.shown_name if by else _("The portal"),
        "kind": found.kind,
        "approved": found.state == RequestState.APPROVED,
        "until": found.until,
        "answer": found.answer,
        "link": portal_link("orgs:request", organization.slug, found.pk),
    }
    notify(
        kind=NewsKind.REQUEST_ANSWERED,
        at=found.answered_at or found.created_at,
        organization=organization,
        people=[found.person],
        context=lambda _asker: facts,
        about=actor.id,
    )
