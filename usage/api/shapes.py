"""Shapes of plans, allowance and usage in JSON."""

import re
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from offload_portal.api.serializers import InstantField, Shape, TextField, WordField
from offload_portal.common.labels import MOST_NAME_LETTERS, NAME_PATTERN
from orgs.zones import is_zone
from usage.enums import CapScope, OnDemand
from usage.selectors import Grain, GroupBy

LONGEST_RANGE = timedelta(days=400)
LONGEST_BY_HOUR = timedelta(days=35)
GRAINS = [str(Grain.HOUR), str(Grain.DAY), str(Grain.MONTH)]
GROUPS = [*(str(group) for group in GroupBy if group is not GroupBy.NONE), "image"]
GROUP_PATTERN = rf"^({'|'.join(GROUPS)}|label:{NAME_PATTERN.removeprefix('^').removesuffix('$')})$"


class PlanShape(Shape):
    slug = serializers.CharField()
    name = serializers.CharField()
    summary = serializers.CharField()
    licenses = serializers.IntegerField()
    committed_compute_seconds = serializers.IntegerField()
    price_microusd = serializers.IntegerField(help_text="For a period.")
    on_demand_rate_microusd = serializers.IntegerField(help_text="For a compute-second.")
    commitment_rate_microusd = serializers.IntegerField(
        help_text="For one more committed compute-second of a period."
    )
    trial_days = serializers.IntegerField()


class PlansShape(Shape):
    results = PlanShape(many=True)


class SourceShape(Shape):
    """Null is without a bound."""

    total_compute_seconds = serializers.IntegerField(allow_null=True)
    used_compute_seconds = serializers.IntegerField()
    reserved_compute_seconds = serializers.IntegerField()
    left_compute_seconds = serializers.IntegerField(allow_null=True)
    total_microusd = serializers.IntegerField(allow_null=True)
    used_microusd = serializers.IntegerField()
    reserved_microusd = serializers.IntegerField()
    left_microusd = serializers.IntegerField(allow_null=True)


class AllowanceShape(Shape):
    committed = SourceShape()
    top_up = SourceShape()
    on_demand = SourceShape()
    on_demand_mode = serializers.ChoiceField(OnDemand.choices)
    over_limit_compute_seconds = serializers.IntegerField()
    over_limit_microusd = serializers.IntegerField()
    left_compute_seconds = serializers.IntegerField(
        allow_null=True, help_text="Of all three; null without a limit."
    )
    reserved_compute_seconds = serializers.IntegerField()
    rate_microusd = serializers.IntegerField(
        allow_null=True, help_text="On-demand, for a compute-second; null before a subscription."
    )
    burn_compute_seconds_per_hour = serializers.IntegerField()
    seconds_left_at_burn = serializers.IntegerField(allow_null=True)
    forecast_at = InstantField(allow_null=True, help_text="When it runs out at this week's pace.")
    forecast_compute_seconds = serializers.IntegerField(
        allow_null=True,
        help_text="All use by the period's end at this week's pace: the bar's mark.",
    )
    period_start = InstantField(allow_null=True)
    period_end = InstantField(allow_null=True)
    as_of = InstantField(help_text="The second up to which everything is metered.")


class OwnCapShape(Shape):
    """A cap that the caller's next session would be under."""

    scope = serializers.ChoiceField(CapScope.choices)
    name = serializers.CharField()
    limit_compute_seconds = serializers.IntegerField()
    used_compute_seconds = serializers.IntegerField()
    left_compute_seconds = serializers.IntegerField()


class AllowanceHereShape(AllowanceShape):
    caps = OwnCapShape(
        many=True, help_text="Those that the caller's next session would be under; all must hold."
    )


class UsageQuery(Shape):
    to = InstantField(required=False, help_text="Before this instant; now where it is not given.")
    grain = WordField([(word, word) for word in GRAINS], required=False)
    group_by = TextField(
        required=False,
        max_length=6 + MOST_NAME_LETTERS,
        pattern=GROUP_PATTERN,
        help_text="`member`, `team`, `engine_size`, `source`, `image`, or `label:NAME`.",
    )
    zone = TextField(
        required=False, max_length=64, help_text="Whose days; the organization's if left out."
    )

    def get_fields(self) -> dict[str, Any]:
        """`from` can't be an attribute of a class."""
        start = InstantField(
            required=False, help_text="At this instant or later; 30 days before `to` if left out."
        )
        return {"from": start, **super().get_fields()}

    def validate_group_by(self, value: str) -> str:
        if re.fullmatch(GROUP_PATTERN, value) is None:
            words = ", ".join([*GROUPS, "label:NAME"])
            raise serializers.ValidationError(_("One of: %(words)s.") % {"words": words})
        return value

    def validate_zone(self, value: str) -> str:
        if not is_zone(value):
            raise serializers.ValidationError(_("There is no such time zone."))
        return value


class SumsShape(Shape):
    seconds = serializers.IntegerField()
    compute_seconds = serializers.IntegerField()
    sessions = serializers.IntegerField()
    cost_microusd = serializers.IntegerField()


class UsageRowShape(SumsShape):
    start = InstantField()
    end = InstantField()
    group = serializers.CharField(
        help_text="An identifier, a size, a source, an image, a label's value; `several` teams; "
        "empty for no team, image or label, and without groups."
    )
    label = serializers.CharField(help_text="What a person reads.")  # type: ignore[assignment]  # a field


class UsageShape(Shape):
    grain = serializers.ChoiceField(GRAINS)
    group_by = serializers.CharField(allow_null=True)
    zone = serializers.CharField()
    results = UsageRowShape(many=True)
    totals = SumsShape()
    as_of = InstantField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        return {"from": InstantField(), "to": InstantField(), **super().get_fields()}
