"""Changing the client policy (product.md rule 6)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from offload_portal.common import labels
from offload_portal.common.actors import Actor
from offload_portal.common.refusals import Refusal
from orgs.enums import Event, OffloadSwitch
from orgs.models import Organization, Policy
from orgs.policies import check_can_change_policy
from orgs.services import audit
from orgs.services.following import following, next_version
from orgs.services.locking import lock, viewer

LEAST_TIMEOUT_SECONDS, MOST_TIMEOUT_SECONDS = 10, 3_600
MOST_SESSION_SECONDS = 365 * 86_400
MOST_SESSIONS = 100


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A whole policy as owners set it. Times are seconds; no longest session is None.

    A `keep_alive_most_seconds` of 0 lets no job declare itself alive.
    """

    offload: str
    idle_timeout_seconds: int
    idle_timeout_least_seconds: int
    idle_timeout_most_seconds: int
    engine_sizes: tuple[str, ...]
    gpu_allowed: bool
    longest_session_seconds: int | None
    sessions_per_person: int
    keep_alive_most_seconds: int
    required_labels: tuple[str, ...] = ()


def update_policy(
    *, actor: Actor, at: datetime, organization: Organization, change: PolicyChange
) -> Policy:
    """Set the policy; a change gives it the next version. Owners only.

    Switching Offload off is access lost at `at` for everyone who has a license, unless a policy
    for them says otherwise (rule 14). Refuses with 400 and the fields to blame.
    """
    check_policy(change)
    with transaction.atomic():
        row = lock(organization.pk)
        check_can_change_policy(viewer(actor, row))
        policy = Policy.objects.select_for_update().get(organization=row)
        before, after = _difference(policy, change)
        if not after:
            return policy
        before["version"] = policy.version
        with following(row, at):
            policy.version = policy.last_version = next_version(row)
            for name in after:
                setattr(policy, name, _value(change, name))
            policy.changed_at = at
            policy.save()
        audit.record(
            event=Event.POLICY_CHANGED,
            actor=actor,
            at=at,
            organization_id=row.pk,
            subject=("policy", policy.pk),
            before=before,
            after={**after, "version": policy.version},
        )
    return policy


def _value(change: PolicyChange, name: str) -> Any:
    value = getattr(change, name)
    return list(value) if isinstance(value, tuple) else value


def _difference(policy: Policy, change: PolicyChange) -> tuple[dict[str, Any], dict[str, Any]]:
    names = [
        name
        for name in PolicyChange.__dataclass_fields__
        if getattr(policy, name) != _value(change, name)
    ]
    before = {name: getattr(policy, name) for name in names}
    return before, {name: _value(change, name) for name in names}


def check_policy(change: PolicyChange) -> None:
    """Refuse what no policy may say, with the fields to blame."""
    errors: dict[str, list[str]] = {}
    if change.offload not in OffloadSwitch.values:
        errors["offload"] = [_("Choose one of the five settings.")]
    _check_timeouts(change, errors)
    if not change.engine_sizes:
        errors["engine_sizes"] = [_("Allow at least one engine size.")]
    longest = change.longest_session_seconds
    if longest is not None and not 60 <= longest <= MOST_SESSION_SECONDS:
        errors["longest_session_seconds"] = [
            _("The longest session lasts from one minute to 365 days.")
        ]
    if not 1 <= change.sessions_per_person <= MOST_SESSIONS:
        errors["sessions_per_person"] = [
            _("From 1 to %(most)s sessions at once.") % {"most": MOST_SESSIONS}
        ]
    _check_keep_alive(change, errors)
    _check_labels(change, errors)
    if errors:
        sentence = " ".join(each for all_ in errors.values() for each in all_)
        raise Refusal("invalid", sentence, 400, errors=errors)


def _check_keep_alive(change: PolicyChange, errors: dict[str, list[str]]) -> None:
    most = settings.KEEP_ALIVE_MOST_SECONDS
    if not 0 <= change.keep_alive_most_seconds <= most:
        errors["keep_alive_most_seconds"] = [
            _("A job may be kept alive for at most %(most)s seconds; 0 allows it to none.")
            % {"most": most}
        ]


def _check_labels(change: PolicyChange, errors: dict[str, list[str]]) -> None:
    names = change.required_labels
    if len(names) > labels.MOST_LABELS:
        sentence = _("At most %(most)s labels.") % {"most": labels.MOST_LABELS}
    elif wrong := [name for name in names if not labels.is_name(name)]:
        sentence = _(
            "“%(name)s” is no name of a label: a letter, then letters, digits and . _ / - up to "
            "%(most)s in all."
        ) % {"name": wrong[0][: labels.MOST_NAME_LETTERS], "most": labels.MOST_NAME_LETTERS}
    elif len(set(names)) != len(names):
        sentence = _("Each label once.")
    else:
        return
    errors["required_labels"] = [sentence]


def _check_timeouts(change: PolicyChange, errors: dict[str, list[str]]) -> None:
    bounds = {"least": LEAST_TIMEOUT_SECONDS, "most": MOST_TIMEOUT_SECONDS}
    names = ("idle_timeout_seconds", "idle_timeout_least_seconds", "idle_timeout_most_seconds")
    for name in names:
        if not LEAST_TIMEOUT_SECONDS <= getattr(change, name) <= MOST_TIMEOUT_SECONDS:
            errors[name] = [_("From %(least)s to %(most)s seconds.") % bounds]
    if errors.keys() & set(names):
        return
    if change.idle_timeout_least_seconds > change.idle_timeout_most_seconds:
        errors["idle_timeout_most_seconds"] = [
            _("The longest idle timeout is shorter than the shortest one.")
        ]
    elif not (
        change.idle_timeout_least_seconds
        <= change.idle_timeout_seconds
        <= change.idle_timeout_most_seconds
    ):
        errors["idle_timeout_seconds"] = [_("The default lies between its bounds.")]
