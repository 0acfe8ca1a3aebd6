"""Who may do what with people, access and policy (product.md rules 1 and 2).

Pairs over frozen dataclasses: `check_can_x` raises the sentence, `can_x` answers a template with
the same rule. They never query.
"""

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from offload_portal.common.refusals import Refusal
from orgs.enums import RequestKind, Role
from orgs.selectors.places import Contact, Viewer

T = TypeVar("T")

# What somebody who meets a refusal of a start may ask for (rule 26).
REQUEST_OF_CODE = {
    "policy_disabled": RequestKind.ACCESS,
    "no_license": RequestKind.ACCESS,
    "license_queued": RequestKind.ACCESS,
    "no_allowance": RequestKind.HOURS,
    "on_demand_limit_reached": RequestKind.HOURS,
    "cap_reached": RequestKind.HOURS,
}
NOT_AN_OWNER = "not_an_owner"
LAST_OWNER = "last_owner"
OWN_MEMBERSHIP = "own_membership"
SECOND_FACTOR = "second_factor_required"


@dataclass(frozen=True, slots=True)
class Departure:
    """An owner or member who goes or stops being an owner. `owners` counts all owners now."""

    role: str
    owners: int


def _owners_only(viewer: Viewer, sentence: str) -> None:
    """Owners and the portal itself may; everyone else learns whom to ask."""
    if viewer.is_portal or viewer.role == Role.OWNER:
        return
    names = ", ".join(contact.name for contact in viewer.contacts[:3])
    ask = " " + _("Ask %(owners)s.") % {"owners": names} if names else ""
    people = [{"name": contact.name, "email": contact.email} for contact in viewer.contacts]
    raise Refusal(NOT_AN_OWNER, sentence + ask, 403, {"contacts": people})


def check_can_change_people(viewer: Viewer) -> None:
    _owners_only(viewer, _("Only owners can invite, remove or change members."))


def check_can_change_access(viewer: Viewer) -> None:
    _owners_only(viewer, _("Only owners can grant access or take it away."))


def check_can_answer_requests(viewer: Viewer) -> None:
    _owners_only(viewer, _("Only owners can answer requests."))


def check_can_change_policy(viewer: Viewer) -> None:
    _owners_only(viewer, _("Only owners can change the policy."))


def check_can_change_settings(viewer: Viewer) -> None:
    _owners_only(viewer, _("Only owners can change the organization's settings."))


def check_can_delete_organization(viewer: Viewer) -> None:
    _owners_only(viewer, _("Only owners can delete the organization."))


def check_has_one_too(has_second_factor: bool) -> None:
    """Who asks a second factor of everyone has one: else they would shut themselves out."""
    if not has_second_factor:
        sentence = _("Set up a second factor for yourself first, then ask it of everyone.")
        raise Refusal(
            "second_factor_missing", sentence, 409, errors={"requires_second_factor": [sentence]}
        )


def check_second_factor(*, lacks: bool, contacts: Sequence[Contact]) -> None:
    """Where the owners ask one of everyone; only the person can set one up (rule 26)."""
    if lacks:
        sentence = _(
            "The organization asks for a second factor at sign-in, and you have none; set up an "
            "authenticator app under “Your account”, “Second factor”."
        )
        people = [{"name": contact.name, "email": contact.email} for contact in contacts]
        raise Refusal(SECOND_FACTOR, sentence, 403, {"contacts": people})


def check_keeps_an_owner(departure: Departure) -> None:
    """An organization always keeps at least one owner (rule 1)."""
    if departure.role == Role.OWNER and departure.owners <= 1:
        sentence = _("An organization keeps at least one owner. Make someone else an owner first.")
        raise Refusal(LAST_OWNER, sentence, 409)


def check_not_oneself(viewer_id: uuid.UUID | None, leaving: Collection[uuid.UUID]) -> None:
    """Who removes many is not among them: leaving is an act of its own."""
    if viewer_id in leaving:
        sentence = _("You are among them. Leave on your own page instead.")
        raise Refusal(OWN_MEMBERSHIP, sentence, 409)


def with_request(refusal: Refusal, slug: str) -> Refusal:
    """The refusal with the request that may follow it: its kind, and the page to make it on."""
    kind = REQUEST_OF_CODE.get(refusal.code)
    if kind is None or not slug:
        return refusal
    page = reverse("orgs:new_request", args=[slug])
    url = f"{settings.PORTAL_URL.rstrip('/')}{page}?kind={kind}"
    return replace(refusal, extra={**refusal.extra, "request": {"kind": str(kind), "url": url}})


def _allows(check: Callable[[T], None], about: T) -> bool:
    try:
        check(about)
    except Refusal:
        return False
    return True


def can_change_people(viewer: Viewer) -> bool:
    return _allows(check_can_change_people, viewer)


def can_change_access(viewer: Viewer) -> bool:
    return _allows(check_can_change_access, viewer)


def can_answer_requests(viewer: Viewer) -> bool:
    return _allows(check_can_answer_requests, viewer)


def can_change_policy(viewer: Viewer) -> bool:
    return _allows(check_can_change_policy, viewer)


def can_change_settings(viewer: Viewer) -> bool:
    return _allows(check_can_change_settings, viewer)


def keeps_an_owner(departure: Departure) -> bool:
    return _allows(check_keeps_an_owner, departure)
