"""The form of a policy for teams and people: a whole policy, of which it sets a part."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from offload_portal.common.periods import cut_to_second
from orgs.enums import EngineSizeName
from orgs.forms import PolicyForm
from orgs.models import Membership, Organization, Team
from orgs.selectors import PolicyTerms
from orgs.selectors.overrides import OverrideRow
from orgs.selectors.policies import GROUPS
from orgs.services.overrides import OverrideChange

GROUP_LABELS = {
    "offload": gettext_lazy("Whether Offload is on"),
    "idle_timeout": gettext_lazy("Idle timeout"),
    "engine_sizes": gettext_lazy("Engine sizes"),
    "longest_session": gettext_lazy("Longest session"),
    "sessions_per_person": gettext_lazy("Sessions at once"),
    "keep_alive": gettext_lazy("Keeping a session alive"),
    "required_labels": gettext_lazy("Labels"),
}
FIELDS_OF = {
    "offload": ("offload",),
    "idle_timeout": (
        "idle_timeout_seconds",
        "idle_timeout_least_seconds",
        "idle_timeout_most_seconds",
    ),
    "engine_sizes": ("engine_sizes",),
    "longest_session": ("longest_session_minutes",),
    "sessions_per_person": ("sessions_per_person",),
    "keep_alive": ("keep_alive_most_minutes",),
    "required_labels": ("required_labels",),
}
MAY_BE_EMPTY = {"longest_session_minutes", "required_labels"}
_APART = re.compile(r"[\s,;]+")


class OverrideForm(PolicyForm):
    """Name, for whom, and of each group of settings whether it is overridden and with what."""

    field_order = ("name", "description", "teams", "people", "until", "sets")
    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    description = forms.CharField(
        label=gettext_lazy("What it is for"), max_length=300, required=False
    )
    teams = forms.MultipleChoiceField(
        label=gettext_lazy("Teams"), required=False, widget=forms.CheckboxSelectMultiple
    )
    people = forms.CharField(
        label=gettext_lazy("People"),
        required=False,
        max_length=100_000,
        help_text=gettext_lazy("E-mail addresses of members, one on each line."),
        widget=forms.Textarea(attrs={"rows": 3, "autocapitalize": "none", "spellcheck": "false"}),
    )
    until = forms.DateField(
        label=gettext_lazy("Until the end of this day"),
        required=False,
        help_text=gettext_lazy("Left empty, it holds until you remove it."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    sets = forms.MultipleChoiceField(
        label=gettext_lazy("What it sets"),
        choices=list(GROUP_LABELS.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": gettext_lazy("Choose at least one setting that the policy overrides.")
        },
    )

    def __init__(
        self, organization: Organization, zone: ZoneInfo, *args: Any, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.organization, self.zone = organization, zone
        self.members: Mapping[str, Any] = {}
        del self.fields["confirm"]
        for names in FIELDS_OF.values():
            for name in names:
                self.fields[name].required = False
        teams = Team.objects.filter(organization=organization).order_by("name", "id")
        chosen = self.fields["teams"]
        if isinstance(chosen, forms.MultipleChoiceField):
            chosen.choices = [(str(team.pk), team.name) for team in teams]

    def groups(self) -> list[dict[str, Any]]:
        """Each group with its check box and its fields, for the template."""
        picked = self["sets"].value() or []
        return [
            {
                "name": group,
                "label": GROUP_LABELS[group],
                "picked": group in picked,
                "fields": [self[name] for name in FIELDS_OF[group]],
            }
            for group in GROUPS
        ]

    def clean_people(self) -> list[Any]:
        """The members at the addresses."""
        typed = [each.lower() for each in _APART.split(self.cleaned_data["people"]) if each]
        rows = Membership.objects.filter(
            organization=self.organization, person__email__in=typed
        ).values_list("person__email", "person_id")
        known = dict(rows.order_by("person_id"))
        missing = [each for each in typed if each not in known]
        if missing:
            sentence = _("Nobody here has the address %(addresses)s.")
            raise forms.ValidationError(sentence % {"addresses": ", ".join(missing[:5])})
        return [known[each] for each in dict.fromkeys(typed)]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        for group in values.get("sets", ()):
            for name in FIELDS_OF[group]:
                empty = values.get(name) in (None, "", [], ())
                if empty and name not in MAY_BE_EMPTY and name not in self.errors:
                    self.add_error(name, _("Give a value, or leave the setting out."))
        return values

    def override(self) -> OverrideChange:
        """What the service is asked for; only after `is_valid`."""
        values = self.cleaned_data
        terms: dict[str, Any] = {}
        for group in values["sets"]:
            terms.update(self._terms(group))
        return OverrideChange(
            name=values["name"],
            description=values["description"],
            terms={
                name: value
                for group in values["sets"]
                for name, value in self._terms(group).items()
            },
            team_ids=values["teams"],
            person_ids=values["people"],
            until=end_of_day(values["until"], self.zone),
        )

    def _terms(self, group: str) -> dict[str, Any]:
        values = self.cleaned_data
        if group == "engine_sizes":
            sizes = [name for name in EngineSizeName.values if name in values["engine_sizes"]]
            return {"engine_sizes": sizes, "gpu_allowed": EngineSizeName.GPU in sizes}
        if group == "longest_session":
            minutes = values["longest_session_minutes"]
            return {"longest_session_seconds": None if minutes is None else minutes * 60}
        if group == "keep_alive":
            return {"keep_alive_most_seconds": values["keep_alive_most_minutes"] * 60}
        if group == "required_labels":
            return {"required_labels": list(values["required_labels"])}
        return {name: values[name] for name in FIELDS_OF[group]}


def end_of_day(day: Any, zone: ZoneInfo) -> datetime | None:
    """The instant at which the day is over in the zone."""
    if day is None:
        return None
    return cut_to_second(datetime.combine(day + timedelta(days=1), time(), zone))


def initial_of_override(row: OverrideRow, terms: PolicyTerms, zone: ZoneInfo) -> dict[str, Any]:
    """What the form shows of a policy that is there; the rest as everyone's policy has it."""
    shown = PolicyForm.initial_of(terms) | _shown_terms(row.terms)
    return {
        **shown,
        "name": row.name,
        "description": row.description,
        "teams": [str(team.id) for team in row.teams],
        "people": "\n".join(person.email for person in row.people),
        "until": (row.until.astimezone(zone) - timedelta(seconds=1)).date() if row.until else None,
        "sets": sets_of(row.terms),
    }


def sets_of(terms: Mapping[str, Any]) -> Sequence[str]:
    return [group for group, names in GROUPS.items() if names[0] in terms]


def _shown_terms(terms: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(terms)
    if "longest_session_seconds" in terms:
        longest = terms["longest_session_seconds"]
        shown["longest_session_minutes"] = None if longest is None else -(-longest // 60)
    if "keep_alive_most_seconds" in terms:
        shown["keep_alive_most_minutes"] = terms["keep_alive_most_seconds"] // 60
    if "required_labels" in terms:
        shown["required_labels"] = ", ".join(terms["required_labels"])
    return shown
