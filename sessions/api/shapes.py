"""Shapes of sessions in JSON (api.md, "A session in JSON")."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from offload_portal.api.pagination import PageQuery
from offload_portal.api.serializers import (
    FlagField,
    InstantField,
    NumberField,
    QueryFlagField,
    QueryNumberField,
    Shape,
    TextField,
    WholeNumberField,
    WordField,
)
from offload_portal.common.labels import (
    MOST_LABELS,
    MOST_NAME_LETTERS,
    MOST_VALUE_LETTERS,
    NAME_PATTERN,
    PAIR_PATTERN,
)
from orgs.api.shapes import PersonShape
from sessions.enums import ClientKind, EndReason, NoticeKind, SessionState
from sessions.services import ActivityReport, BuildSeen, ContainerSeen, SampleSeen
from usage.enums import EntrySource

MOST_CONTAINERS, MOST_SAMPLES = 10_000, 10_000
MOST_COUNT = 1_000_000
MOST_PERCENT = 1_000_000
LONGEST_SECONDS = 1_000_000_000


class LabelsField(serializers.DictField):
    """A map of labels for charge-back."""

    limits = {
        "maxProperties": MOST_LABELS,
        "propertyNames": {"pattern": NAME_PATTERN},
    }

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if isinstance(data, Mapping) and len(data) > MOST_LABELS:
            sentence = _("At most %(most)s labels.") % {"most": MOST_LABELS}
            raise serializers.ValidationError(sentence)
        names = serializers.RegexField(NAME_PATTERN)
        for name in data if isinstance(data, Mapping) else ():
            names.run_validation(name)
        return dict(super().to_internal_value(data))


class ClientShape(Shape):
    kind = WordField(ClientKind.choices)
    version = TextField(required=False, allow_blank=True, max_length=64)
    os = TextField(required=False, allow_blank=True, max_length=64)
    arch = TextField(required=False, allow_blank=True, max_length=64)


class NewSession(Shape):
    organization = TextField(max_length=48, help_text="The slug of the one that pays.")
    engine_size = TextField(
        required=False, allow_null=True, max_length=32, help_text="`standard` if left out."
    )
    gpu = FlagField(
        required=False, help_text="True without a size picks the smallest allowed one with a GPU."
    )
    idle_timeout_seconds = WholeNumberField(required=False, allow_null=True)
    labels = LabelsField(
        child=TextField(max_length=MOST_VALUE_LETTERS, allow_blank=True), required=False
    )
    client = ClientShape(required=False)


class DryRunQuery(Shape):
    dry_run = QueryFlagField(required=False, help_text="Say what would happen; change nothing.")


class PromptShape(Shape):
    kind = serializers.CharField(help_text="`inactivity`, `session` or `daily`.")
    due_at = InstantField()
    answer_by = InstantField()


class UseShape(Shape):
    seconds = serializers.IntegerField()
    compute_seconds = serializers.IntegerField()
    cost_microusd = serializers.IntegerField()


def _by_source() -> type[Shape]:
    fields: dict[str, Any] = {source: UseShape() for source in EntrySource.values}
    return type("UseBySourceShape", (Shape,), fields)


UseBySourceShape = _by_source()


class KeptShape(Shape):
    label = serializers.CharField()  # type: ignore[assignment]  # as below
    until = InstantField()


class NoticeShape(Shape):
    """What the session's user should know now; it comes before anything is stopped."""

    kind = serializers.ChoiceField(NoticeKind.choices)
    sentence = serializers.CharField()
    at = InstantField(help_text="By when it happens, as foreseen now; or when it happened.")
    urgent = serializers.BooleanField(help_text="Five minutes before, unless the portal says else.")
    ends_session = serializers.BooleanField(help_text="The session is no more from `at` on.")


class SessionShape(Shape):
    id = serializers.UUIDField()
    organization = serializers.CharField()
    user = PersonShape()
    state = serializers.ChoiceField(SessionState.choices)
    end_reason = serializers.ChoiceField(EndReason.choices, allow_null=True)
    failure = serializers.CharField(help_text="Why the engine did not start; empty otherwise.")
    engine_size = serializers.CharField()
    gpu = serializers.BooleanField()
    multiplier = serializers.IntegerField()
    labels = serializers.DictField(child=serializers.CharField())
    client = serializers.DictField(child=serializers.CharField())
    created_at = InstantField()
    ready_at = InstantField(allow_null=True)
    first_active_at = InstantField(allow_null=True)
    last_activity_at = InstantField(allow_null=True)
    idle_since = InstantField(allow_null=True)
    ended_at = InstantField(allow_null=True)
    idle_timeout_seconds = serializers.IntegerField()
    seconds_until_idle = serializers.IntegerField(allow_null=True)
    seconds_until_end = serializers.IntegerField(allow_null=True)
    elapsed_seconds = serializers.IntegerField()
    active_seconds = serializers.IntegerField()
    idle_seconds = serializers.IntegerField()
    billed_seconds = serializers.IntegerField()
    compute_seconds = serializers.IntegerField()
    cost_microusd = serializers.IntegerField()
    cost_by_source = UseBySourceShape(help_text="As the ledger has it at the last metering.")
    container_count = serializers.IntegerField()
    images = serializers.ListField(child=serializers.CharField())
    prompt = PromptShape(allow_null=True)
    keep_alive = KeptShape(allow_null=True)
    notices = NoticeShape(many=True)
    policy_version = serializers.IntegerField()
    as_of = InstantField()


class ReportedShape(SessionShape):
    next_report_seconds = serializers.IntegerField(
        help_text="Report again within this; at most a third of the idle timeout."
    )


class PreviewShape(Shape):
    would_start = serializers.BooleanField()
    engine_size = serializers.CharField(allow_null=True)
    multiplier = serializers.IntegerField(allow_null=True)
    idle_timeout_seconds = serializers.IntegerField(allow_null=True)
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field
        EntrySource.choices, allow_null=True, help_text="What pays its first second."
    )
    rate_microusd_per_second = serializers.IntegerField(
        allow_null=True, help_text="Of this engine size; 0 while the time was paid ahead."
    )
    affordable_seconds = serializers.IntegerField(
        allow_null=True, help_text="Null without a limit, and where nothing would start."
    )
    refusal = serializers.DictField(
        allow_null=True, help_text="The problem that a start would meet; null where it starts."
    )


class SessionQuery(PageQuery):
    organization = TextField(required=False, max_length=48, help_text="A slug.")
    user = TextField(
        required=False,
        max_length=254,
        help_text="`me`, an identifier or an e-mail; where insights are pseudonymous, a code.",
    )
    team = serializers.UUIDField(required=False, help_text="Of who is in it now.")
    state = serializers.ListField(
        child=WordField(SessionState.choices), required=False, max_length=5
    )
    engine_size = TextField(required=False, max_length=32)
    image = TextField(required=False, max_length=255, help_text="With or without its tag.")
    label = TextField(  # type: ignore[assignment]  # a field
        required=False,
        max_length=MOST_NAME_LETTERS + 1 + MOST_VALUE_LETTERS,
        help_text="`name=value`.",
        pattern=PAIR_PATTERN,
    )
    started_after = InstantField(required=False, help_text="At this instant or later.")
    started_before = InstantField(required=False, help_text="Before this instant.")
    min_duration_seconds = QueryNumberField(required=False, max_value=LONGEST_SECONDS)
    max_duration_seconds = QueryNumberField(required=False, max_value=LONGEST_SECONDS)

    def validate_label(self, value: str) -> tuple[str, str]:
        name, equals, wanted = value.partition("=")
        if not equals:
            raise serializers.ValidationError(_("Write a label as name=value."))
        serializers.RegexField(NAME_PATTERN).run_validation(name)
        return name, wanted


class CSVQuery(SessionQuery):
    """The filters without pages: the whole list is sent."""

    cursor = None  # type: ignore[assignment]  # takes the field away
    page_size = None  # type: ignore[assignment]
    organization = None  # type: ignore[assignment]


class WaitQuery(Shape):
    wait = QueryNumberField(
        required=False, max_value=60, help_text="Hold the answer up to so many seconds."
    )
    etag = TextField(
        required=False, max_length=100, help_text="Wait until the session's tag is another one."
    )


class ContainerShape(Shape):
    id = serializers.RegexField(r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$")
    name = TextField(required=False, allow_blank=True, max_length=255)
    image = TextField(max_length=255)
    started_at = InstantField()
    exited_at = InstantField(required=False, allow_null=True)
    exit_code = WholeNumberField(
        required=False, allow_null=True, min_value=-(2**31), max_value=2**31 - 1
    )

    def validate(self, attrs: Any) -> ContainerSeen:
        exited = attrs.get("exited_at")
        if exited is not None and exited < attrs["started_at"]:
            raise serializers.ValidationError({"exited_at": _("It exited before it started.")})
        return ContainerSeen(**attrs)


class BuildShape(Shape):
    """A build that began or finished since the last report; `image` is the name that it gets."""

    id = serializers.RegexField(r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$")
    image = TextField(required=False, allow_blank=True, max_length=255)
    started_at = InstantField()
    finished_at = InstantField(required=False, allow_null=True)
    succeeded = FlagField(required=False, allow_null=True)

    def validate(self, attrs: Any) -> BuildSeen:
        finished = attrs.get("finished_at")
        if finished is not None and finished < attrs["started_at"]:
            raise serializers.ValidationError({"finished_at": _("It finished before it started.")})
        return BuildSeen(**{"image": "", **attrs})


class SampleShape(Shape):
    at = InstantField()
    cpu_percent = NumberField(most=MOST_PERCENT, source="cpu_milli_percent")
    memory_bytes = WholeNumberField()
    network_rx_bytes = WholeNumberField(required=False)
    network_tx_bytes = WholeNumberField(required=False)

    def validate(self, attrs: Any) -> SampleSeen:
        return SampleSeen(**attrs)


class ActivityShape(Shape):
    """What a client saw since its last report."""

    sequence = WholeNumberField(
        min_value=1, help_text="Rises with each report; a repeated one changes nothing."
    )
    running_containers = WholeNumberField(required=False, max_value=MOST_COUNT)
    active_builds = WholeNumberField(required=False, max_value=MOST_COUNT)
    api_calls = WholeNumberField(required=False, max_value=2**31 - 1)
    containers = serializers.ListField(
        child=ContainerShape(), required=False, max_length=MOST_CONTAINERS
    )
    samples = serializers.ListField(child=SampleShape(), required=False, max_length=MOST_SAMPLES)
    builds = serializers.ListField(child=BuildShape(), required=False, max_length=MOST_CONTAINERS)

    def validate(self, attrs: Any) -> ActivityReport:
        for name in ("containers", "samples", "builds"):
            attrs[name] = tuple(attrs.get(name, ()))
        return ActivityReport(**attrs)


class KeepAliveShape(Shape):
    # "label" is an attribute of every field of the framework's.
    label = TextField(  # type: ignore[assignment]
        max_length=80, help_text="Which job, for people who look at the session."
    )
    until = InstantField()


class AnswerShape(Shape):
    answer = WordField([("stay", "stay"), ("idle", "idle")])


class StoppedShape(Shape):
    stopped = serializers.IntegerField(help_text="How many sessions this ended.")


class SegmentShape(Shape):
    start = InstantField()
    end = InstantField()
    kind = serializers.CharField(help_text="`starting`, `idle` or `active`.")
    billed = serializers.BooleanField()
    seconds = serializers.IntegerField()


class RunShape(Shape):
    id = serializers.CharField(source="container_id")
    name = serializers.CharField()
    image = serializers.CharField()
    started_at = InstantField()
    exited_at = InstantField(allow_null=True)
    exit_code = serializers.IntegerField(allow_null=True)
    failed = serializers.BooleanField()


class BuildSeenShape(Shape):
    id = serializers.CharField(source="build_id")
    image = serializers.CharField()
    started_at = InstantField()
    finished_at = InstantField(allow_null=True)
    succeeded = serializers.BooleanField(
        allow_null=True, help_text="Null while it goes on, and where nobody told."
    )


class SampleSeenShape(Shape):
    at = InstantField()
    cpu_percent = serializers.FloatField()
    memory_bytes = serializers.IntegerField()
    network_rx_bytes = serializers.IntegerField()
    network_tx_bytes = serializers.IntegerField()


class EventShape(Shape):
    at = InstantField()
    kind = serializers.CharField()
    detail = serializers.CharField()


class InsightsShape(Shape):
    session = SessionShape()
    timeline = SegmentShape(many=True)
    containers = RunShape(many=True)
    builds = BuildSeenShape(many=True)
    images = serializers.ListField(child=serializers.CharField())
    samples = SampleSeenShape(many=True)
    sample_seconds = serializers.IntegerField(
        help_text="What one sample stands for: the highest of so many seconds. Older samples and "
        "those of long sessions stand for more."
    )
    events = EventShape(many=True)
    cost_by_source = UseBySourceShape()
    unpaid_seconds = serializers.IntegerField()
    kept_alive_by = serializers.ListField(child=serializers.CharField())
    end_reason = serializers.ChoiceField(EndReason.choices, allow_null=True)
    as_of = InstantField()
