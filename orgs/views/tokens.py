"""Tokens for scripts: a person's own, and an organization's. A new one is shown once."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from offload_portal.common.periods import cut_to_second
from offload_portal.common.refusals import Refusal
from orgs.forms import blame
from orgs.frames import OWNERS, Frame, actor_of, organization_page, person_of
from orgs.models import Organization, Person, Token
from orgs.selectors import organizations_of
from orgs.services.tokens import IssuedToken, issue_token, revoke_token
from orgs.token_forms import OrganizationTokenForm, TokenForm


@login_required
def tokens(request: HttpRequest) -> HttpResponse:
    """The person's tokens, and a form for a new one."""
    person = person_of(request)
    form = TokenForm(request.POST or None)
    issued = _issue(request, form, person=person)
    context = {
        "form": TokenForm() if issued else form,
        "issued": issued,
        "rows": _listed(Token.objects.filter(person=person, organization=None)),
        "organizations": organizations_of(person),
        "at": cut_to_second(timezone.now()),
    }
    return _page(request, "orgs/tokens.html", context, form)


@organization_page("settings", roles=OWNERS)
def organization_tokens(request: HttpRequest, frame: Frame) -> HttpResponse:
    """The organization's tokens; owners only."""
    form = OrganizationTokenForm(request.POST or None)
    issued = _issue(request, form, organization=frame.organization)
    context = frame.context(
        form=OrganizationTokenForm() if issued else form,
        issued=issued,
        rows=_listed(Token.objects.filter(organization=frame.organization)),
    )
    return _page(request, "orgs/organization_tokens.html", context, form)


def _issue(
    request: HttpRequest,
    form: TokenForm,
    *,
    person: Person | None = None,
    organization: Organization | None = None,
) -> IssuedToken | None:
    if request.method != "POST" or not form.is_valid():
        return None
    at = cut_to_second(timezone.now())
    try:
        return issue_token(
            actor=actor_of(request),
            at=at,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            person=person,
            organization=organization,
            expires_at=form.expires_at(at),
        )
    except Refusal as refusal:
        blame(form, refusal)
        return None


def _listed(rows: QuerySet[Token]) -> list[Token]:
    return list(rows.filter(revoked_at=None).order_by("-created_at", "-id"))


def _page(
    request: HttpRequest, template: str, context: dict[str, Any], form: TokenForm
) -> HttpResponse:
    response = render(request, template, context, status=400 if form.errors else 200)
    # A token stands on it once; no cache and no history may keep it.
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@login_required
def revoke(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    person = person_of(request)
    token = Token.objects.filter(pk=token_id, person=person, organization=None).first()
    if token is None:
        raise Http404
    _revoke(request, token)
    return redirect("orgs:tokens")


@require_POST
@organization_page("settings", roles=OWNERS)
def revoke_of_organization(request: HttpRequest, frame: Frame, token_id: uuid.UUID) -> HttpResponse:
    token = Token.objects.filter(pk=token_id, organization=frame.organization).first()
    if token is None:
        raise Http404
    _revoke(request, token)
    return redirect("orgs:organization_tokens", frame.organization.slug)


def _revoke(request: HttpRequest, token: Token) -> None:
    revoke_token(actor=actor_of(request), at=cut_to_second(timezone.now()), token=token)
    messages.success(request, _("The token is revoked; it opens nothing any more."))
