"""Small worlds of one organization, for the tests of the book."""

import uuid
from datetime import datetime, timedelta

from orgs.models import Organization, Person
from sessions.services import change_allowance
from tests import factories
from usage import services
from usage.models import Allowance, LimitVersion, Plan, Pool, Subscription
from usage.services import metering

HOUR = 3_600
DOLLAR = 1_000_000


def plan(slug: str) -> Plan:
    return Plan.objects.get(slug=slug)


def allowance(organization: Organization) -> Allowance:
    return Allowance.objects.get(pk=organization.pk)


def subscription(organization: Organization) -> Subscription:
    return Subscription.objects.filter(organization=organization).order_by("-started_at")[0]


def pools(organization: Organization) -> list[Pool]:
    return list(Pool.objects.filter(organization=organization).order_by("bought_at", "id"))


def on_demand(
    organization: Organization,
    owner: Person,
    at: datetime,
    mode: str,
    dollars: int | None = None,
    **more: object,
) -> LimitVersion:
    """Set as a door does it: after metering to the instant."""
    limit = None if dollars is None else dollars * DOLLAR
    return change_allowance(
        organization=organization,
        at=at,
        change=lambda at: services.set_on_demand(
            actor=factories.actor(owner),
            at=at,
            organization=organization,
            mode=mode,
            limit_microusd=limit,
            **more,  # type: ignore[arg-type]
        ),
    )


def commit(organization: Organization, owner: Person, at: datetime, hours: int) -> object:
    return change_allowance(
        organization=organization,
        at=at,
        change=lambda at: services.change_commitment(
            actor=factories.actor(owner),
            at=at,
            organization=organization,
            compute_seconds=hours * HOUR,
        ),
    )


def top_up(organization: Organization, owner: Person, at: datetime, hours: int) -> Pool:
    return change_allowance(
        organization=organization,
        at=at,
        change=lambda at: services.buy_top_up(
            actor=factories.actor(owner),
            at=at,
            organization=organization,
            compute_seconds=hours * HOUR,
        ),
    )


def leave(organization: Organization, compute_seconds: int) -> None:
    """Let the commitment have this much left."""
    pool = Pool.objects.get(organization=organization)
    used = pool.compute_seconds - compute_seconds
    Pool.objects.filter(pk=pool.pk).update(used_compute_seconds=used)
    Allowance.objects.filter(pk=organization.pk).update(left_compute_seconds=compute_seconds)


def use(
    organization: Organization,
    person: Person,
    start: datetime,
    seconds: int,
    *,
    multiplier: int = 1,
    size: str = "standard",
    until: datetime | None = None,
) -> metering.Swept:
    """A session that is billed for [start, start + seconds), metered to its end or `until`."""
    begins = int(start.timestamp())
    ends = begins + seconds
    row = metering.lock(organization.pk)
    assert row is not None
    time = metering.SessionTime(
        session_id=uuid.uuid4(),
        person_id=person.pk,
        engine_size=size,
        order=(begins, 0),
        multiplier=multiplier,
        spans=((begins, ends),),
        lumps=(),
        ended_at=ends,
    )
    return metering.draw(row, [time], until or start + timedelta(seconds=seconds))
