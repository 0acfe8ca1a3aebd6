"""Sessions made through the services, for tests that care about what happens to them."""

from datetime import datetime, timedelta

from orgs.models import Organization, Person
from sessions import services
from sessions.models import Session
from sessions.selectors import SessionView, view_by_id
from sessions.services import ActivityReport
from sessions.services.starting import StartRequest
from tests.factories import actor
from usage.models import LedgerEntry, UnpaidTime


def later(at: datetime, seconds: int) -> datetime:
    return at + timedelta(seconds=seconds)


def start(organization: Organization, person: Person, at: datetime, **wish: object) -> Session:
    request = StartRequest(**wish)  # type: ignore[arg-type]  # tests name what they wish for
    return services.start(
        actor=actor(person), at=at, person=person, organization=organization, request=request
    )


def report(session: Session, at: datetime, **seen: object) -> None:
    """An activity report of one running container, unless something else was seen."""
    session.refresh_from_db()
    session.pulse.refresh_from_db()
    seen = {"running_containers": 1, "sequence": session.pulse.sequence + 1, **seen}
    services.report(
        actor=actor(session.person),
        at=at,
        session=session,
        report=ActivityReport(**seen),  # type: ignore[arg-type]
    )


def stop(session: Session, at: datetime, by: Person | None = None) -> None:
    person = by or session.person
    membership = session.organization.memberships.get(person=person)
    services.stop(actor=actor(person), at=at, session=session, membership=membership)


def meter(organization: Organization, at: datetime) -> None:
    services.meter_organization(organization_id=organization.pk, at=at)


def seen(session: Session, at: datetime) -> SessionView:
    return view_by_id(session.id, at)


def billed(session: Session) -> int:
    """Wall seconds that the ledger and the unpaid rest explain."""
    entries = LedgerEntry.objects.filter(session_id=session.id)
    unpaid = UnpaidTime.objects.filter(session_id=session.id)
    return sum(entry.seconds for entry in entries) + sum(rest.seconds for rest in unpaid)


def ledger(organization: Organization) -> list[tuple[object, ...]]:
    """All entries of the organization as plain rows, for comparing two ways to meter."""
    return sorted(
        LedgerEntry.objects.filter(organization=organization).values_list(
            "hour", "source", "seconds", "lump_seconds", "compute_seconds", "cost_microusd"
        )
    )
