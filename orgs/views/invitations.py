"""Inviting, and following an invitation's link."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from offload_portal.common.actors import Actor
from offload_portal.common.periods import cut_to_second
from offload_portal.common.refusals import Refusal
from orgs import services
from orgs.adapter import INVITED_EMAIL
from orgs.forms import InviteForm, blame
from orgs.frames import OWNERS, SEERS, Frame, organization_page
from orgs.models import Invitation, Membership, Person
from orgs.paging import list_page
from orgs.policies import check_can_change_people
from orgs.selectors import pool_of, team_names
from orgs.selectors.invitations import (
    INVITATION_ORDER,
    InvitationOffer,
    Mark,
    Review,
    invitation_rows,
    invitations_matching,
    offer_of,
    review_invitations,
)
from orgs.services.invitations import is_address_of, unknown_link
from orgs.views.hints import why_not
from orgs.views.parsing import MOST_SEARCHED, identifier_or_none, identifiers

KEPT_TOKEN = "invitation_token"  # noqa: S105  # the name of a place in the session


@require_safe
@organization_page("members", roles=SEERS)
def invitations(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Those who were invited and have not answered."""
    search = request.GET.get("q", "").strip()[:MOST_SEARCHED]
    state = request.GET.get("state", "")
    expired = {"expired": True, "open": False}.get(state)
    rows = invitations_matching(frame.organization, frame.at, search=search, expired=expired)
    page = list_page(request, rows, order=INVITATION_ORDER, purpose="invitations")
    here = {"organization": frame.organization}
    context = frame.context(
        page=page,
        rows=invitation_rows(page.rows, frame.at),
        search=search,
        state=state if expired is not None else "",
        invitation_count=Invitation.objects.open().filter(**here).count(),
        member_count=Membership.objects.filter(**here).count(),
        team_count=frame.organization.teams.count(),
        hint=why_not(check_can_change_people, frame),
    )
    return render(request, "orgs/invitations.html", context)


@organization_page("members", roles=OWNERS)
def invite(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Type, paste or bring a file, see what would happen with each address, then send."""
    posted = request.method == "POST"
    teams = team_names(frame.organization)
    form = InviteForm(
        request.POST if posted else None, request.FILES if posted else None, teams=teams
    )
    review = None
    if posted and form.is_valid():
        try:
            addresses = form.addresses()
            review = review_invitations(frame.organization, addresses, frame.at)
            if request.POST.get("step", "review") == "send" and review.new:
                return _sent(request, frame, form, addresses)
        except Refusal as refusal:
            if refusal.status not in (400, 404):
                raise
            blame(form, refusal)
    if step_back(request):
        review = None
    context = frame.context(
        form=form,
        review=review,
        groups=_groups(review),
        typed="\n".join(line.email for line in review.lines) if review else "",
        team_name=dict(teams).get(request.POST.get("team", ""), ""),
        pool=pool_of(frame.organization),
    )
    return render(request, "orgs/invite.html", context, status=400 if form.errors else 200)


def step_back(request: HttpRequest) -> bool:
    return request.POST.get("step") == "edit"


def _groups(review: Review | None) -> list[dict[str, Any]]:
    """The review by what would happen, those to be invited first."""
    lines = review.lines if review else ()
    found = {mark: [line for line in lines if line.mark == mark] for mark in Mark}
    return [
        {"mark": mark, "title": _group_title(mark, len(marked)), "lines": marked}
        for mark, marked in found.items()
        if marked
    ]


def _group_title(mark: Mark, count: int) -> str:
    titles = {
        Mark.NEW: ngettext("%(count)s will be invited", "%(count)s will be invited", count),
        Mark.INVALID: ngettext(
            "%(count)s is no e-mail address", "%(count)s are no e-mail addresses", count
        ),
        Mark.DUPLICATE: ngettext(
            "%(count)s stands there twice", "%(count)s stand there more than once", count
        ),
        Mark.MEMBER: ngettext(
            "%(count)s is a member already", "%(count)s are members already", count
        ),
        Mark.INVITED: ngettext(
            "%(count)s has an open invitation", "%(count)s have an open invitation", count
        ),
    }
    return titles[mark] % {"count": f"{count:,}"}


def _sent(
    request: HttpRequest, frame: Frame, form: InviteForm, addresses: tuple[str, ...]
) -> HttpResponse:
    done = services.invite(
        actor=frame.actor,
        at=frame.at,
        organization=frame.organization,
        emails=addresses,
        role=form.cleaned_data["role"],
        team_id=identifier_or_none(form.cleaned_data["team"]),
        with_license=form.cleaned_data["with_license"],
    )
    count = len(done.sent)
    sentence = ngettext("%(count)s invitation is sent.", "%(count)s invitations are sent.", count)
    messages.success(request, sentence % {"count": f"{count:,}"})
    return redirect("orgs:invitations", frame.organization.slug)


@require_POST
@organization_page("members")
def resend(request: HttpRequest, frame: Frame, invitation_id: uuid.UUID) -> HttpResponse:
    sent = services.resend_invitation(
        actor=frame.actor,
        at=frame.at,
        organization=frame.organization,
        invitation_id=invitation_id,
    )
    sentence = _("%(email)s has a new link; the one before no longer works.")
    messages.success(request, sentence % {"email": sent.invitation.email})
    return redirect("orgs:invitations", frame.organization.slug)


@require_POST
@organization_page("members")
def revoke(request: HttpRequest, frame: Frame, invitation_id: uuid.UUID) -> HttpResponse:
    taken = services.revoke_invitation(
        actor=frame.actor,
        at=frame.at,
        organization=frame.organization,
        invitation_id=invitation_id,
    )
    sentence = _("The invitation of %(email)s is taken back; its link no longer works.")
    messages.success(request, sentence % {"email": taken.email})
    return redirect("orgs:invitations", frame.organization.slug)


@require_POST
@organization_page("members", roles=OWNERS)
def act(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Resend or take back many at once."""
    ids = identifiers(request, "invitation")
    if not ids:
        messages.warning(request, _("Select invitations first."))
        return redirect("orgs:invitations", frame.organization.slug)
    revoking = request.POST.get("act") == "revoke"
    change = services.revoke_invitations if revoking else services.resend_invitations
    done = change(actor=frame.actor, at=frame.at, organization=frame.organization, ids=ids)
    count = len(done)
    if revoking:
        sentence = ngettext(
            "%(n)s invitation is taken back.", "%(n)s invitations are taken back.", count
        )
    else:
        sentence = ngettext("%(n)s new link is sent.", "%(n)s new links are sent.", count)
    messages.success(request, sentence % {"n": f"{count:,}"})
    return redirect("orgs:invitations", frame.organization.slug)


def follow(request: HttpRequest, token: str) -> HttpResponse:
    """Keep the link's secret in the session and go to an address without it.

    So it stands in no Referer, no history of the pages after it, and in no log of a refusal.
    """
    request.session[KEPT_TOKEN] = token
    response = redirect("orgs:invitation")
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def invitation(request: HttpRequest) -> HttpResponse:
    """What the link offers: join, or first sign in or up with the invited address."""
    at = cut_to_second(timezone.now())
    token = str(request.session.get(KEPT_TOKEN, ""))
    offer = offer_of(token, at)
    if request.method == "POST" and isinstance(request.user, Person):
        if request.POST.get("step") == "sign_out":
            return _signed_out(request, token)
        return _accepted(request, token, request.user, offer)
    if offer is None:
        return _refused(request, unknown_link(), None)
    if isinstance(request.user, Person):
        return _offered(request, offer, request.user)
    return _offered_outside(request, offer)


def _signed_out(request: HttpRequest, token: str) -> HttpResponse:
    """For somebody with the invited address: the session ends, the invitation stays open."""
    logout(request)
    request.session[KEPT_TOKEN] = token
    return redirect("orgs:invitation")


def _accepted(
    request: HttpRequest, token: str, person: Person, offer: InvitationOffer | None
) -> HttpResponse:
    at = cut_to_second(timezone.now())
    actor = Actor(person.pk, str(request.META.get("REMOTE_ADDR", "")))
    try:
        joined = services.accept_invitation(actor=actor, at=at, token=token, person=person)
    except Refusal as refusal:
        return _refused(request, refusal, offer)
    request.session.pop(KEPT_TOKEN, None)
    request.session.pop(INVITED_EMAIL, None)
    name = joined.organization.name
    messages.success(request, _("You are a member of %(organization)s.") % {"organization": name})
    return redirect("pages:overview", joined.organization.slug)


def _offered(request: HttpRequest, offer: InvitationOffer, person: Person) -> HttpResponse:
    if offer.state == "used" and _belongs(person, offer.slug):
        return redirect("pages:overview", offer.slug)
    context = {
        "offer": offer,
        "matches": is_address_of(offer.email, person),
        "role": _role_sentence(offer.role),
    }
    return render(request, "orgs/invitation.html", context)


def _offered_outside(request: HttpRequest, offer: InvitationOffer) -> HttpResponse:
    """Whoever opened the link has the mailbox: signing up with its address confirms it."""
    if offer.state == "open":
        request.session[INVITED_EMAIL] = offer.email
    back = urlencode({"next": reverse("orgs:invitation")})
    sign_up = urlencode({"next": reverse("orgs:invitation"), "email": offer.email})
    context = {
        "offer": offer,
        "matches": False,
        "role": _role_sentence(offer.role),
        "sign_in_url": f"{reverse('account_login')}?{back}",
        "sign_up_url": f"{reverse('account_signup')}?{sign_up}",
    }
    return render(request, "orgs/invitation.html", context)


def _belongs(person: Person, slug: str) -> bool:
    return Membership.objects.filter(person=person, organization__slug=slug).exists()


def _role_sentence(role: str) -> str:
    sentences = {
        "owner": _("You will be an owner: you change people, access, billing and policy."),
        "editor": _("You will be an editor: you see everything of the organization."),
        "billing": _("You will be a billing manager: you see what is used and set what is paid."),
        "member": _("You will be a member: you see yourself and your own sessions."),
    }
    return sentences.get(role, "")


def _refused(request: HttpRequest, refusal: Refusal, offer: InvitationOffer | None) -> HttpResponse:
    context = {"refusal": refusal, "offer": offer, "matches": False, "role": ""}
    return render(request, "orgs/invitation.html", context, status=refusal.status)
