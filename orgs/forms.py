"""Forms of `orgs`. They check what was typed; services change what is so."""

import re
from itertools import groupby
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from offload_portal.common.refusals import Refusal
from orgs.enums import EngineSizeName, OffloadSwitch, PrivacyMode, Role
from orgs.models import Person
from orgs.selectors import PolicyTerms
from orgs.selectors.addresses import MOST_FILE_BYTES, addresses_in_file, split_addresses
from orgs.services import PolicyChange
from orgs.services.checking import clean_name
from orgs.zones import zone_names

MOST_PASTED = 400_000


def blame(form: forms.BaseForm, refusal: Refusal) -> None:
    """Put a refusal's sentences beside the fields that are to blame, else above the form."""
    known = {name: said for name, said in refusal.errors.items() if name in form.fields}
    for name, sentences in known.items():
        for sentence in sentences:
            form.add_error(name, sentence)
    if not known:
        form.add_error(None, refusal.sentence)


def zone_choices() -> list[Any]:
    """UTC first, then the zones under their regions."""
    named = [name for name in zone_names() if "/" in name]
    regions = [
        (region, [(name, name.partition("/")[2].replace("_", " ")) for name in names])
        for region, names in groupby(named, key=lambda name: name.partition("/")[0])
    ]
    plain = [(name, name) for name in zone_names() if "/" not in name and name != "UTC"]
    return [("UTC", "UTC"), *regions, (_("Other"), plain)]


class ZoneField(forms.ChoiceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(choices=zone_choices, **options)


class SignUpNameForm(forms.Form):
    """What sign-up asks beside the address and the password."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "name", "placeholder": ""}),
    )

    def clean_name(self) -> str:
        return name_or_error(self.cleaned_data["name"])

    def signup(self, request: HttpRequest, user: Person) -> None:
        user.name = self.cleaned_data["name"]
        user.save(update_fields=["name"])


def name_or_error(name: str) -> str:
    """The name as the services take it, or the form's error with their sentence."""
    try:
        return clean_name(name)
    except Refusal as refusal:
        raise forms.ValidationError(refusal.sentence) from refusal


class OrganizationForm(forms.Form):
    """A new organization."""

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("Your company or team, as its members know it."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    slug = forms.CharField(
        label=_("Address"),
        required=False,
        max_length=48,
        help_text=_("Small letters, digits and hyphens. Left empty, it is made of the name."),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    zone = ZoneField(
        label=_("Time zone"), initial="UTC", help_text=_("Days on pages and charts follow it.")
    )


class SettingsForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80)
    zone = ZoneField(
        label=_("Time zone"),
        help_text=_("Days on pages and charts follow it, unless a person chose their own."),
    )
    slug = forms.CharField(
        label=_("Address"),
        required=False,
        max_length=48,
        help_text=_(
            "Left empty, it stays. Old addresses go on leading here, on pages and in the API."
        ),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    billing_contact = forms.EmailField(
        label=_("Billing contact"),
        required=False,
        help_text=_(
            "An address that gets a copy of every mail about money. It needs no account here."
        ),
    )
    privacy = forms.ChoiceField(
        label=_("Insights"),
        choices=PrivacyMode.choices,
        required=False,
        help_text=_(
            "On pages, in the API, in downloads and reports. Everyone sees their own sessions by "
            "name. While named, the audit log says who looked at others' sessions."
        ),
    )
    requires_second_factor = forms.BooleanField(
        label=_("Ask everyone for a second factor at sign-in"),
        required=False,
        help_text=_(
            "Who has none is led to setting one up before this organization's pages open, and "
            "can't start a session until then."
        ),
    )


class InviteForm(forms.Form):
    """One address, a pasted list, or CSV with a header row that has `email`."""

    emails = forms.CharField(
        label=_("E-mail addresses"),
        max_length=MOST_PASTED,
        required=False,
        help_text=_(
            "Up to 1,000, separated by commas, semicolons, spaces or new lines; or CSV with a "
            "header row that has “email”."
        ),
        widget=forms.Textarea(
            attrs={
                "rows": 6,
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
            }
        ),
    )
    file = forms.FileField(
        label=_("Or a CSV file"),
        required=False,
        help_text=_("With a header row that has “email”, up to 1,000 rows."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.MEMBER)
    team = forms.ChoiceField(label=_("Team"), required=False)
    with_license = forms.BooleanField(
        label=_("Give them a license when they accept"),
        required=False,
        help_text=_(
            "It is not reserved. Where none is left when they accept, they wait in the queue; "
            "you and they are told."
        ),
    )

    def __init__(self, *args: Any, teams: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["team"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", _("No team")), *teams]

    def addresses(self) -> tuple[str, ...]:
        """Those of the file where there is one, else those that were typed; refuses odd files."""
        file = self.cleaned_data["file"]
        if file is None:
            return split_addresses(self.cleaned_data["emails"])
        return addresses_in_file(file.read(MOST_FILE_BYTES + 1))


class PolicyForm(forms.Form):
    """The whole policy. Times of idling are seconds, the longest session is minutes."""

    offload = forms.ChoiceField(
        label=_("Docker Offload"),
        widget=forms.RadioSelect,
        choices=[
            (OffloadSwitch.ALWAYS_ENABLED, _("Always enabled: on, and nobody can switch it off")),
            (OffloadSwitch.ENABLED, _("Enabled: on until a person switches it off")),
            (OffloadSwitch.DISABLED, _("Disabled: off until a person switches it on")),
            (OffloadSwitch.ALWAYS_DISABLED, _("Always disabled: off, and nobody can switch it on")),
            (OffloadSwitch.USER_DEFINED, _("User defined: each person's own setting")),
        ],
    )
    confirm = forms.BooleanField(
        label=_("End the running sessions and switch Offload off for everyone"), required=False
    )
    idle_timeout_seconds = forms.IntegerField(label=_("Idle timeout, in seconds"))
    idle_timeout_least_seconds = forms.IntegerField(label=_("Shortest that a person may choose"))
    idle_timeout_most_seconds = forms.IntegerField(label=_("Longest that a person may choose"))
    engine_sizes = forms.MultipleChoiceField(
        label=_("Engine sizes"),
        choices=EngineSizeName.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Allow at least one engine size.")},
    )
    longest_session_minutes = forms.IntegerField(
        label=_("Longest session, in minutes"),
        required=False,
        help_text=_("Left empty, a session may last as long as it is used."),
    )
    sessions_per_person = forms.IntegerField(label=_("Sessions at once per person"))
    keep_alive_most_minutes = forms.IntegerField(
        label=_("Longest that a job may keep its session alive, in minutes"),
        help_text=_(
            "A job that shows no activity may declare itself alive that far ahead, and is billed "
            "meanwhile. 0 allows it to none."
        ),
    )

    required_labels = forms.CharField(
        label=_("Labels that a session must have"),
        required=False,
        max_length=2_000,
        help_text=_(
            "Their names, with commas between them, for charge-back: team, cost-centre. A start "
            "without one of them is refused and says which."
        ),
    )

    def clean_required_labels(self) -> tuple[str, ...]:
        typed = re.split(r"[\s,;]+", self.cleaned_data["required_labels"])
        return tuple(dict.fromkeys(name for name in typed if name))

    def change(self) -> PolicyChange:
        """What the service is asked for; only after `is_valid`."""
        values = self.cleaned_data
        minutes = values["longest_session_minutes"]
        sizes = tuple(name for name in EngineSizeName.values if name in values["engine_sizes"])
        return PolicyChange(
            offload=values["offload"],
            idle_timeout_seconds=values["idle_timeout_seconds"],
            idle_timeout_least_seconds=values["idle_timeout_least_seconds"],
            idle_timeout_most_seconds=values["idle_timeout_most_seconds"],
            engine_sizes=sizes,
            gpu_allowed=EngineSizeName.GPU in sizes,
            longest_session_seconds=None if minutes is None else minutes * 60,
            sessions_per_person=values["sessions_per_person"],
            keep_alive_most_seconds=values["keep_alive_most_minutes"] * 60,
            required_labels=values["required_labels"],
        )

    @staticmethod
    def initial_of(terms: PolicyTerms) -> dict[str, Any]:
        longest = terms.longest_session_seconds
        return {
            "offload": terms.offload,
            "idle_timeout_seconds": terms.idle_timeout_seconds,
            "idle_timeout_least_seconds": terms.idle_timeout_least_seconds,
            "idle_timeout_most_seconds": terms.idle_timeout_most_seconds,
            "engine_sizes": list(terms.engine_sizes),
            "longest_session_minutes": None if longest is None else -(-longest // 60),
            "sessions_per_person": terms.sessions_per_person,
            "keep_alive_most_minutes": terms.keep_alive_most_seconds // 60,
            "required_labels": ", ".join(terms.required_labels),
        }


class AccountForm(forms.Form):
    """A person's own name, language and zone."""

    name = forms.CharField(
        label=_("Name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    language = forms.ChoiceField(label=_("Language"), required=False)
    zone = forms.ChoiceField(label=_("Time zone"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language, zone = self.fields["language"], self.fields["zone"]
        if isinstance(language, forms.ChoiceField):
            language.choices = [("", _("As the browser asks")), *settings.LANGUAGES]
        if isinstance(zone, forms.ChoiceField):
            zone.choices = [("", _("The organization's")), *zone_choices()]

    def clean_name(self) -> str:
        return name_or_error(self.cleaned_data["name"])
