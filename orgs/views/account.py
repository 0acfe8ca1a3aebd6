"""A person's own account."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from offload_portal.common.periods import cut_to_second
from orgs import services
from orgs.forms import AccountForm
from orgs.frames import actor_of, person_of
from orgs.language import remember_language
from orgs.selectors import organizations_of


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Name, language and zone; the way to addresses, password, second factor, sessions."""
    person = person_of(request)
    initial = {"name": person.name, "language": person.language, "zone": person.zone}
    form = AccountForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        services.update_person(
            actor=actor_of(request),
            at=cut_to_second(timezone.now()),
            person=person,
            **form.cleaned_data,
        )
        return _saved(request, form.cleaned_data["language"])
    context = {"form": form, "organizations": organizations_of(person), "person": person}
    return render(request, "orgs/account.html", context, status=400 if form.errors else 200)


def _saved(request: HttpRequest, language: str) -> HttpResponse:
    """Speak the new language from the next page on."""
    with translation.override(language or translation.get_language()):
        messages.success(request, _("Your account is saved."))
    response = redirect("orgs:account")
    remember_language(response, language)
    return response
