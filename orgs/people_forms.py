"""Forms of members, teams and access."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from offload_portal.common.periods import day_start
from orgs.enums import Role
from orgs.forms import MOST_PASTED

FARTHEST = date(2099, 12, 31)


class LastDayField(forms.DateField):
    """The last day on which something holds; it ends as the day does, in the page's zone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            required=False,
            widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            error_messages={"invalid": _("Write a day as 2026-11-24.")},
            **options,
        )

    def validate(self, value: date | None) -> None:
        super().validate(value)
        if value is not None and not date(2000, 1, 1) <= value <= FARTHEST:
            raise forms.ValidationError(_("The day lies outside the years 2000 to 2099."))


def end_of(day: date | None, zone: ZoneInfo) -> datetime | None:
    """The instant at which the day is over in the zone."""
    return day_start(zone, day + timedelta(days=1)) if day else None


class UntilForm(forms.Form):
    """Until when access is granted."""

    until = LastDayField(
        label=_("Last day of access"),
        help_text=_(
            "Left empty, access has no end. A session that runs when the day is over ends then."
        ),
    )


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("New role"), choices=Role.choices, widget=forms.RadioSelect)


class TeamNameForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


class TeamChoiceForm(forms.Form):
    """One of the organization's teams."""

    team = forms.ChoiceField(label=_("Team"))

    def __init__(self, *args: Any, teams: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["team"]
        if isinstance(field, forms.ChoiceField):
            field.choices = teams


class AddressesForm(forms.Form):
    """Members by their addresses: one, a pasted list, or CSV with a header row that has `email`."""

    emails = forms.CharField(
        label=_("E-mail addresses of members"),
        max_length=MOST_PASTED,
        help_text=_("Up to 1,000, separated by commas, semicolons, spaces or new lines."),
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
    )
