"""Settings of policies as sentences, and where each comes from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from offload_portal.common.display import duration_text
from orgs.enums import EngineSizeName, OffloadSwitch
from orgs.policy_forms import GROUP_LABELS, sets_of
from orgs.selectors import EffectivePolicy
from orgs.selectors.policies import Layer


@dataclass(frozen=True, slots=True)
class SettingInWords:
    """One group of settings: what it is called, what holds, where from and until when."""

    label: str
    value: str
    source: str
    until: datetime | None


def sources_in_words(policy: EffectivePolicy) -> list[SettingInWords]:
    values = asdict(policy.terms)
    return [
        SettingInWords(
            str(GROUP_LABELS[source.group]),
            value_in_words(source.group, values),
            _source(source.layer),
            source.layer.until if source.layer else None,
        )
        for source in policy.sources
    ]


def terms_in_words(terms: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, value) of the groups that the terms set."""
    return [(str(GROUP_LABELS[group]), value_in_words(group, terms)) for group in sets_of(terms)]


def _source(layer: Layer | None) -> str:
    if layer is None:
        return _("Everyone's policy")
    if layer.team:
        return _("“%(policy)s”, by the team %(team)s") % {
            "policy": layer.name,
            "team": layer.team,
        }
    return _("“%(policy)s”, by name") % {"policy": layer.name}


def value_in_words(group: str, terms: Mapping[str, Any]) -> str:
    if group == "offload":
        return str(OffloadSwitch(terms["offload"]).label)
    if group == "idle_timeout":
        return _("%(usual)s, from %(least)s to %(most)s") % {
            "usual": duration_text(terms["idle_timeout_seconds"]),
            "least": duration_text(terms["idle_timeout_least_seconds"]),
            "most": duration_text(terms["idle_timeout_most_seconds"]),
        }
    if group == "engine_sizes":
        names = dict(EngineSizeName.choices)
        return "; ".join(str(names[size]) for size in terms["engine_sizes"])
    if group == "longest_session":
        longest = terms["longest_session_seconds"]
        return _("No limit") if longest is None else duration_text(longest)
    if group == "sessions_per_person":
        return str(terms["sessions_per_person"])
    if group == "required_labels":
        return ", ".join(terms["required_labels"]) or _("None is required")
    alive = terms["keep_alive_most_seconds"]
    return _("Not allowed") if not alive else _("Up to %(time)s") % {"time": duration_text(alive)}
