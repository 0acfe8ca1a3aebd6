"""The client policy."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from offload_portal.common.refusals import Refusal
from orgs import services
from orgs.enums import OffloadSwitch
from orgs.forms import PolicyForm, blame
from orgs.frames import SEERS, Frame, organization_page
from orgs.policies import check_can_change_policy
from orgs.selectors import AuditFilter, PolicyTerms, audit_page, policy_terms
from orgs.selectors.overrides import overrides
from orgs.services.overrides import preview_everyones
from orgs.views.hints import why_not
from orgs.views.policy_words import terms_in_words


@organization_page("policy", roles=SEERS)
def policy(request: HttpRequest, frame: Frame) -> HttpResponse:
    """Owners change it; switching Offload off asks once more, with what it ends."""
    terms = policy_terms(frame.organization)
    form = PolicyForm(request.POST or None, initial=PolicyForm.initial_of(terms))
    losers = None
    if request.method == "POST" and form.is_valid():
        if _switches_off(form, terms) and not form.cleaned_data["confirm"]:
            losers = _losers(frame, form)
        elif _saved(request, frame, form):
            return redirect("orgs:policy", frame.organization.slug)
    context = frame.context(
        form=form,
        terms=terms,
        ask=losers is not None,
        losers=losers or 0,
        hint=why_not(check_can_change_policy, frame),
        overrides=[
            (row, terms_in_words(row.terms)) for row in overrides(frame.organization, frame.at)
        ],
        history=audit_page(frame.organization, AuditFilter(subject_kind="policy"), size=10).rows,
    )
    return render(request, "orgs/policy.html", context, status=400 if form.errors else 200)


def _switches_off(form: PolicyForm, terms: PolicyTerms) -> bool:
    off = OffloadSwitch.ALWAYS_DISABLED
    return bool(form.cleaned_data["offload"] == off != terms.offload)


def _losers(frame: Frame, form: PolicyForm) -> int | None:
    """How many lose access; who has a policy of their own that says otherwise keeps it.

    None where the policy can't be: the form says why.
    """
    try:
        return preview_everyones(
            actor=frame.actor, at=frame.at, organization=frame.organization, change=form.change()
        ).losers
    except Refusal as refusal:
        _blame(form, refusal)
        return None


def _saved(request: HttpRequest, frame: Frame, form: PolicyForm) -> bool:
    try:
        services.update_policy(
            actor=frame.actor,
            at=frame.at,
            organization=frame.organization,
            change=form.change(),
        )
    except Refusal as refusal:
        _blame(form, refusal)
        return False
    messages.success(request, _("The policy is saved. Clients fetch it within the hour."))
    return True


def _blame(form: PolicyForm, refusal: Refusal) -> None:
    if refusal.status != 400:
        raise refusal
    blame(form, _with_minutes(refusal))


def _with_minutes(refusal: Refusal) -> Refusal:
    """The form asks for minutes where the policy has seconds."""
    renamed = {
        "longest_session_seconds": "longest_session_minutes",
        "keep_alive_most_seconds": "keep_alive_most_minutes",
    }
    errors = {renamed.get(name, name): said for name, said in refusal.errors.items()}
    return Refusal(refusal.code, refusal.sentence, refusal.status, errors=errors)
