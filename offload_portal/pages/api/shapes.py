"""Shapes that compose several apps."""

from typing import Any

from rest_framework import serializers

from offload_portal.api.serializers import (
    FlagField,
    InstantField,
    QueryFlagField,
    Shape,
    TextField,
    WholeNumberField,
    WordField,
)
from offload_portal.pages.api.cap_shapes import CapShape, CapVersionShape, HindsightShape
from orgs.api.shapes import LICENSE_STATES, PolicyShape
from orgs.enums import PrivacyMode, Role
from sessions.api.shapes import SessionShape
from usage.api.shapes import AllowanceShape
from usage.enums import OnDemand, SubscriptionState
from usage.selectors import LimitState

LIMIT_STATES = [(str(state), str(state)) for state in LimitState]


class StandingShape(Shape):
    state = serializers.ChoiceField(LICENSE_STATES)
    grants = serializers.ListField(child=serializers.CharField())
    queue_place = serializers.IntegerField(allow_null=True)


class AccountShape(Shape):
    slug = serializers.CharField()
    name = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)
    is_default = serializers.BooleanField(help_text="The person's own choice of who pays.")
    can_start = serializers.BooleanField(help_text="A session of the usual size, now.")
    code = serializers.CharField(allow_null=True, help_text="Why not.")
    detail = serializers.CharField(allow_null=True, help_text="The same as a sentence.")
    license = StandingShape()
    policy = PolicyShape()
    allowance = AllowanceShape()
    running_session = SessionShape(allow_null=True)


class AccountsShape(Shape):
    results = AccountShape(many=True)


class PeriodShape(Shape):
    start = InstantField()
    end = InstantField()


class OrganizationShape(Shape):
    slug = serializers.CharField()
    name = serializers.CharField()
    zone = serializers.CharField()
    privacy_mode = serializers.ChoiceField(PrivacyMode.choices)
    requires_second_factor = serializers.BooleanField()
    billing_contact = serializers.CharField(
        allow_null=True, help_text="For owners, editors and billing managers; else null."
    )
    created_at = InstantField()
    role = serializers.ChoiceField(Role.choices)
    subscription_state = serializers.ChoiceField(SubscriptionState.choices, allow_null=True)
    period = PeriodShape(allow_null=True)


class SubscriptionShape(Shape):
    state = serializers.ChoiceField(SubscriptionState.choices)
    plan = serializers.CharField()
    licenses = serializers.IntegerField()
    committed_compute_seconds = serializers.IntegerField()
    next_plan = serializers.CharField(allow_null=True)
    next_committed_compute_seconds = serializers.IntegerField(allow_null=True)
    price_microusd = serializers.IntegerField(help_text="For a period.")
    started_at = InstantField()
    trial_ends_at = InstantField(allow_null=True)
    cancel_at = InstantField(allow_null=True)
    period = PeriodShape(allow_null=True)
    charge_microusd = serializers.IntegerField(
        allow_null=True, help_text="Of a change: what it costs for the rest of the period."
    )
    effective_at = InstantField(allow_null=True, help_text="Of a change: from when on it holds.")


class NewSubscription(Shape):
    plan = TextField(max_length=40, help_text="A slug of the catalog.")
    committed_compute_seconds = WholeNumberField(required=False)


class SubscriptionChange(Shape):
    """One change at a time."""

    limits = {"minProperties": 1, "maxProperties": 1}

    plan = TextField(required=False, max_length=40)
    committed_compute_seconds = WholeNumberField(required=False)
    cancelled = FlagField(required=False, help_text="True cancels, false resumes.")

    def validate(self, attrs: Any) -> Any:
        if len(attrs) != 1:
            names = ", ".join(self.fields)
            raise serializers.ValidationError(f"Change one thing at a time: {names}.")
        return attrs


class TopUp(Shape):
    compute_seconds = WholeNumberField(min_value=1)


class TopUpShape(Shape):
    compute_seconds = serializers.IntegerField()
    price_microusd = serializers.IntegerField()
    starts_at = InstantField()
    expires_at = InstantField()


class LimitChangeShape(Shape):
    recorded_at = InstantField()
    effective_at = InstantField()
    actor_name = serializers.CharField(help_text="Empty for the portal and for who is gone.")
    mode = serializers.ChoiceField(OnDemand.choices)
    limit_microusd = serializers.IntegerField(allow_null=True)
    let_finish = serializers.BooleanField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(LIMIT_STATES)


class LimitHistoryShape(Shape):
    results = LimitChangeShape(many=True)
    caps = CapVersionShape(many=True, help_text="Changes of caps, newest first.")


class AlertShape(Shape):
    """Of each bound the highest threshold that holds now."""

    bound = serializers.CharField(
        help_text="`commitment`, `on_demand`, a cap; `forecast`, `moved` (to on-demand)."
    )
    threshold = serializers.IntegerField(help_text="Percent; 0 of `forecast` and `moved`.")
    used = serializers.IntegerField(help_text="When it was said: `in_money` says which unit.")
    limit = serializers.IntegerField()
    in_money = serializers.BooleanField(help_text="True: micro-dollars. False: compute-seconds.")
    expected_at = InstantField(allow_null=True, help_text="Of a forecast.")
    at = InstantField()


class LimitsShape(Shape):
    mode = serializers.ChoiceField(OnDemand.choices)
    limit_microusd = serializers.IntegerField(allow_null=True)
    let_finish = serializers.BooleanField()
    used_microusd = serializers.IntegerField()
    coming = LimitChangeShape(many=True, help_text="Changes that are still to take effect.")
    alert_thresholds = serializers.ListField(
        child=serializers.IntegerField(), help_text="Percent, ascending."
    )
    alert_recipients = serializers.ListField(
        child=serializers.UUIDField(), help_text="Who sees everybody's use; empty is all owners."
    )
    alerts = AlertShape(many=True)
    caps = CapShape(many=True)
    period = PeriodShape(allow_null=True)


class LimitsChange(Shape):
    mode = WordField(OnDemand.choices)
    limit_microusd = WholeNumberField(required=False, allow_null=True)
    let_finish = FlagField(required=False)
    reason = TextField(required=False, allow_blank=True, max_length=200)
    at_once = FlagField(required=False, help_text="Without the notice of a lowered limit.")
    alert_thresholds = serializers.ListField(
        child=WholeNumberField(min_value=1, max_value=100),
        required=False,
        min_length=1,
        max_length=10,
        help_text="Left out, they stay.",
    )
    alert_recipients = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=50,
        help_text="Left out, they stay.",
    )


class LimitsPreviewShape(LimitsShape):
    """What a change would do."""

    effective_at = InstantField()
    left_compute_seconds = serializers.IntegerField(allow_null=True)
    would_refuse_starts = serializers.BooleanField()
    would_end = serializers.ListField(
        child=serializers.UUIDField(), help_text="Running sessions that would end."
    )
    would_have = HindsightShape(allow_null=True)


class ChangeQuery(Shape):
    dry_run = QueryFlagField(required=False, help_text="Say what it would do; change nothing.")
