"""Webhooks: receivers of the organization's events, their log, tests and replays. Owners only."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from offload_portal.common.refusals import Refusal, not_found
from orgs.forms import blame
from orgs.frames import OWNERS, Frame, organization_page
from orgs.models import WebhookEndpoint
from orgs.selectors.webhooks import deliveries_of, endpoints_of, find_endpoint
from orgs.services import webhooks as services
from orgs.views.parsing import identifier_or_none
from orgs.webhook_forms import WebhookForm


@organization_page("settings", roles=OWNERS)
def webhooks(request: HttpRequest, frame: Frame) -> HttpResponse:
    """The receivers, and a form for another. The secret of a new one stands on its page once."""
    form = WebhookForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.add_endpoint(
                actor=frame.actor, at=frame.at, organization=frame.organization, **form.cleaned_data
            )
        except Refusal as refusal:
            _blamed(form, refusal)
        else:
            return _page(request, frame, made.endpoint, secret=made.secret)
    context = frame.context(rows=endpoints_of(frame.organization), form=form)
    status = 400 if form.errors else 200
    return render(request, "orgs/webhooks.html", context, status=status)


@organization_page("settings", roles=OWNERS)
def one(request: HttpRequest, frame: Frame, webhook_id: uuid.UUID) -> HttpResponse:
    """One receiver: change it, see what was sent and what it said."""
    row = find_endpoint(frame.organization, webhook_id)
    form = WebhookForm(request.POST or None, initial=WebhookForm.initial_of(row))
    if request.method == "POST" and form.is_valid():
        try:
            services.change_endpoint(**_order(frame, webhook_id), **form.cleaned_data)
        except Refusal as refusal:
            _blamed(form, refusal)
        else:
            messages.success(request, _("The webhook is saved."))
            return redirect("orgs:webhook", frame.organization.slug, webhook_id)
    return _page(request, frame, row, form=form)


@require_POST
@organization_page("settings", roles=OWNERS)
def act(request: HttpRequest, frame: Frame, webhook_id: uuid.UUID) -> HttpResponse:
    """Test, replay, a new secret, off and on, away with it."""
    done = ACTS.get(request.POST.get("act", ""))
    if done is None:
        raise not_found()
    row = find_endpoint(frame.organization, webhook_id)
    if done is _secret:
        made = services.rotate_secret(**_order(frame, row.pk))
        return _page(request, frame, made.endpoint, secret=made.secret)
    messages.success(request, done(request, frame, row))
    if done is _remove:
        return redirect("orgs:webhooks", frame.organization.slug)
    return redirect("orgs:webhook", frame.organization.slug, webhook_id)


def _order(frame: Frame, webhook_id: uuid.UUID) -> dict[str, Any]:
    return {
        "actor": frame.actor,
        "at": frame.at,
        "organization": frame.organization,
        "endpoint_id": webhook_id,
    }


def _test(request: HttpRequest, frame: Frame, row: WebhookEndpoint) -> str:
    services.send_test(**_order(frame, row.pk))
    return _("A test is on its way; its answer will stand below.")


def _replay(request: HttpRequest, frame: Frame, row: WebhookEndpoint) -> str:
    key = identifier_or_none(request.POST.get("delivery", ""))
    if key is None:
        raise not_found()
    services.replay(
        actor=frame.actor, at=frame.at, organization=frame.organization, delivery_id=key
    )
    return _("The event is on its way again.")


def _switch(request: HttpRequest, frame: Frame, row: WebhookEndpoint) -> str:
    services.change_endpoint(**_order(frame, row.pk), is_enabled=not row.is_enabled)
    return _("It is switched off.") if row.is_enabled else _("It is switched on.")


def _secret(request: HttpRequest, frame: Frame, row: WebhookEndpoint) -> str:
    return ""


def _remove(request: HttpRequest, frame: Frame, row: WebhookEndpoint) -> str:
    services.remove_endpoint(**_order(frame, row.pk))
    return _("The webhook is deleted, with its log.")


ACTS: dict[str, Callable[[HttpRequest, Frame, WebhookEndpoint], str]] = {
    "test": _test,
    "replay": _replay,
    "switch": _switch,
    "secret": _secret,
    "remove": _remove,
}


def _blamed(form: WebhookForm, refusal: Refusal) -> None:
    if not refusal.errors and refusal.status >= 500:
        raise refusal
    blame(form, refusal)


def _page(
    request: HttpRequest,
    frame: Frame,
    row: WebhookEndpoint,
    *,
    secret: str = "",
    form: WebhookForm | None = None,
) -> HttpResponse:
    context = frame.context(
        hook=row,
        secret=secret,
        form=form or WebhookForm(initial=WebhookForm.initial_of(row)),
        deliveries=deliveries_of(row),
    )
    status = 400 if form is not None and form.errors else 200
    response = render(request, "orgs/webhook.html", context, status=status)
    # A secret stands on it once; no cache and no history may keep it.
    response.headers["Cache-Control"] = "no-store"
    return response
