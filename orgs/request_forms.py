"""Forms of requests: what is asked for, and the answer."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from orgs.enums import RequestKind
from orgs.policy_forms import end_of_day
from orgs.selectors.requests import RequestRow
from orgs.services.requests import Answer

USUAL_DAYS = 30


class RequestForm(forms.Form):
    """Hours are asked for in hours, a longer session too."""

    kind = forms.ChoiceField(label=_("You ask for"), choices=RequestKind.choices)
    hours = forms.IntegerField(
        label=_("How many hours"),
        required=False,
        min_value=1,
        max_value=8_760,
        help_text=_("Of compute time, or how long a session should last."),
    )
    note = forms.CharField(
        label=_("What it is for"),
        required=False,
        max_length=500,
        help_text=_("The owners read it."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def wanted_seconds(self) -> int | None:
        hours = self.cleaned_data["hours"]
        if self.cleaned_data["kind"] == RequestKind.ACCESS or hours is None:
            return None
        return int(hours) * 3_600


class AnswerForm(forms.Form):
    """Approve or decline; what was approved holds until the end of a day."""

    until = forms.DateField(
        label=_("Until the end of this day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    hours = forms.IntegerField(
        label=_("Longest session, in hours"), required=False, min_value=1, max_value=8_760
    )
    answer = forms.CharField(
        label=_("Your answer"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, row: RequestRow, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if row.kind != RequestKind.SESSION_LENGTH:
            del self.fields["hours"]
        if row.kind == RequestKind.HOURS:
            del self.fields["until"]

    def given(self, zone: ZoneInfo, *, approve: bool) -> Answer:
        hours = self.cleaned_data.get("hours")
        return Answer(
            approve=approve,
            until=end_of_day(self.cleaned_data.get("until"), zone),
            seconds=hours * 3_600 if hours else None,
            text=self.cleaned_data["answer"],
        )


def initial_answer(row: RequestRow, today: Any) -> dict[str, Any]:
    hours = -(-row.wanted_seconds // 3_600) if row.wanted_seconds else None
    return {"until": today + timedelta(days=USUAL_DAYS), "hours": hours}
