"""Who may start a session (product.md rule 26), and what a job may declare (rule 6).

Pairs over frozen dataclasses: `check_can_x` raises the sentence and the code, `can_x` answers a
template. They never query.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from offload_portal.common.refusals import Refusal
from orgs.enums import LicenseState, OffloadSwitch
from orgs.policies import check_second_factor, with_request
from orgs.selectors import Contact, PolicyTerms, Standing
from usage.enums import CapScope, OnDemand, SubscriptionState
from usage.rates import EngineSize
from usage.selectors.room import CapRoom, Room, tightest


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asks for. `size` was resolved; `gpu_only` when it asked for any GPU."""

    size: EngineSize
    gpu: bool
    idle_timeout_seconds: int
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StartQuestion:
    """Everything that decides about a start but the room, which a guarded update settles."""

    subscription: str | None
    policy: PolicyTerms
    standing: Standing
    wish: Wish
    running: int
    contacts: Sequence[Contact]
    slug: str


def whom_to_ask(contacts: Sequence[Contact]) -> list[Mapping[str, Any]]:
    return [{"name": contact.name, "email": contact.email} for contact in contacts]


def _names(contacts: Sequence[Contact]) -> str:
    return ", ".join(contact.name for contact in contacts[:3]) or _("the portal's operator")


def _refuse(
    code: str, sentence: str, status: int, contacts: Sequence[Contact], **extra: Any
) -> Refusal:
    whole = f"{sentence} " + _("Ask %(owners)s.") % {"owners": _names(contacts)}
    return Refusal(code, whole, status, {**extra, "contacts": whom_to_ask(contacts)})


def check_subscription(state: str | None, contacts: Sequence[Contact]) -> None:
    if state in (None, SubscriptionState.CANCELLED):
        sentence = _("The organization has no subscription to Offload; an owner can choose a plan.")
        raise _refuse("not_subscribed", sentence, 402, contacts)
    if state == SubscriptionState.SUSPENDED:
        sentence = _("The subscription is suspended until what is due has been paid.")
        raise _refuse("subscription_suspended", sentence, 402, contacts)


def check_access(policy: PolicyTerms, standing: Standing, contacts: Sequence[Contact]) -> None:
    if policy.offload == OffloadSwitch.ALWAYS_DISABLED:
        sentence = _("The organization's policy switches Offload off; an owner can change it.")
        raise _refuse("policy_disabled", sentence, 403, contacts)
    if standing.license_state == LicenseState.QUEUED:
        sentence = _("You wait for a license, place %(place)s in the queue.") % {
            "place": standing.queue_place
        }
        raise _refuse("license_queued", sentence, 403, contacts, queue_place=standing.queue_place)
    if standing.license_state != LicenseState.HELD:
        sentence = _("You have no license for Offload here; an owner can grant you access.")
        raise _refuse("no_license", sentence, 403, contacts)


def check_wish(policy: PolicyTerms, wish: Wish, contacts: Sequence[Contact]) -> None:
    if wish.gpu and not policy.gpu_allowed and wish.size.name not in policy.engine_sizes:
        raise _gpu_refused(contacts)
    if wish.size.name not in policy.engine_sizes:
        sentence = _("The policy allows the engine sizes %(allowed)s, not %(size)s.") % {
            "allowed": ", ".join(policy.engine_sizes) or "–",
            "size": wish.size.name,
        }
        raise _refuse("engine_size_not_allowed", sentence, 403, contacts)
    if wish.size.gpus and not policy.gpu_allowed:
        raise _gpu_refused(contacts)
    least, most = policy.idle_timeout_least_seconds, policy.idle_timeout_most_seconds
    if not least <= wish.idle_timeout_seconds <= most:
        sentence = _(
            "The policy allows an idle timeout from %(least)s to %(most)s seconds, not %(asked)s."
        ) % {"least": least, "most": most, "asked": wish.idle_timeout_seconds}
        raise _refuse("idle_timeout_out_of_bounds", sentence, 403, contacts, least=least, most=most)


def check_labels(policy: PolicyTerms, wish: Wish, contacts: Sequence[Contact]) -> None:
    missing = [name for name in policy.required_labels if name not in wish.labels]
    if missing:
        sentence = ngettext(
            "The policy requires the label %(names)s; start with its value.",
            "The policy requires the labels %(names)s; start with their values.",
            len(missing),
        ) % {"names": ", ".join(missing)}
        raise _refuse("label_required", sentence, 403, contacts, labels=missing)


def _gpu_refused(contacts: Sequence[Contact]) -> Refusal:
    sentence = _("The organization's policy does not allow engines with a GPU.")
    return _refuse("gpu_not_allowed", sentence, 403, contacts)


def check_running(policy: PolicyTerms, running: int, contacts: Sequence[Contact]) -> None:
    most = policy.sessions_per_person
    if running >= most:
        sentence = ngettext(
            "You have a session running, and the policy allows one at a time; stop it first.",
            "You have %(running)s sessions running, and the policy allows %(most)s at a time; "
            "stop one first.",
            most,
        ) % {"running": running, "most": most}
        extra = {"limit": most, "used": running, "contacts": whom_to_ask(contacts)}
        raise Refusal("session_already_running", sentence, 409, extra)


def check_can_start(question: StartQuestion) -> None:
    """Raise the first refusal of rule 26 before the allowance, in its order."""
    try:
        _check_all(question)
    except Refusal as refusal:
        raise with_request(refusal, question.slug) from None


def _check_all(question: StartQuestion) -> None:
    check_subscription(question.subscription, question.contacts)
    lacks = question.standing.lacks_second_factor
    check_second_factor(lacks=lacks, contacts=question.contacts)
    check_access(question.policy, question.standing, question.contacts)
    check_wish(question.policy, question.wish, question.contacts)
    check_labels(question.policy, question.wish, question.contacts)
    check_running(question.policy, question.running, question.contacts)


def can_start(question: StartQuestion) -> bool:
    try:
        check_can_start(question)
    except Refusal:
        return False
    return True


def check_can_keep_alive(most: int, ahead: int, contacts: Sequence[Contact]) -> None:
    """May a job declare itself alive for `ahead` seconds, where `most` are allowed (rule 6)?

    `most` is what the session started with. An instant that has passed takes a declaration back,
    which is always allowed.
    """
    if ahead <= most or ahead <= 0:
        return
    if most == 0:
        sentence = _("The policy lets no job declare itself alive; an owner can allow it.")
        raise _refuse("keep_alive_not_allowed", sentence, 403, contacts, limit=0, asked=ahead)
    sentence = _(
        "The policy lets a job declare itself alive for up to %(most)s seconds, not %(asked)s; "
        "an owner can allow more."
    ) % {"most": most, "asked": ahead}
    raise _refuse("keep_alive_too_long", sentence, 403, contacts, limit=most, asked=ahead)


def can_keep_alive(most: int, ahead: int) -> bool:
    try:
        check_can_keep_alive(most, ahead, ())
    except Refusal:
        return False
    return True


def no_room(room: Room, needed: int, contacts: Sequence[Contact], slug: str) -> Refusal:
    """Why a start finds too little left; says left, reserved and needed (rule 19)."""
    numbers = {"left": room.left or 0, "reserved": room.reserved, "needed": needed}
    off = room.mode == OnDemand.OFF or room.limit_microusd == 0
    if off:
        code = "no_allowance"
        why = _("The commitment is used up and on-demand usage is off.")
    else:
        code = "on_demand_limit_reached"
        why = _("On-demand usage has come to its monthly limit.")
    sentence = (
        why
        + " "
        + _(
            "%(left)s compute-seconds are left, %(reserved)s of them reserved; "
            "a start needs %(needed)s."
        )
        % numbers
    )
    extra: dict[str, Any] = {"scope": "organization", **numbers}
    if not off:
        extra |= {
            "used_microusd": room.used_microusd,
            "limit_microusd": room.limit_microusd,
        }
    if room.resets_at is not None:
        extra["resets_at"] = room.resets_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return with_request(_refuse(code, sentence, 402, contacts, **extra), slug)


def check_caps(
    rooms: Sequence[CapRoom], needed: int, contacts: Sequence[Contact], slug: str
) -> None:
    """Does every cap leave enough? The tightest is named, and all are reported (rule 19)."""
    full = [room for room in rooms if not room.has(needed)]
    if not full:
        return
    named = tightest(full)
    numbers = {"left": named.left, "reserved": named.reserved, "needed": needed}
    sentence = (
        _whose_cap(named)
        + " "
        + _(
            "%(left)s compute-seconds are left, %(reserved)s of them reserved; "
            "a start needs %(needed)s."
        )
        % numbers
    )
    extra: dict[str, Any] = {
        "scope": named.scope,
        **numbers,
        "used": named.used,
        "limit": named.limit,
        "caps": [_cap_json(room) for room in rooms],
    }
    if named.resets_at is not None:
        extra["resets_at"] = named.resets_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    raise with_request(_refuse("cap_reached", sentence, 402, contacts, **extra), slug)


def can_start_within(rooms: Sequence[CapRoom], needed: int) -> bool:
    return all(room.has(needed) for room in rooms)


def _whose_cap(room: CapRoom) -> str:
    if room.scope == CapScope.TEAM:
        return _("The team %(name)s has come to its cap for this period.") % {"name": room.name}
    return _("You have come to your own cap for this period; the organization has time left.")


def _cap_json(room: CapRoom) -> dict[str, Any]:
    return {
        "scope": room.scope,
        "name": room.name,
        "limit": room.limit,
        "used": room.used,
        "left": room.left,
        "reserved": room.reserved,
    }
