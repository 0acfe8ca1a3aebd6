"""Which of the last period's sessions a limit or a cap would have refused (product.md rule 19)."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from orgs.enums import PrivacyMode
from orgs.models import Organization
from orgs.privacy import pseudonym_of
from sessions.models import Session, SessionTeam
from sessions.selectors.caps import under_cap
from usage.enums import CapScope
from usage.selectors.hindsight import PAID_AFTERWARDS, reached_in_last_period

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class RefusedSession:
    id: uuid.UUID
    person_name: str
    engine_size: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Hindsight:
    """What it would have done in [start, end): sessions refused from `reached_at` on.

    `is_last`: a whole period before the present one, else the present one so far. `reached_at`
    None: it would not have been reached. `refused` are the first of `count`; `ended` ran then.
    """

    start: datetime
    end: datetime
    is_last: bool
    reached_at: datetime | None
    count: int = 0
    ended: int = 0
    refused: Sequence[RefusedSession] = ()


def hindsight_of_limit(organization: Organization, limit_microusd: int | None) -> Hindsight | None:
    """Of the on-demand limit; None without a bound, or where nothing was used yet."""
    if limit_microusd is None:
        return None
    return _hindsight(organization, PAID_AFTERWARDS, Q(), limit_microusd, in_money=True)


def hindsight_of_cap(
    organization: Organization, scope: str, subject_id: uuid.UUID, limit: int | None
) -> Hindsight | None:
    """Of a cap in compute-seconds."""
    if limit is None:
        return None
    if scope == CapScope.PERSON:
        entries = Q(person_id=subject_id)
    else:
        rows = SessionTeam.objects.filter(organization=organization, team_id=subject_id)
        entries = Q(session_id__in=rows.values("session_id"))
    sessions = under_cap(organization, scope, subject_id)
    return _hindsight(organization, entries, sessions, limit, in_money=False)


def _hindsight(
    organization: Organization, entries: Q, sessions: Q, limit: int, *, in_money: bool
) -> Hindsight | None:
    reached = reached_in_last_period(organization, entries, limit, in_money=in_money)
    if reached is None:
        return None
    if reached.at is None:
        return Hindsight(reached.start, reached.end, reached.is_last, None)
    rows = Session.objects.for_organization(organization).filter(sessions)
    later = rows.filter(created_at__gte=reached.at, created_at__lt=reached.end)
    shown = later.select_related("person").order_by("created_at", "id")[:MOST_SHOWN]
    running = rows.filter(created_at__lt=reached.at).filter(
        Q(ended_at=None) | Q(ended_at__gt=reached.at)
    )
    return Hindsight(
        start=reached.start,
        end=reached.end,
        is_last=reached.is_last,
        reached_at=reached.at,
        count=later.count(),
        ended=running.count(),
        refused=_refused(organization, shown),
    )


def _refused(organization: Organization, sessions: Iterable[Session]) -> list[RefusedSession]:
    """By a code where insights are pseudonymous; not one by one where they are in aggregate."""
    if organization.privacy == PrivacyMode.AGGREGATE:
        return []
    named = organization.privacy == PrivacyMode.NAMED
    return [
        RefusedSession(
            one.pk,
            one.person.shown_name if named else pseudonym_of(organization.pk, one.person_id).name,
            one.engine_size,
            one.created_at,
        )
        for one in sessions
    ]
