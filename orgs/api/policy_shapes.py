"""Shapes of policies in JSON."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from offload_portal.api.serializers import (
    FlagField,
    InstantField,
    Shape,
    TextField,
    WholeNumberField,
    WordField,
)
from offload_portal.common import labels
from orgs.enums import EngineSizeName, OffloadSwitch
from orgs.selectors.overrides import OverrideRow
from orgs.selectors.policies import FIELDS, PolicyTerms
from orgs.services.overrides import OverrideChange

MOST = 2_147_483_647


class TermsShape(Shape):
    """Settings of a policy. What goes together is set together: the three idle timeouts, and
    `engine_sizes` with `gpu_allowed`."""

    offload = WordField(OffloadSwitch.choices, required=False)
    idle_timeout_seconds = WholeNumberField(required=False, min_value=0, max_value=MOST)
    idle_timeout_least_seconds = WholeNumberField(required=False, min_value=0, max_value=MOST)
    idle_timeout_most_seconds = WholeNumberField(required=False, min_value=0, max_value=MOST)
    engine_sizes = serializers.ListField(
        child=WordField(EngineSizeName.choices), required=False, max_length=20
    )
    gpu_allowed = FlagField(required=False)
    longest_session_seconds = WholeNumberField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=MOST,
        help_text="Null is no limit; left out, the setting is not overridden.",
    )
    sessions_per_person = WholeNumberField(required=False, min_value=0, max_value=30_000)
    keep_alive_most_seconds = WholeNumberField(required=False, min_value=0, max_value=MOST)
    required_labels = serializers.ListField(
        child=TextField(max_length=labels.MOST_NAME_LETTERS, pattern=labels.NAME_PATTERN),
        required=False,
        max_length=labels.MOST_LABELS,
        help_text="Names of labels without which no session starts.",
    )


class PolicyBody(Shape):
    """A whole policy. Everyone's has no name, targets or end, and all of the settings."""

    name = TextField(required=False, max_length=80)
    description = TextField(required=False, allow_blank=True, max_length=300)
    teams = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=1_000)
    people = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=1_000)
    until = InstantField(required=False, allow_null=True, help_text="When it ends by itself.")
    terms = TermsShape()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        sizes = attrs["terms"].get("engine_sizes")
        if sizes is not None and len(set(sizes)) != len(sizes):
            raise serializers.ValidationError({"terms": [_("Each engine size once.")]})
        return attrs


class NamedShape(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()


class PolicyItemShape(Shape):
    id = serializers.UUIDField()
    applies_to = serializers.ChoiceField([("everyone", "everyone"), ("named", "named")])
    name = serializers.CharField(help_text="Empty for everyone's.")
    description = serializers.CharField()
    teams = NamedShape(many=True)
    people = NamedShape(many=True)
    reach = serializers.IntegerField(
        allow_null=True, help_text="How many people it concerns now; null for everyone's."
    )
    until = InstantField(allow_null=True)
    created_at = InstantField(allow_null=True)
    changed_at = InstantField()
    terms = TermsShape()


class PoliciesShape(Shape):
    """All of them, everyone's first, then in the order of making; there are at most 101."""

    results = PolicyItemShape(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class PolicyPreviewShape(Shape):
    changed = serializers.IntegerField(help_text="How many people get other settings.")
    loses = NamedShape(many=True)


def everyone_json(policy_id: Any, terms: PolicyTerms) -> dict[str, Any]:
    value = {
        "id": policy_id,
        "applies_to": "everyone",
        "name": "",
        "description": "",
        "teams": [],
        "people": [],
        "reach": None,
        "until": None,
        "created_at": None,
        "changed_at": terms.changed_at,
        "terms": {name: getattr(terms, name) for name in FIELDS},
    }
    return dict(PolicyItemShape(value).data)


def override_json(row: OverrideRow) -> dict[str, Any]:
    value = {
        "id": row.id,
        "applies_to": "named",
        "name": row.name,
        "description": row.description,
        "teams": row.teams,
        "people": row.people,
        "reach": row.reach,
        "until": row.until,
        "created_at": row.created_at,
        "changed_at": row.changed_at,
        "terms": {},
    }
    shown = dict(PolicyItemShape(value).data)
    return {**shown, "terms": {name: row.terms[name] for name in FIELDS if name in row.terms}}


def change_of(body: dict[str, Any]) -> OverrideChange:
    """The body as the service takes it."""
    return OverrideChange(
        name=body.get("name", ""),
        description=body.get("description", ""),
        terms=dict(body["terms"]),
        team_ids=body.get("teams", ()),
        person_ids=body.get("people", ()),
        until=body.get("until"),
    )
