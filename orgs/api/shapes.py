"""Shapes of people, organizations, access and audit in JSON."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import serializers

from offload_portal.api.pagination import PageQuery
from offload_portal.api.serializers import (
    FlagField,
    InstantField,
    Shape,
    TextField,
    WholeNumberField,
    WordField,
)
from orgs.enums import Event, LicenseState, OffloadSwitch, PrivacyMode, Role
from orgs.zones import is_zone

LICENSE_STATES = [(state, state) for state in (*LicenseState.values, "none")]


class PersonShape(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()
    email = serializers.EmailField()


class MembershipShape(Shape):
    slug = serializers.CharField()
    name = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)


class PreferencesShape(Shape):
    """What a person prefers; null leaves it to the organization or the browser."""

    default_organization = serializers.CharField(
        allow_null=True, help_text="The slug of the organization that pays by default."
    )
    idle_timeout_seconds = WholeNumberField(allow_null=True)
    language = serializers.CharField(allow_null=True)
    zone = serializers.CharField(allow_null=True)


class PreferencesChange(Shape):
    default_organization = TextField(required=False, allow_null=True, max_length=48)
    idle_timeout_seconds = WholeNumberField(
        required=False, allow_null=True, min_value=10, max_value=3_600
    )
    language = WordField(settings.LANGUAGES, required=False, allow_null=True)
    zone = TextField(required=False, allow_null=True, max_length=64)

    def validate_zone(self, value: str | None) -> str | None:
        if value is not None and not is_zone(value):
            raise serializers.ValidationError(_("There is no such time zone."))
        return value


class MeShape(PersonShape):
    organizations = MembershipShape(many=True)
    preferences = PreferencesShape()


class NewOrganization(Shape):
    name = TextField(max_length=80)
    slug = TextField(required=False, max_length=48, help_text="Made from the name if left out.")
    zone = TextField(required=False, max_length=64, help_text="UTC if left out.")


class OrganizationChange(Shape):
    name = TextField(required=False, max_length=80)
    slug = TextField(required=False, max_length=48, help_text="Old ones go on leading here.")
    zone = TextField(required=False, max_length=64)
    billing_contact = TextField(
        max_length=254,
        required=False,
        allow_blank=True,
        help_text="Gets a copy of every mail about money; empty takes it away.",
    )
    privacy_mode = WordField(
        PrivacyMode.choices,
        required=False,
        help_text="How insights show people: by name, by a code, or in sums of five and more.",
    )
    requires_second_factor = FlagField(
        required=False, help_text="Who asks it of everyone has one themselves."
    )


class PolicyShape(Shape):
    version = serializers.IntegerField()
    changed_at = InstantField()
    offload = serializers.ChoiceField(OffloadSwitch.choices)
    idle_timeout_seconds = serializers.IntegerField()
    idle_timeout_least_seconds = serializers.IntegerField()
    idle_timeout_most_seconds = serializers.IntegerField()
    engine_sizes = serializers.ListField(child=serializers.CharField())
    gpu_allowed = serializers.BooleanField()
    longest_session_seconds = serializers.IntegerField(allow_null=True)
    sessions_per_person = serializers.IntegerField()
    keep_alive_most_seconds = serializers.IntegerField(
        help_text="How far ahead a job may declare itself alive; 0 allows none."
    )
    required_labels = serializers.ListField(
        child=serializers.CharField(), help_text="Names of labels without which no session starts."
    )
    refresh_after_seconds = serializers.IntegerField()


class AuditExportQuery(Shape):
    actor = serializers.UUIDField(required=False, help_text="Who did it.")
    action = WordField(Event.choices, required=False)
    subject = serializers.UUIDField(required=False, help_text="On what: an identifier.")
    subject_kind = TextField(required=False, max_length=24, help_text="On what kind of thing.")
    search = TextField(
        required=False,
        max_length=200,
        help_text="A text in names, e-mail and network addresses, events or values.",
    )
    since = InstantField(required=False, help_text="At this instant or later.")
    until = InstantField(required=False, help_text="Before this instant.")


class AuditQuery(PageQuery, AuditExportQuery):
    pass


class AuditActorShape(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()
    email = serializers.CharField(help_text="Empty where the person was erased.")


class AuditShape(Shape):
    id = serializers.UUIDField()
    number = serializers.IntegerField(
        allow_null=True, help_text="Its number in the organization's chain; null until sealed."
    )
    at = InstantField()
    actor = AuditActorShape(allow_null=True, help_text="Null for the portal itself.")
    action = serializers.ChoiceField(Event.choices)
    subject_kind = serializers.CharField()
    subject_id = serializers.UUIDField(allow_null=True)
    subject_name = serializers.CharField(
        help_text="What the subject was called then; empty where it has no name."
    )
    before: Any = serializers.DictField()
    after: Any = serializers.DictField()
    origin = serializers.CharField(help_text="The network address, or the door, it came from.")
