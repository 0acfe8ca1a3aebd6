"""Shapes of members, teams, licenses and invitations in JSON."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from offload_portal.api.pagination import PageQuery
from offload_portal.api.serializers import (
    FlagField,
    InstantField,
    QueryFlagField,
    Shape,
    TextField,
    WordField,
)
from orgs.api.shapes import LICENSE_STATES, PersonShape
from orgs.enums import BulkKind, GrantKind, LicenseState, MemberAct, Role
from orgs.services import BulkDone, Settled

MOST_AT_ONCE = 1_000
USES = [("never", "never"), ("idle", "idle")]
SORTS = ("name", "joined", "last_session", "last_sign_in")


class TryQuery(Shape):
    dry_run = QueryFlagField(required=False, help_text="Say what would happen; change nothing.")


class PersonsField(serializers.ListField):
    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_length", 1)
        super().__init__(child=serializers.UUIDField(), max_length=MOST_AT_ONCE, **kwargs)


class TeamRefShape(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()


class MemberQuery(PageQuery):
    search = TextField(required=False, max_length=100)
    role = WordField(Role.choices, required=False)
    license = WordField(LICENSE_STATES, required=False)
    team = serializers.UUIDField(required=False)
    used = WordField(
        USES,
        required=False,
        help_text="`never`: no session here; `idle`: the last one ended 30 days ago or more.",
    )
    sort = WordField(
        [(f"{sign}{name}", f"{sign}{name}") for name in SORTS for sign in ("", "-")],
        required=False,
        help_text="`name` where it is not given; with `-` in front the other way round.",
    )


class MemberShape(Shape):
    person = PersonShape()
    role = serializers.ChoiceField(Role.choices)
    joined_at = InstantField()
    license_state = serializers.ChoiceField(LICENSE_STATES)
    grants = serializers.ListField(
        child=serializers.CharField(), help_text="`all`, `team:NAME`, `person`."
    )
    teams = TeamRefShape(many=True)
    last_session_at = InstantField(
        allow_null=True, help_text="When the last session ended, now if one runs; null: never."
    )
    last_sign_in_at = InstantField(allow_null=True)


class MemberChange(Shape):
    role = WordField(Role.choices)


class NewMemberAct(Shape):
    """One act on up to 1,000 members. `role`, `team` and `until` go with the acts that use them."""

    act = WordField(MemberAct.choices)
    persons = PersonsField()
    role = WordField(Role.choices, required=False)
    team = serializers.UUIDField(required=False)
    until = InstantField(required=False, help_text="When access ends; else it has no end.")

    needed = {
        MemberAct.ROLE: "role",
        MemberAct.TEAM_ADD: "team",
        MemberAct.TEAM_REMOVE: "team",
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        name = self.needed.get(MemberAct(attrs["act"]))
        if name is not None and name not in attrs:
            raise serializers.ValidationError({name: [_("This act needs it.")]})
        return attrs


class LicensesChangedShape(Shape):
    """What became of licenses: persons by identifier."""

    given = serializers.ListField(child=serializers.UUIDField())
    queued = serializers.ListField(child=serializers.UUIDField())
    lost = serializers.ListField(child=serializers.UUIDField())
    left_queue = serializers.ListField(child=serializers.UUIDField())


class ChangedShape(Shape):
    """Whom a change concerned, and what it did to licenses."""

    changed = serializers.ListField(child=serializers.UUIDField())
    licenses = LicensesChangedShape()
    undo_id = serializers.UUIDField(
        allow_null=True, help_text="Undoes it within an hour; null where something was lost."
    )


class UndoneShape(Shape):
    kind = serializers.ChoiceField(BulkKind.choices)
    count = serializers.IntegerField()


def licenses_json(done: Settled) -> dict[str, Any]:
    return {
        "given": done.given,
        "queued": [*done.queued, *done.back_to_queue],
        "lost": [*done.lost, *done.back_to_queue],
        "left_queue": done.left_queue,
    }


def changed_json(done: BulkDone, *, tried: bool = False) -> dict[str, Any]:
    """`tried` is a dry run, after which nothing is there to undo."""
    value = {
        "changed": done.changed,
        "licenses": licenses_json(done.settled),
        "undo_id": None if tried else done.undo_id,
    }
    return dict(ChangedShape(value).data)


class TeamQuery(PageQuery):
    search = TextField(required=False, max_length=100)


class TeamShape(TeamRefShape):
    member_count = serializers.IntegerField()
    created_at = InstantField()
    granted_at = InstantField(allow_null=True, help_text="Null where no access is granted to it.")
    until = InstantField(allow_null=True, help_text="When the grant ends.")


class NewTeam(Shape):
    name = TextField(max_length=80)
    persons = PersonsField(required=False, min_length=0)


class TeamChange(Shape):
    name = TextField(max_length=80)


class PoolShape(Shape):
    licenses = serializers.IntegerField(help_text="What the subscription brings.")
    held = serializers.IntegerField()
    free = serializers.IntegerField()
    queued = serializers.IntegerField(help_text="Members who wait, in order of grant.")


class LicenseQuery(PageQuery):
    state = WordField(LicenseState.choices, required=False)


class LicenseShape(Shape):
    person = PersonShape()
    state = serializers.ChoiceField(LicenseState.choices)
    granted_at = InstantField()
    held_since = InstantField(allow_null=True)
    ends_at = InstantField(allow_null=True, help_text="When the last of its grants ends.")
    queue_place = serializers.IntegerField(allow_null=True)
    grants = serializers.ListField(child=serializers.CharField())


class GrantShape(Shape):
    """Why members have a license: a grant to all, to a team, or to a person."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(GrantKind.choices)
    team = TeamRefShape(allow_null=True)
    person = PersonShape(allow_null=True)
    granted_at = InstantField()
    until = InstantField(allow_null=True)


class NewGrant(Shape):
    """To all members, to a team, or to persons."""

    to = WordField([(word, word) for word in ("all", "team", "persons")])
    team = serializers.UUIDField(required=False)
    persons = PersonsField(required=False)
    until = InstantField(required=False, help_text="When it ends; else it has no end.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        name = attrs["to"]
        if name != "all" and name not in attrs:
            raise serializers.ValidationError({name: [_("Say to whom.")]})
        return attrs


class InvitationQuery(PageQuery):
    search = TextField(required=False, max_length=100)
    expired = QueryFlagField(required=False, help_text="Only those that have expired, or haven't.")


class InvitationShape(Shape):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    role = serializers.ChoiceField(Role.choices)
    team = serializers.CharField(allow_blank=True, help_text="The team's name, or empty.")
    license = serializers.BooleanField(
        source="with_license", help_text="Whether a license is given on acceptance."
    )
    created_at = InstantField()
    sent_at = InstantField()
    expires_at = InstantField()
    expired = serializers.BooleanField()


class NewInvitations(Shape):
    """Up to 1,000 addresses at once (rule 3)."""

    emails = serializers.ListField(
        child=TextField(max_length=254), min_length=1, max_length=MOST_AT_ONCE
    )
    role = WordField(Role.choices, required=False)
    team = serializers.UUIDField(required=False)
    license = FlagField(
        required=False,
        help_text="Give each a license on acceptance; it is not reserved, who finds none waits.",
    )


class SkippedShape(Shape):
    email = serializers.CharField()
    reason = serializers.CharField(help_text="`invalid`, `duplicate`, `member`, `invited`.")


class InvitedShape(Shape):
    sent = InvitationShape(many=True)
    skipped = SkippedShape(many=True)
