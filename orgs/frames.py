"""The frame of an organization's pages: who looks, at which organization, in which zone.

    @organization_page("members", roles=SEERS)
    def members(request: HttpRequest, frame: Frame) -> HttpResponse:
        return render(request, "orgs/members.html", frame.context(rows=...))

The decorated view takes the `slug` of its route. Signed out goes to sign-in; an unknown or
foreign organization is 404 (rule 2); a missing role is a 403 page that says who has it. A
`Refusal` that the view lets through becomes such a page too.
"""

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, ParamSpec
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from offload_portal.api.views import origin_of
from offload_portal.common.actors import Actor
from offload_portal.common.periods import cut_to_second
from offload_portal.common.refusals import Refusal
from orgs.enums import Role
from orgs.models import Membership, Organization, Person
from orgs.selectors import OrganizationRef, contacts
from orgs.selectors.places import find_places
from orgs.selectors.second_factor import lacks_second_factor
from orgs.zones import zone_or_utc

OWNERS = frozenset({Role.OWNER})
SEERS = frozenset({Role.OWNER, Role.EDITOR})
PAYERS = frozenset({Role.OWNER, Role.BILLING})
SEERS_OF_USAGE = SEERS | PAYERS

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page of an organization knows. `at` is the one reading of the clock."""

    organization: Organization
    membership: Membership
    organizations: tuple[OrganizationRef, ...]
    section: str
    at: datetime
    actor: Actor
    zone: ZoneInfo
    unread: int

    @property
    def is_owner(self) -> bool:
        return self.membership.is_owner

    def context(self, **more: Any) -> dict[str, Any]:
        """The template's context; `more` is the page's own."""
        return {
            "organization": self.organization,
            "membership": self.membership,
            "organizations": self.organizations,
            "section": self.section,
            "at": self.at,
            "zone_name": str(self.zone),
            "is_owner": self.is_owner,
            "pays": self.membership.pays,
            "unread_news": self.unread,
            **more,
        }


FrameView = Callable[Concatenate[HttpRequest, Frame, P], HttpResponseBase]
# Django names the arguments of a route, so the slug may come by name.
Routed = Callable[..., HttpResponseBase]


def person_of(request: HttpRequest) -> Person:
    """The signed-in person; only behind `login_required`."""
    if not isinstance(request.user, Person):
        raise TypeError("Nobody is signed in: the view needs login_required.")
    return request.user


def actor_of(request: HttpRequest) -> Actor:
    """Who orders a change through a page, and from which network address."""
    person = person_of(request)
    return Actor(person.pk, origin_of(request))


def organization_page(
    section: str, *, roles: Collection[str] | None = None
) -> Callable[[FrameView[P]], Routed]:
    """A view of one organization; `roles` are those that may open it, None for every member."""

    def decorate(view: FrameView[P]) -> Routed:
        def framed(
            request: HttpRequest, slug: str, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponseBase:
            frame = _frame(request, slug, section)
            if slug != frame.organization.slug:
                return _moved(request, frame.organization.slug)
            with timezone.override(frame.zone):
                if lacks_second_factor(frame.organization, person_of(request)):
                    return second_factor_missing(request, frame.organization)
                if roles is not None and frame.membership.role not in roles:
                    return role_missing(request, frame, roles)
                try:
                    return view(request, frame, *args, **kwargs)
                except Refusal as refusal:
                    return refused(request, refusal, frame.context())

        functools.update_wrapper(framed, view)
        return login_required(framed)

    return decorate


def _frame(request: HttpRequest, slug: str, section: str) -> Frame:
    person = person_of(request)
    try:
        places = find_places(person, slug)
    except Refusal as refusal:
        raise Http404(refusal.sentence) from refusal
    here = places.here
    return Frame(
        organization=here.organization,
        membership=here.membership,
        organizations=places.organizations,
        section=section,
        at=cut_to_second(timezone.now()),
        actor=actor_of(request),
        zone=zone_or_utc(person.zone or here.organization.zone),
        unread=places.unread,
    )


def _moved(request: HttpRequest, slug: str) -> HttpResponse:
    """From an address that the organization had to the one it has, with whatever was sent."""
    found = request.resolver_match
    if found is None:
        raise Http404
    address = reverse(found.view_name, args=found.args, kwargs={**found.kwargs, "slug": slug})
    query = request.META.get("QUERY_STRING", "")
    return redirect(f"{address}?{query}" if query else address, preserve_request=True)


def second_factor_missing(
    request: HttpRequest, organization: Organization | None = None
) -> HttpResponse:
    """403 that leads to setting one up; pages open once it is there. None: the operators' pages."""
    context = {"organization": None, "asking": organization}
    return render(request, "orgs/second_factor_missing.html", context, status=403)


def role_missing(request: HttpRequest, frame: Frame, roles: Collection[str]) -> HttpResponse:
    """403: what the page needs, and who has it."""
    if Role.EDITOR in roles:
        title = _("Owners and editors see this page")
        text = _("You are a member here: you see yourself and your own sessions.")
    elif Role.BILLING in roles:
        title = _("Only owners and billing managers can do this")
        text = _("One of them can do it for you; an owner can make you one, too.")
    else:
        title = _("Only owners can do this")
        text = _("An owner can do it for you, or make you an owner.")
    people = [contact.name for contact in contacts(frame.organization)]
    context = frame.context(title=title, text=text, people=people, refusal=None)
    return render(request, "orgs/forbidden.html", context, status=403)


def refused(request: HttpRequest, refusal: Refusal, context: dict[str, Any]) -> HttpResponse:
    """A refusal as a page of its own; what is not found stays Django's 404."""
    if refusal.status == 404:
        raise Http404(refusal.sentence)
    people = [contact["name"] for contact in refusal.extra.get("contacts", ())]
    shown = {**context, "title": refusal.sentence, "text": "", "people": people, "refusal": refusal}
    return render(request, "orgs/forbidden.html", shown, status=refusal.status)
