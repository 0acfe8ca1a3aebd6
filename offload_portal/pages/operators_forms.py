"""Forms of the operators' acts: each asks for a reason."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from orgs.services.operating import MOST_REASON
from usage.services.subscriptions import MOST_TRIAL_DAYS


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=MOST_REASON,
        help_text=_("It stands in the audit log, where owners and editors read it."),
    )


class OrganizationActForm(ReasonForm):
    act = forms.ChoiceField(
        label=_("Act"),
        choices=(
            ("meter", _("Meter now: write down what is due")),
            ("trial", _("Extend the trial")),
            ("session", _("End a session that is stuck")),
        ),
    )
    days = forms.IntegerField(
        label=_("Days"),
        required=False,
        min_value=1,
        max_value=MOST_TRIAL_DAYS,
        help_text=_("By which the trial is extended; it lasts 90 days at most in all."),
    )
    session = forms.ChoiceField(label=_("Session"), required=False)
    field_order = ("act", "days", "session", "reason")

    def __init__(self, *args: Any, sessions: Any = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("None")), *sessions]
        self.fields["session"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """What the act needs beside the reason."""
        data = super().clean() or {}
        needed = {"trial": "days", "session": "session"}.get(data.get("act", ""))
        if needed and not data.get(needed) and needed not in self.errors:
            self.add_error(needed, _("This act needs it."))
        return data


class PersonActForm(ReasonForm):
    act = forms.ChoiceField(
        label=_("Act"),
        choices=(
            ("sign_in_off", _("Switch sign-in off, and sign out everywhere")),
            ("sign_in_on", _("Switch sign-in on")),
            ("second_factor", _("Remove the second factor, and sign out everywhere")),
            ("operator_on", _("Make an operator")),
            ("operator_off", _("Take the operators' pages away")),
            ("erase", _("Erase the person: this can't be taken back")),
        ),
    )
    field_order = ("act", "reason")
