"""What owners change about usage and billing. Each page shows what a change does before it does.

Every change goes through `sessions.services.change_allowance`, which meters the organization to
its instant first (product.md rule 18).
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from offload_portal.common.display import duration_text
from offload_portal.common.periods import to_seconds
from offload_portal.common.refusals import Refusal
from offload_portal.pages.billing import lasts_text
from orgs.frames import PAYERS, SEERS_OF_USAGE, Frame, organization_page, role_missing
from sessions.selectors.caps import shown_caps
from sessions.selectors.hindsight import hindsight_of_limit
from sessions.services import change_allowance
from usage import services
from usage.enums import OnDemand
from usage.forms import CommitmentForm, LimitForm, PlanForm, ServiceForm, TopUpForm
from usage.models import Subscription
from usage.selectors import (
    AllowanceView,
    PlanTerms,
    Setting,
    Terms,
    allowance_of,
    find_plan,
    had_trial,
    limit_effect,
    limit_history,
    plans_offered,
    quote_commitment,
    quote_plan,
    quote_top_up,
    setting_of,
    terms_in,
)
from usage.selectors.caps import cap_history

T = TypeVar("T")
HOUR = 3_600
MICRO = 1_000_000


def _change(frame: Frame, call: Callable[..., T], **values: Any) -> T:
    """Make a change as the signed-in owner, at the instant that metering gives."""
    return change_allowance(
        organization=frame.organization,
        at=frame.at,
        change=lambda at: call(actor=frame.actor, at=at, organization=frame.organization, **values),
    )


def _try(frame: Frame, form: ServiceForm, call: Callable[..., T], **values: Any) -> T | None:
    """The same, with a refusal shown in the form."""
    try:
        return _change(frame, call, **values)
    except Refusal as refusal:
        form.refuse(refusal)
        return None


def _status(form: ServiceForm) -> int:
    return 400 if form.is_bound and form.errors else 200


def _back(frame: Frame) -> HttpResponse:
    return redirect("pages:billing", slug=frame.organization.slug)


def _contract(frame: Frame) -> tuple[AllowanceView, Subscription, Terms]:
    """What holds now; a refusal where nothing does."""
    view = allowance_of(frame.organization, frame.at)
    terms = terms_in(view)
    if view.subscription is None or terms is None:
        raise services.not_subscribed()
    return view, view.subscription, terms


# The plan


@organization_page("billing", roles=PAYERS)
def subscribe(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Choose a plan, or another one."""
    view = allowance_of(frame.organization, frame.at)
    form = PlanForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _subscribed(request, frame, form, view):
        return _back(frame)
    context = frame.context(
        form=form, cards=_cards(frame, view), subscription=view.subscription, view=view
    )
    return render(request, "billing/subscribe.html", context, status=_status(form))


def _subscribed(request: HttpRequest, frame: Frame, form: PlanForm, view: AllowanceView) -> bool:
    plan = find_plan(form.cleaned_data["plan"])
    if plan is None:
        form.add_error(None, _("This plan is no longer offered. Choose one of those below."))
        return False
    if view.subscription is None:
        done: object = _try(frame, form, services.subscribe, plan=plan)
        text = _("The organization is subscribed: %(plan)s.") % {"plan": plan.name}
    else:
        done = _try(frame, form, services.change_plan, plan=plan)
        text = _("The plan is changed to %(plan)s.") % {"plan": plan.name}
        if done is not None and getattr(done, "effective_at", frame.at) > frame.at:
            text = _("The plan changes to %(plan)s with the next period.") % {"plan": plan.name}
    if done is not None:
        messages.success(request, text)
    return done is not None


def _cards(frame: Frame, view: AllowanceView) -> list[dict[str, Any]]:
    """Each plan with what choosing it does; a plan that can't be chosen says why."""
    subscription, terms = view.subscription, terms_in(view)
    trial_used = had_trial(frame.organization)
    return [_card(frame, plan, subscription, terms, trial_used) for plan in plans_offered()]


def _card(
    frame: Frame,
    plan: PlanTerms,
    subscription: Subscription | None,
    terms: Terms | None,
    trial_used: bool,
) -> dict[str, Any]:
    card: dict[str, Any] = {"plan": plan, "why_not": "", "quote": None, "current": False}
    if subscription is None or terms is None:
        if plan.trial_days and trial_used:
            card["why_not"] = _("The organization has had its trial.")
        return card
    card["current"] = plan.slug == terms.plan.slug
    if plan.trial_days:
        card["why_not"] = "" if card["current"] else _("Only a first subscription is a trial.")
    elif card["current"] and subscription.next_plan is None:
        card["why_not"] = _("This is the present plan.")
    else:
        card["quote"] = quote_plan(terms, plan, frame.at)
    if card["current"] and plan.trial_days:
        card["why_not"] = _("This is the present plan.")
    return card


# Committed usage and top-ups


@organization_page("billing", roles=PAYERS)
def commitment(request: HttpRequest, frame: Frame) -> HttpResponse:
    """More at once, less from the next period: first the price, then the change."""
    view, subscription, terms = _contract(frame)
    held = subscription.next_committed_compute_seconds or terms.committed_compute_seconds
    form = CommitmentForm(request.POST or None, initial={"hours": f"{held // HOUR:,}"})
    quote = None
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data["hours"]
        if "confirm" not in request.POST:
            if _possible(form, services.check_commitment, subscription, wanted):
                quote = quote_commitment(terms, wanted, frame.at)
        elif _try(frame, form, services.change_commitment, compute_seconds=wanted) is not None:
            messages.success(request, _("Committed usage is changed."))
            return _back(frame)
    context = frame.context(
        form=form, quote=quote, terms=terms, subscription=subscription, view=view
    )
    return render(request, "billing/commitment.html", context, status=_status(form))


def _possible(form: ServiceForm, check: Callable[..., None], *values: Any) -> bool:
    """Would the service refuse it? Then the form says so before the preview."""
    try:
        check(*values)
    except Refusal as refusal:
        form.refuse(refusal)
        return False
    return True


@organization_page("billing", roles=PAYERS)
def top_up(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Time for the rest of the period: first the price, then the purchase."""
    view, subscription, terms = _contract(frame)
    form = TopUpForm(request.POST or None)
    price = None
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data["hours"]
        if "confirm" not in request.POST:
            if _possible(form, services.check_top_up, wanted):
                price = quote_top_up(terms, wanted)
        elif _try(frame, form, services.buy_top_up, compute_seconds=wanted) is not None:
            messages.success(request, _("The top-up is bought and can be used now."))
            return _back(frame)
    context = frame.context(
        form=form, price=price, terms=terms, subscription=subscription, view=view
    )
    return render(request, "billing/top_up.html", context, status=_status(form))


# On-demand usage


@organization_page("billing", roles=SEERS_OF_USAGE)
def limits(request: HttpRequest, frame: Frame) -> HttpResponse:
    """The on-demand setting and its history. Editors see both, owners change it."""
    if request.method == "POST" and not frame.membership.pays:
        return role_missing(request, frame, PAYERS)
    view, subscription, _terms = _contract(frame)
    form = LimitForm(request.POST or None, initial=_limit_initial(view))
    effect = before = None
    if request.method == "POST" and form.is_valid():
        setting = Setting(
            OnDemand(form.cleaned_data["mode"]),
            form.cleaned_data["limit"],
            form.cleaned_data["let_finish"],
        )
        if _possible(form, services.check_setting, setting, form.cleaned_data["reason"]):
            effect = limit_effect(view, setting, frame.at, at_once=form.cleaned_data["at_once"])
            before = hindsight_of_limit(frame.organization, setting.bound)
            needs_word = effect.ends_sessions and "confirm" not in request.POST
            needs_word = needs_word or "preview" in request.POST
            if not needs_word and _set_limit(request, frame, form, setting):
                return redirect("pages:limits", slug=frame.organization.slug)
    context = frame.context(
        form=form,
        effect=effect if effect is not None and effect.ends_sessions else None,
        before=before,
        caps=shown_caps(frame.organization, frame.at) if view.has_caps else [],
        cap_changes=cap_history(frame.organization, frame.at) if view.has_caps else [],
        view=view,
        lasts=lasts_text(view),
        subscription=subscription,
        history=limit_history(frame.organization, frame.at),
        notice_seconds=settings.LIMIT_NOTICE_SECONDS,
    )
    return render(request, "billing/limits.html", context, status=_status(form))


def _limit_initial(view: AllowanceView) -> dict[str, Any]:
    setting = setting_of(view)
    limit = setting.limit_microusd
    return {
        "mode": setting.mode.value,
        "limit": "" if limit is None else _dollars(limit),
        "let_finish": setting.let_finish,
    }


def _dollars(microusd: int) -> str:
    """An amount as it is typed: no more places than it needs, at least cents."""
    whole, part = divmod(microusd, MICRO)
    places = f"{part:06}".rstrip("0").ljust(2, "0")
    return f"{whole}.{places}"


def _set_limit(request: HttpRequest, frame: Frame, form: LimitForm, setting: Setting) -> bool:
    version = _try(
        frame,
        form,
        services.set_on_demand,
        mode=setting.mode.value,
        limit_microusd=setting.limit_microusd,
        let_finish=setting.let_finish,
        reason=form.cleaned_data["reason"],
        at_once=form.cleaned_data["at_once"],
    )
    if version is None:
        return False
    if version.effective_at > version.recorded_at:
        notice = to_seconds(version.effective_at) - to_seconds(version.recorded_at)
        text = _("On-demand usage changes in %(notice)s.") % {"notice": duration_text(notice)}
        messages.warning(request, text)
    else:
        messages.success(request, _("On-demand usage is changed."))
    return True


# Cancelling and resuming


@organization_page("billing", roles=PAYERS)
def cancel(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Says what ends, and when, before it is ordered."""
    view, subscription, _terms = _contract(frame)
    if request.method == "POST":
        _change(frame, services.cancel)
        messages.success(
            request,
            _("Cancelled. Access stays until the subscription ends; until then it can be resumed."),
        )
        return _back(frame)
    context = frame.context(view=view, subscription=subscription)
    return render(request, "billing/cancel.html", context)


@organization_page("billing", roles=PAYERS)
def resume(request: HttpRequest, frame: Frame) -> HttpResponse:
    view, subscription, _terms = _contract(frame)
    if request.method == "POST":
        _change(frame, services.resume)
        messages.success(request, _("The subscription goes on."))
        return _back(frame)
    context = frame.context(view=view, subscription=subscription)
    return render(request, "billing/resume.html", context)
