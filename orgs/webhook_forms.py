"""The form of a webhook: whom to tell, of what, and how."""

from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from orgs.chat import MOST_TEMPLATE_LETTERS, USUAL
from orgs.enums import WebhookEvent, WebhookStyle
from orgs.models import WebhookEndpoint


class WebhookForm(forms.Form):
    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        help_text=_(
            "https, of a public server. It gets a POST for each event; redirects are not followed."
        ),
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://"}),
    )
    events = forms.MultipleChoiceField(
        label=_("Events"), choices=WebhookEvent.choices, widget=forms.CheckboxSelectMultiple
    )
    style = forms.ChoiceField(
        label=_("What it takes"),
        choices=WebhookStyle.choices,
        widget=forms.RadioSelect,
        initial=WebhookStyle.STANDARD,
    )
    template = forms.CharField(
        label=_("Line for a chat"),
        required=False,
        max_length=MOST_TEMPLATE_LETTERS,
        help_text=format_lazy(
            "{} {}",
            _("With {title}, {organization}, {details}, {time}, {link}, {data.…}. Left empty:"),
            USUAL,
        ),
    )

    @staticmethod
    def initial_of(row: WebhookEndpoint) -> dict[str, Any]:
        return {name: getattr(row, name) for name in ("url", "events", "style", "template")}
