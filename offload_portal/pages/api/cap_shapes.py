"""Shapes of caps, and of what a limit would have done."""

from rest_framework import serializers

from offload_portal.api.serializers import (
    FlagField,
    InstantField,
    Shape,
    TextField,
    WholeNumberField,
    WordField,
)
from usage.enums import CapScope
from usage.services.contract import MOST_COMPUTE_SECONDS


class CapToComeShape(Shape):
    limit_compute_seconds = serializers.IntegerField(allow_null=True, help_text="Null lifts it.")
    effective_at = InstantField()


class CapShape(Shape):
    id = serializers.UUIDField()
    scope = serializers.ChoiceField(CapScope.choices)
    subject = serializers.UUIDField(source="subject_id", help_text="The team, or the person.")
    name = serializers.CharField()
    limit_compute_seconds = serializers.IntegerField(
        allow_null=True, help_text="Of a period, from every source; null while it is to come."
    )
    used_compute_seconds = serializers.IntegerField(help_text="Since the period began.")
    reserved_compute_seconds = serializers.IntegerField()
    left_compute_seconds = serializers.IntegerField(allow_null=True)
    ends_at = InstantField(
        allow_null=True, help_text="When its sessions end if everybody works on; null: not soon."
    )
    coming = CapToComeShape(many=True, help_text="Changes that are still to take effect.")


class CapsShape(Shape):
    results = CapShape(many=True)


class CapChangeShape(Shape):
    """A change of a cap that is known."""

    limit_compute_seconds = WholeNumberField(max_value=MOST_COMPUTE_SECONDS)
    reason = TextField(required=False, allow_blank=True, max_length=200)
    at_once = FlagField(required=False, help_text="Without the notice of a lowered cap.")


class NewCap(CapChangeShape):
    scope = WordField(CapScope.choices)
    subject = serializers.UUIDField(help_text="The team's identifier, or the person's.")


class RefusedSessionShape(Shape):
    id = serializers.UUIDField()
    created_at = InstantField()


class HindsightShape(Shape):
    """What it would have done in the last whole period, or in the first one so far."""

    start = InstantField()
    end = InstantField()
    reached_at = InstantField(
        allow_null=True, help_text="To the quarter of an hour; null: it would not have been."
    )
    refused_count = serializers.IntegerField(source="count")
    ended_count = serializers.IntegerField(source="ended")
    refused = RefusedSessionShape(many=True, help_text="The first of them.")


class CapPreviewShape(CapShape):
    """A cap, and what the change does."""

    effective_at = InstantField()
    would_refuse_starts = serializers.BooleanField()
    would_end = serializers.ListField(
        child=serializers.UUIDField(), help_text="Running sessions that would end."
    )
    would_have = HindsightShape(allow_null=True)


class CapVersionShape(Shape):
    cap = serializers.UUIDField(source="cap_id")
    scope = serializers.ChoiceField(CapScope.choices)
    name = serializers.CharField()
    recorded_at = InstantField()
    effective_at = InstantField()
    actor_name = serializers.CharField(help_text="Empty for who is gone.")
    before_compute_seconds = serializers.IntegerField(allow_null=True)
    limit_compute_seconds = serializers.IntegerField(allow_null=True, help_text="Null: lifted.")
    reason = serializers.CharField()
    state = serializers.ChoiceField(["in_force", "to_come", "replaced", "past"])
