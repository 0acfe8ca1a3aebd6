"""Sessions as a client makes them: started, reported once a minute, stopped."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from orgs.models import Membership, Organization, Person
from sessions import services
from sessions.models import Session
from sessions.services.starting import StartRequest
from tests.factories import actor
from usage import services as usage_services
from usage.enums import OnDemand

MINUTE = timedelta(minutes=1)


def start(
    organization: Organization,
    person: Person,
    at: datetime,
    *,
    size: str = "standard",
    labels: Mapping[str, str] | None = None,
) -> Session:
    request = StartRequest(engine_size=size, labels=labels)
    made = services.start(
        actor=actor(person), at=at, person=person, organization=organization, request=request
    )
    made.refresh_from_db()
    return made


def report(
    session: Session,
    at: datetime,
    sequence: int,
    *,
    containers: Sequence[services.ContainerSeen] = (),
    samples: Sequence[services.SampleSeen] = (),
    builds: Sequence[services.BuildSeen] = (),
    running: int = 1,
) -> None:
    services.report(
        actor=actor(session.person),
        at=at,
        session=session,
        report=services.ActivityReport(
            sequence=sequence,
            running_containers=running,
            api_calls=1,
            containers=tuple(containers),
            samples=tuple(samples),
            builds=tuple(builds),
        ),
    )


def stop(session: Session, at: datetime) -> None:
    session.refresh_from_db()
    own = Membership.objects.get(organization=session.organization_id, person=session.person_id)
    services.stop(actor=actor(session.person), at=at, session=session, membership=own)


def keep_awake(session: Session, seconds: int) -> None:
    """One report keeps it active for so long; nothing asks whether somebody is there."""
    Session.objects.filter(pk=session.pk).update(
        idle_timeout_seconds=seconds,
        inactivity_prompt_seconds=seconds,
        prompt_seconds=seconds,
        daily_limit_seconds=seconds,
    )


def without_limit(organization: Organization, owner: Person, at: datetime) -> None:
    """On-demand usage without a limit from the instant on: nothing ends for want of time."""
    services.change_allowance(
        organization=organization,
        at=at,
        change=lambda instant: usage_services.set_on_demand(
            actor=actor(owner),
            at=instant,
            organization=organization,
            mode=OnDemand.UNLIMITED,
            limit_microusd=None,
            let_finish=False,
            reason="",
            at_once=True,
        ),
    )


def container(
    image: str, at: datetime, seconds: int | None = 30, *, code: int = 0, name: str = ""
) -> services.ContainerSeen:
    """A run of the image; without `seconds` it has not exited."""
    exited_at = None if seconds is None else at + timedelta(seconds=seconds)
    return services.ContainerSeen(
        id=f"{image}@{at:%H%M%S}"[:64],
        image=image,
        name=name,
        started_at=at,
        exited_at=exited_at,
        exit_code=None if exited_at is None else code,
    )


def session(
    organization: Organization,
    person: Person,
    at: datetime,
    seconds: int = 600,
    *,
    images: Sequence[str] = (),
    size: str = "standard",
    labels: Mapping[str, str] | None = None,
) -> Session:
    """Active from its first second to its stop, `seconds` later: all of it is billed."""
    made = start(organization, person, at, size=size, labels=labels)
    end, sequence, now = at + timedelta(seconds=seconds), 0, at
    runs = [container(image, at, min(30, seconds)) for image in images]
    while now < end:
        sequence += 1
        report(made, now, sequence, containers=runs)
        runs, now = [], now + 4 * MINUTE
    stop(made, end)
    made.refresh_from_db()
    return made
