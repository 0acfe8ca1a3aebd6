"""Forms of tokens for scripts."""

from datetime import datetime, timedelta

from django import forms
from django.utils.translation import gettext_lazy as _

from orgs.enums import Scope

EXPIRIES = [
    ("30", _("In 30 days")),
    ("90", _("In 90 days")),
    ("365", _("In a year")),
    ("", _("Never")),
]
READING = [Scope.ORG_READ, Scope.USAGE_READ]


class TokenForm(forms.Form):
    """A new token: what it is called, what it may do, how long."""

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("Where you will use it, so that you recognise it later."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Choose no more than the script needs."),
    )
    expires = forms.ChoiceField(label=_("Expires"), choices=EXPIRIES, required=False, initial="90")

    def expires_at(self, at: datetime) -> datetime | None:
        days = self.cleaned_data["expires"]
        return at + timedelta(days=int(days)) if days else None


class OrganizationTokenForm(TokenForm):
    """An organization's token reads; it never acts."""

    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        choices=[(scope.value, scope.label) for scope in READING],
        widget=forms.CheckboxSelectMultiple,
        initial=[scope.value for scope in READING],
    )
