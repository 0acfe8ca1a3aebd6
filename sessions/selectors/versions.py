"""What a session's tag consists of, for the answer that carries it and for whoever waits."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, Subquery
from django.db.models.functions import JSONObject

from offload_portal.common.periods import to_seconds
from orgs.models import AccessLoss, License
from sessions import clock
from sessions.models import Session
from sessions.models.session import policy_mark
from sessions.selectors.facts import ends_from_below, facts_of
from sessions.selectors.notices import Notice, around, marks_of, next_notice, notices_of
from usage.models import Subscription

# A row of `standings`: nothing can change the version but the clock while it stays the same.
Standing = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """`text` holds before `until` (POSIX seconds; None: for good) while no fact changes."""

    text: str
    until: int | None


def version_of(session: Session, moment: clock.Moment, notices: Sequence[Notice]) -> str:
    """Changes with the facts and with what the clock makes of them, not with what ticks."""
    prompt = moment.prompt.due_at if moment.prompt else ""
    told = marks_of(notices)
    return f"{session.version}.{session.pulse.sequence}.{moment.state}.{prompt}.{told}"


def versions(identifiers: Collection[uuid.UUID], at: datetime) -> dict[uuid.UUID, Version]:
    """The versions of sessions at an instant, in a fixed number of statements."""
    rows = list(Session.objects.as_shown().filter(pk__in=identifiers).order_by("id"))
    ends = ends_from_below(rows)
    now = to_seconds(at)
    found = {}
    for session in rows:
        facts = facts_of(session, ends.get(session.id, ()))
        beside = around(session)
        notices = notices_of(session, facts, beside, at)
        text = version_of(session, clock.state_at(facts, now), notices)
        instants = (clock.next_change(facts, now), next_notice(facts, beside, at))
        until = min((instant for instant in instants if instant is not None), default=None)
        found[session.id] = Version(text, until)
    return found


def standings(identifiers: Collection[uuid.UUID]) -> dict[uuid.UUID, Standing]:
    """The columns that a version hangs on, lower floors' too; one statement for all sessions."""
    rows = Session.objects.filter(pk__in=identifiers).order_by("id")
    told = rows.annotate(
        lost_at=_lost(),
        access_ends_at=_end(),
        subscription=_subscription(),
        policy_mark=policy_mark(),
    )
    found = told.values_list(
        "id",
        "version",
        "ended_at",
        "pulse__sequence",
        "pulse__started_at",
        "pulse__last_activity_at",
        "pulse__last_call_at",
        "pulse__idled_at",
        "pulse__kept_until",
        "cap_ahead",
        "organization__allowance__spent_at",
        "organization__allowance__sessions_end_at",
        "organization__allowance__ends_by_limit",
        "organization__allowance__on_demand_since",
        "organization__policy__version",
        "policy_mark",
        "lost_at",
        "access_ends_at",
        "subscription",
    )
    return {row[0]: row[1:] for row in found}


def _lost() -> Subquery:
    """When its person last lost access to the organization."""
    losses = AccessLoss.objects.filter(
        organization_id=OuterRef("organization_id"), person_id=OuterRef("person_id")
    )
    return Subquery(losses.order_by("-at", "-id").values("at")[:1])


def _end() -> Subquery:
    """When the grants end that give its person a license; None where one has no end."""
    licenses = License.objects.filter(
        organization_id=OuterRef("organization_id"), person_id=OuterRef("person_id")
    )
    return Subquery(licenses.order_by("id").values("ends_at")[:1])


def _subscription() -> Subquery:
    """What the end of its organization's newest subscription hangs on."""
    names = ("id", "state", "suspended_at", "trial_ends_at", "cancel_at", "ended_at")
    newest = Subscription.objects.filter(organization_id=OuterRef("organization_id"))
    told = newest.order_by("-started_at", "-id").annotate(
        told=JSONObject(**{name: name for name in names})
    )
    return Subquery(told.values("told")[:1])
