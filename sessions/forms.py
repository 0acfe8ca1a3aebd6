"""The filters of the activity page, as they stand in its address."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from offload_portal.common.periods import Period, day_start
from orgs.enums import PrivacyMode
from orgs.models import Organization
from sessions.enums import SessionState
from sessions.filters import RUNNING_STATES, SessionFilter
from sessions.selectors import person_with_sessions
from usage.rates import DEFAULT_SIZES

MOST_DAYS = 366
FIRST_DAY = date(2020, 1, 1)
MOST_MINUTES = MOST_DAYS * 24 * 60
PRESETS = {"7": 7, "30": 30, "90": 90}
MONTHS = {"month": 0, "last_month": 1}
DEFAULT_PERIOD = "30"
ONE_SECOND = timedelta(seconds=1)

PERIODS = [
    ("7", gettext_lazy("7 days")),
    ("30", gettext_lazy("30 days")),
    ("90", gettext_lazy("90 days")),
    ("month", gettext_lazy("This month")),
    ("last_month", gettext_lazy("Last month")),
    ("billing", gettext_lazy("This billing period")),
    ("custom", gettext_lazy("From – to")),
]
RUNNING = "running"
STATES = [("", gettext_lazy("Any")), (RUNNING, gettext_lazy("Running")), *SessionState.choices]


@dataclass(frozen=True, slots=True)
class ActivityChoice:
    """What was asked for: the filter with its bounds, and the period they come from."""

    sessions: SessionFilter
    period: Period
    key: str

    @property
    def in_period(self) -> SessionFilter:
        return replace(
            self.sessions, started_after=self.period.start, started_before=self.period.end
        )


def _date(label: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"placeholder": "2026-01-31"}),
    )


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


def _minutes(label: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=0,
        max_value=MOST_MINUTES,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )


class ActivityForm(forms.Form):
    """`period` names a preset; `since` and `until` are days, both included, and win over it.

    `choice` holds the answer once the form is valid.
    """

    period = forms.ChoiceField(label=gettext_lazy("Period"), choices=PERIODS, required=False)
    since = _date(gettext_lazy("From"))
    until = _date(gettext_lazy("To"))
    user: forms.CharField = forms.EmailField(
        label=gettext_lazy("User"), max_length=254, required=False
    )
    team = forms.ChoiceField(label=gettext_lazy("Team"), required=False)
    state = forms.ChoiceField(label=gettext_lazy("State"), choices=STATES, required=False)
    engine = forms.ChoiceField(
        label=gettext_lazy("Engine size"),
        choices=[("", gettext_lazy("Any")), *((size.name, size.name) for size in DEFAULT_SIZES)],
        required=False,
    )
    image = forms.CharField(label=gettext_lazy("Image"), max_length=255, required=False)
    label = forms.CharField(
        label=gettext_lazy("Label"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": gettext_lazy("name=value")}),
    )
    least = _minutes(gettext_lazy("At least, minutes"))
    most = _minutes(gettext_lazy("At most, minutes"))

    choice: ActivityChoice

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        chosen: SessionFilter,
        at: datetime,
        zone: ZoneInfo,
        billing: Callable[[], Period | None],
        organization: Organization,
        teams: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        super().__init__(data, auto_id="filter_%s")
        self._chosen, self._at, self._zone, self._billing = chosen, at, zone, billing
        self._organization = organization
        for name in ("since", "until"):
            # A browser drops what is no day from a field for days; then it is one for text.
            text = str(data.get(name) or "")
            self.fields[name].widget.input_type = "date" if not text or _is_day(text) else "text"
        self._offer_user()
        if teams is not None:
            self.fields["team"].choices = [("", gettext_lazy("Any")), *teams]  # type: ignore[attr-defined]  # a ChoiceField
        else:
            del self.fields["team"]

    def _offer_user(self) -> None:
        """An address, or a code where insights don't name people; nothing where none is listed."""
        if not self._chosen.organizations <= self._chosen.everyone_in:
            del self.fields["user"]
            return
        if self._organization.privacy == PrivacyMode.NAMED:
            self.fields["user"].widget.attrs |= {"list": "people", "autocomplete": "off"}
            return
        self.fields["user"] = forms.CharField(
            label=_("User"),
            max_length=254,
            required=False,
            widget=forms.TextInput(attrs={"placeholder": "K7Q-F2M", "autocomplete": "off"}),
        )

    def clean_until(self) -> date | None:
        return self._day("until")

    def clean_since(self) -> date | None:
        return self._day("since")

    def _day(self, name: str) -> date | None:
        day: date | None = self.cleaned_data[name]
        if day is not None and day < FIRST_DAY:
            raise forms.ValidationError(_("Choose a day from 1 January 2020 on."))
        if day is not None and day > self._today + timedelta(days=MOST_DAYS):
            raise forms.ValidationError(_("This day lies too far ahead."))
        return day

    def clean_label(self) -> tuple[str, str] | None:
        text: str = self.cleaned_data["label"]
        if not text:
            return None
        name, mark, value = text.partition("=")
        if not mark or not name.strip():
            raise forms.ValidationError(_("Write a label as name=value, for example team=web."))
        return name.strip(), value.strip()

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        least, most = values.get("least"), values.get("most")
        if least is not None and most is not None and least > most:
            self.add_error("most", _("The longest can't be shorter than the shortest."))
        period = self._period(values)
        people = self._people(values.get("user") or "")
        if not self.errors and period is not None:
            sessions = self._sessions(values, people)
            self.choice = ActivityChoice(sessions, period, self.period_key(values))
        return values

    @property
    def _today(self) -> date:
        return self._at.astimezone(self._zone).date()

    @staticmethod
    def period_key(values: Mapping[str, Any]) -> str:
        dated = bool(values.get("since") or values.get("until"))
        return "custom" if dated else values.get("period") or DEFAULT_PERIOD

    def _period(self, values: Mapping[str, Any]) -> Period | None:
        """Up to and including the present second, or to the last day that was named."""
        key, now = self.period_key(values), self._at + ONE_SECOND
        if key == "custom":
            return self._custom(values, now)
        if key in MONTHS:
            return self._month(MONTHS[key], now)
        if key == "billing":
            billing = self._billing()
            if billing is None:
                self.add_error("period", _("There is no billing period before a subscription."))
                return None
            return Period(billing.start, min(billing.end, now))
        first = self._today - timedelta(days=PRESETS[key] - 1)
        return Period(day_start(self._zone, first), now)

    def _month(self, back: int, now: datetime) -> Period:
        """A calendar month of the zone, so many before this one."""
        number = self._today.year * 12 + self._today.month - 1 - back
        first, after = (date(n // 12, n % 12 + 1, 1) for n in (number, number + 1))
        return Period(day_start(self._zone, first), min(day_start(self._zone, after), now))

    def _custom(self, values: Mapping[str, Any], now: datetime) -> Period | None:
        since, until = values.get("since"), values.get("until") or self._today
        if {"since", "until"} & set(self.errors):
            return None
        if since is None:
            self.add_error("since", _("Choose the first day."))
        elif since > self._today:
            self.add_error("since", _("The first day lies ahead; there is nothing yet."))
        elif until < since:
            self.add_error("until", _("The last day comes before the first."))
        elif (until - since).days >= MOST_DAYS:
            self.add_error("until", _("Choose at most 366 days at once."))
        else:
            end = day_start(self._zone, until + timedelta(days=1))
            return Period(day_start(self._zone, since), min(end, now))
        return None

    def _people(self, email: str) -> frozenset[Any] | None:
        if not email:
            return None
        person = person_with_sessions(self._organization, email, self._chosen.person)
        if person is None:
            named = self._organization.privacy == PrivacyMode.NAMED
            by_address = _("Nobody in this organization has this address.")
            by_code = _("Nobody in this organization has this code. Codes stand in the lists.")
            self.add_error("user", by_address if named else by_code)
            return None
        return frozenset({person})

    def _sessions(self, values: Mapping[str, Any], people: frozenset[Any] | None) -> SessionFilter:
        state = values.get("state") or ""
        states = RUNNING_STATES if state == RUNNING else frozenset({state} - {""})
        least, most = values.get("least"), values.get("most")
        return replace(
            self._chosen,
            people=people,
            team=uuid.UUID(values["team"]) if values.get("team") else None,
            states=frozenset(str(name) for name in states),
            engine_size=values.get("engine") or "",
            image=values.get("image") or "",
            label=values.get("label"),
            min_duration_seconds=None if least is None else least * 60,
            max_duration_seconds=None if most is None else most * 60,
        )
