"""Forms of `usage`. They check what was typed; services change what is so."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from offload_portal.common.money import parse_usd
from offload_portal.common.refusals import Refusal
from usage.enums import CapScope, OnDemand

HOUR = 3_600
MOST_REASON = 200
_WHOLE_HOURS = re.compile(r"\d{1,7}|\d{1,3}(?:,\d{3}){1,2}", re.ASCII)

# The names that services give their fields, and those of the forms.
FIELDS = {
    "compute_seconds": "hours",
    "committed_compute_seconds": "hours",
    "limit_microusd": "limit",
    "limit_compute_seconds": "hours",
}


class ComputeHoursField(forms.CharField):
    """Whole compute-hours as a person writes them; gives compute-seconds."""

    def __init__(self, **options: Any) -> None:
        attributes = {"inputmode": "numeric", "autocomplete": "off", "size": "10"}
        super().__init__(
            max_length=12, widget=forms.TextInput(attrs={"class": "input", **attributes}), **options
        )

    def to_python(self, value: object) -> Any:
        text = (super().to_python(value) or "").strip()
        if not text:
            return None
        if not _WHOLE_HOURS.fullmatch(text):
            raise ValidationError(_("Write whole hours, for example 120 or 1,200."))
        return int(text.replace(",", "")) * HOUR

    def run_validators(self, value: Any) -> None:
        """The bounds are the services'."""


class MoneyField(forms.CharField):
    """Dollars as a person writes them; gives micro-dollars."""

    def __init__(self, **options: Any) -> None:
        attributes = {"inputmode": "decimal", "autocomplete": "off", "size": "12"}
        super().__init__(
            max_length=30, widget=forms.TextInput(attrs={"class": "input", **attributes}), **options
        )

    def to_python(self, value: object) -> Any:
        text = (super().to_python(value) or "").strip()
        if not text:
            return None
        if text.startswith(("-", "−")):
            raise ValidationError(_("An amount can't be negative."))
        try:
            return parse_usd(text)
        except ValueError:
            raise ValidationError(
                _("Write an amount in dollars, for example 25 or 1,234.56.")
            ) from None

    def run_validators(self, value: Any) -> None:
        """The bounds are the services'."""


class ServiceForm(forms.Form):
    """A form that shows a service's refusal where it belongs."""

    def refuse(self, refusal: Refusal) -> None:
        known = {FIELDS.get(name, name): texts for name, texts in refusal.errors.items()}
        for name, texts in known.items():
            for text in texts:
                self.add_error(name if name in self.fields else None, text)
        if not known:
            self.add_error(None, refusal.sentence)


class PlanForm(ServiceForm):
    """The plan of a card."""

    plan = forms.SlugField(max_length=40, widget=forms.HiddenInput)


class CommitmentForm(ServiceForm):
    hours = ComputeHoursField(
        label=_("Committed compute-hours in each billing period"),
        help_text=_("More holds at once, for the rest of the period. Less holds from the next."),
    )


class TopUpForm(ServiceForm):
    hours = ComputeHoursField(
        label=_("Compute-hours"),
        help_text=_("Whole hours. They are used after committed time and expire with the period."),
    )


class LimitForm(ServiceForm):
    """On-demand usage: how much, and what happens when it comes to its limit."""

    mode = forms.ChoiceField(
        label=_("On-demand usage"),
        choices=OnDemand.choices,
        widget=forms.RadioSelect,
        help_text=_("Compute time beyond what is committed and topped up, paid afterwards."),
    )
    limit = MoneyField(
        label=_("Monthly limit in US dollars"),
        required=False,
        help_text=_("Only with “Up to a monthly limit”. It counts all use since the period began."),
    )
    let_finish = forms.BooleanField(
        label=_("Let running sessions finish past the limit"), required=False
    )
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=MOST_REASON,
        widget=forms.TextInput(attrs={"class": "input"}),
        help_text=_("Stands in the history of limits."),
    )
    at_once = forms.BooleanField(
        label=_("Without notice, if it is lowered under what is used"), required=False
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        limited = cleaned.get("mode") == OnDemand.LIMITED
        if limited and cleaned.get("limit") is None and "limit" not in self.errors:
            self.add_error("limit", _("Give the monthly limit; 0 behaves as off."))
        if cleaned.get("mode") == OnDemand.OFF:
            cleaned["let_finish"] = False
        if not limited:
            cleaned["limit"] = None
            self.errors.pop("limit", None)  # what was typed there is not asked for
        return cleaned


class CapForm(ServiceForm):
    """What a team or a person may use of a period; `teams` are (identifier, name)."""

    scope = forms.ChoiceField(
        label=_("For whom"), choices=CapScope.choices, widget=forms.RadioSelect
    )
    team = forms.ChoiceField(label=_("Team"), required=False)
    email = forms.EmailField(
        label=_("E-mail address of the person"),
        required=False,
        max_length=254,
        widget=forms.EmailInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    hours = ComputeHoursField(label=_("Compute-hours in each billing period"))
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=MOST_REASON,
        widget=forms.TextInput(attrs={"class": "input"}),
        help_text=_("Stands in the history of limits."),
    )
    at_once = forms.BooleanField(
        label=_("Without notice, if it is under what is used"), required=False
    )

    def __init__(self, *args: Any, teams: list[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["team"].choices = [("", "–"), *teams]  # type: ignore[attr-defined]

    def for_known(self) -> "CapForm":
        """Of a cap that there is: whom it is for doesn't change."""
        for name in ("scope", "team", "email"):
            del self.fields[name]
        return self

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        wanted = {CapScope.TEAM: "team", CapScope.PERSON: "email"}.get(cleaned.get("scope", ""))
        if wanted and wanted not in self.errors and not cleaned.get(wanted):
            texts = {"team": _("Choose a team."), "email": _("Give the address of a member.")}
            self.add_error(wanted, texts[wanted])
        return cleaned


class SharesField(forms.CharField):
    """Whole percent, separated by commas or spaces; gives a list of numbers."""

    def __init__(self, **options: Any) -> None:
        attributes = {"class": "input", "inputmode": "numeric", "autocomplete": "off"}
        super().__init__(max_length=80, widget=forms.TextInput(attrs=attributes), **options)

    def to_python(self, value: object) -> Any:
        text = (super().to_python(value) or "").replace("%", " ")
        parts = re.split(r"[\s,;，、]+", text.strip(" ,;，、"))
        if not all(re.fullmatch(r"\d{1,3}", part, re.ASCII) for part in parts):
            raise ValidationError(_("Write whole percent, for example 50, 75, 90, 100."))
        return [int(part) for part in parts]

    def run_validators(self, value: Any) -> None:
        """The bounds are the services'."""


class AlertForm(ServiceForm):
    """When and whom to warn; who may be chosen is given."""

    alert_thresholds = SharesField(
        label=_("Percent used"), help_text=_("Separated by commas, from 1 to 100.")
    )
    alert_recipients = forms.MultipleChoiceField(
        label=_("Who is told"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("With none chosen all owners are told."),
    )

    def __init__(self, *args: Any, people: list[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["alert_recipients"].choices = people  # type: ignore[attr-defined]
