"""Forms of `orgs`. They check what was typed; services change what is so."""

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from orgs.models import Person


class SignUpNameForm(forms.Form):
    """What sign-up asks beside the address and the password."""

    name = forms.CharField(label=_("Your name"), max_length=80)

    def signup(self, request: HttpRequest, user: Person) -> None:
        user.name = self.cleaned_data["name"]
        user.save(update_fields=["name"])
