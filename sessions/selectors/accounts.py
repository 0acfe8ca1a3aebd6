"""The profiles a client may choose from: who may start where, and what runs (api.md, /accounts)."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from offload_portal.common.refusals import Refusal
from orgs.models import Membership, Person
from orgs.selectors.licenses import Account, account_of, accounts_of
from sessions.models import Session
from sessions.policies import StartQuestion, Wish, check_can_start, no_room
from sessions.selectors.views import SessionView, views_of
from usage.rates import DEFAULT_SIZES, EngineSize
from usage.selectors import AllowanceView, allowance_of, allowances_of
from usage.selectors.room import Room


@dataclass(frozen=True, slots=True)
class AccountView:
    """One organization of the person. `refusal` is what a start of the usual size would meet."""

    account: Account
    allowance: AllowanceView
    running: tuple[SessionView, ...]
    refusal: Refusal | None


def account_views(person: Person, at: datetime) -> tuple[AccountView, ...]:
    """All organizations of the person, by name, in a fixed number of statements."""
    accounts = accounts_of(person, at)
    allowances = allowances_of([account.organization.pk for account in accounts], at)
    running = _running(person, at)
    return tuple(
        _view(
            account,
            allowances[account.organization.pk],
            running.get(account.organization.pk, ()),
            at,
        )
        for account in accounts
    )


def account_view(
    membership: Membership, running: Sequence[SessionView], at: datetime
) -> AccountView:
    """That of one membership, read with its organization and person, whose sessions are known."""
    account = account_of(membership, at)
    organization = account.organization
    return _view(account, allowance_of(organization, at), running, at)


def _running(person: Person, at: datetime) -> Mapping[uuid.UUID, Sequence[SessionView]]:
    """The person's sessions that go on at the instant, by organization."""
    rows = Session.objects.running().as_shown().filter(person=person)
    rows = rows.order_by("-created_at", "-id")
    found: dict[uuid.UUID, list[SessionView]] = defaultdict(list)
    for view in views_of(list(rows), at):
        if view.is_running:
            found[view.organization_id].append(view)
    return found


def _view(
    account: Account,
    allowance: AllowanceView,
    running: Sequence[SessionView],
    at: datetime,
) -> AccountView:
    refusal = _refusal(account, allowance, len(running), at)
    return AccountView(account, allowance, tuple(running), refusal)


def _usual_size(account: Account) -> EngineSize:
    """`standard`, or the first size that the policy allows where that is not among them."""
    allowed = [size for size in DEFAULT_SIZES if size.name in account.policy.engine_sizes]
    return (allowed or list(DEFAULT_SIZES))[0]


def _refusal(
    account: Account, allowance: AllowanceView, running: int, at: datetime
) -> Refusal | None:
    size = _usual_size(account)
    subscription = allowance.subscription
    ended = subscription is not None and subscription.ends_at is not None
    over = ended and subscription is not None and (subscription.ends_at or at) <= at
    question = StartQuestion(
        subscription=subscription.state if subscription and not over else None,
        policy=account.policy,
        standing=account.standing,
        # Labels are given with a start: whoever knows which may start.
        wish=Wish(
            size,
            gpu=False,
            idle_timeout_seconds=account.policy.idle_timeout_seconds,
            labels=frozenset(account.policy.required_labels),
        ),
        running=running,
        contacts=account.contacts,
        slug=account.organization.slug,
    )
    try:
        check_can_start(question)
    except Refusal as refusal:
        return refusal
    room = Room(
        left=allowance.left_compute_seconds,
        reserved=allowance.reserved_compute_seconds,
        mode=allowance.on_demand_mode,
        limit_microusd=allowance.on_demand_limit_microusd,
        used_microusd=allowance.on_demand.used_microusd,
        resets_at=allowance.period_end,
    )
    needed = settings.RESERVE_SECONDS * size.multiplier
    return (
        None
        if room.has(needed)
        else no_room(room, needed, account.contacts, account.organization.slug)
    )
