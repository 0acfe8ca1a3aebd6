"""Shapes of the API: strict on the way in, exact on the way out."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from offload_portal.common.periods import cut_to_second

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.\d{1,12})?([Zz]|[+-]\d{2}:\d{2})"
)
INSTANTS = (
    r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,12})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
# A day more on both sides for those that are written with an offset.
FIRST, LAST = datetime(1999, 12, 31, tzinfo=UTC), datetime(2100, 1, 2, tzinfo=UTC)
_NO_CONTROL = r"\x00-\x1f\x7f-\x9f"
ONE_LINE = rf"^[^{_NO_CONTROL}]*$"
SOMETHING = rf"^[^{_NO_CONTROL}]*[^\s{_NO_CONTROL}][^{_NO_CONTROL}]*$"


class Shape(serializers.Serializer[Any]):
    """A serializer that neither saves nor lets an unknown field pass in silence.

    `limits` are more keywords of JSON Schema for the document, such as `maxProperties`.
    """

    limits: Mapping[str, Any] = {}

    @classmethod
    def valid(cls, data: Any) -> Any:
        """What the shape makes of data; raises ValidationError.

        One instance serves all requests: it keeps nothing of them, and making one copies each of
        its fields. Only who made a mistake gets an instance of their own, to tell it in full.
        """
        try:
            return _kept(cls).run_validation(data)
        except serializers.ValidationError:
            shape = cls(data=data)
            shape.is_valid(raise_exception=True)
            return shape.validated_data

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = {field.field_name for field in self._writable_fields}
            unknown = sorted(str(name) for name in data if name not in known)
            if unknown:
                raise serializers.ValidationError(
                    {name: [_("There is no such field.")] for name in unknown}
                )
        return super().to_internal_value(data)


@cache
def _kept(shape: type[Shape]) -> Shape:
    return shape()


class InstantField(serializers.Field[datetime, str, str, datetime]):
    """RFC 3339 in UTC with `Z`, whole seconds; on the way in an offset is needed."""

    default_error_messages = {
        "invalid": gettext_lazy(
            "Write an instant as RFC 3339 with an offset, for example 2026-11-24T09:30:00Z."
        ),
        "range": gettext_lazy("The instant lies outside the years 2000 to 2099."),
    }

    def to_internal_value(self, data: Any) -> datetime:
        match = _RFC3339.fullmatch(data) if isinstance(data, str) else None
        if match is None:
            self.fail("invalid")
        day, clock, zone = match.groups()
        try:
            at = datetime.fromisoformat(f"{day}T{clock}{zone.upper().replace('Z', '+00:00')}")
            at = at.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")
        if not FIRST <= at < LAST:
            self.fail("range")
        return cut_to_second(at)

    def to_representation(self, value: datetime) -> str:
        return zulu(value)


def zulu(at: datetime) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


class WholeNumberField(serializers.IntegerField):
    """A whole number as JSON writes it: no text, no truth value, no fraction. Within 64 bits."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", 0)
        kwargs.setdefault("max_value", 2**63 - 1)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, float) and data.is_integer():
            data = int(data)  # JSON has one kind of number: 3.0 is a whole one
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class QueryNumberField(WholeNumberField):
    """The same in a query, where everything is text."""

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch(r"-?[0-9]{1,19}", str(data)):
            self.fail("invalid")
        return int(data)


class FlagField(serializers.BooleanField):
    """`true` or `false` of JSON, nothing that merely looks like it."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class QueryFlagField(serializers.BooleanField):
    """`true` or `false` in a query."""

    def to_internal_value(self, data: Any) -> bool:
        if data not in ("true", "false"):
            self.fail("invalid", input=data)
        return bool(data == "true")


class TextField(serializers.CharField):
    """Text without control characters; numbers aren't taken for text."""

    default_error_messages = {
        "control": gettext_lazy("Control characters can't be part of it."),
    }

    def __init__(self, *, pattern: str = "", **kwargs: Any) -> None:
        """`pattern` is for the document; who gives one checks it."""
        super().__init__(**kwargs)
        self.pattern = pattern

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text = super().to_internal_value(data)
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            self.fail("control")
        return text


class WordField(serializers.ChoiceField):
    """One word of a closed list; anything that isn't text is no word."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return str(super().to_internal_value(data))


class NumberField(serializers.Field[int, Any, float, int]):
    """A JSON number from 0 to `most`, kept exactly as thousandths."""

    default_error_messages = {"invalid": gettext_lazy("A number from 0 to {most} is needed.")}

    def __init__(self, most: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most

    def to_internal_value(self, data: Any) -> int:
        right = isinstance(data, int | float) and not isinstance(data, bool)
        if not right or not 0 <= data <= self.most:
            self.fail("invalid", most=self.most)
        return int((Decimal(str(data)) * 1000).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))

    def to_representation(self, value: int) -> float:
        return value / 1000


class ProblemShape(serializers.Serializer[Any]):
    """The body of every error."""

    type = serializers.CharField(help_text="A URN that names the kind of problem.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="A sentence for a person.")
    code = serializers.CharField(help_text="Stable, for programs.")
    errors = serializers.DictField(  # type: ignore[assignment]  # a field of the body
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="What is wrong with each field, for 400.",
    )
    scope = serializers.CharField(required=False, help_text="Whose limit it is.")
    resets_at = serializers.DateTimeField(required=False, help_text="When the period ends.")
    contacts = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField()),
        required=False,
        help_text="Whom to ask.",
    )
    request = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text="What may be asked for: `kind`, for `POST …/requests`, and the page's `url`.",
    )
