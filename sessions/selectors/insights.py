"""What one session did (api.md, insights): timeline, containers, samples, cost, events."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db.models import prefetch_related_objects

from offload_portal.common.periods import from_seconds, to_seconds
from orgs.models import Person
from orgs.selectors.policy_changes import policy_changes
from sessions import clock
from sessions.models import BuildRun, ContainerRun, Session
from sessions.selectors.facts import ends_from_below, facts_of
from sessions.selectors.keeping import is_forgotten
from sessions.selectors.samples import SampleView, samples_of
from sessions.selectors.views import SessionView, beside_of, view_of
from usage.models import Cap
from usage.selectors import SourceUse, unpaid_of_session
from usage.selectors.caps import cap_names

MOST_RUNS = 10_000


@dataclass(frozen=True, slots=True)
class TimelineSegment:
    """Half-open; `kind` is starting, idle or active."""

    start: datetime
    end: datetime
    kind: str
    billed: bool

    @property
    def seconds(self) -> int:
        return to_seconds(self.end) - to_seconds(self.start)


@dataclass(frozen=True, slots=True)
class RunView:
    """A container's run by its engine's clock, as far as it lies within the session.

    `ended_at` is its exit or the session's end.
    """

    container_id: str
    name: str
    image: str
    started_at: datetime
    exited_at: datetime | None
    ended_at: datetime
    exit_code: int | None

    @property
    def seconds(self) -> int:
        return to_seconds(self.ended_at) - to_seconds(self.started_at)

    @property
    def failed(self) -> bool:
        return self.exit_code not in (None, 0)


@dataclass(frozen=True, slots=True)
class BuildView:
    """A build as far as it lies within the session; `ended_at` is its end or the session's."""

    build_id: str
    image: str
    started_at: datetime
    finished_at: datetime | None
    ended_at: datetime
    succeeded: bool | None

    @property
    def seconds(self) -> int:
        return to_seconds(self.ended_at) - to_seconds(self.started_at)

    @property
    def failed(self) -> bool:
        return self.succeeded is False


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Something that happened: `kind` is a stable word, `detail` its value where it has one."""

    at: datetime
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Insights:
    """`sample_seconds` is what one sample stands for; `forgotten`: only the sums are left.

    `ended_by` is the name of who stopped it, or whose cap was reached; "" where that was its user
    or nobody.
    """

    session: SessionView
    timeline: tuple[TimelineSegment, ...]
    runs: tuple[RunView, ...]
    builds: tuple[BuildView, ...]
    samples: tuple[SampleView, ...]
    sample_seconds: int
    events: tuple[SessionEvent, ...]
    cost_by_source: Mapping[str, SourceUse]
    unpaid_seconds: int
    kept_alive_by: tuple[str, ...]
    as_of: datetime
    forgotten: bool = False
    ended_by: str = ""
    on_demand_at: datetime | None = None

    @property
    def failed_runs(self) -> Sequence[RunView]:
        return [run for run in self.runs if run.failed]


def insights(session: Session, at: datetime) -> Insights:
    """The session was read with its notices (`find_session`). A fixed number of statements."""
    prefetch_related_objects([session], "stretches")
    ends = ends_from_below([session])
    facts = facts_of(session, ends.get(session.id, ()))
    view = view_of(session, at, beside_of([session], ends))
    until = view.ended_at or at
    forgotten = is_forgotten(session, at)
    segments = tuple(
        TimelineSegment(
            from_seconds(segment.start),
            from_seconds(segment.end),
            str(segment.kind),
            segment.billed,
        )
        for segment in (() if forgotten else clock.timeline(facts, to_seconds(at)))
    )
    runs = () if forgotten else _runs(session, until)
    builds = () if forgotten else _builds(session, until)
    samples = samples_of(session, until, at)
    asked = () if forgotten else clock.prompts(facts, to_seconds(at))
    return Insights(
        session=view,
        timeline=segments,
        runs=runs,
        builds=builds,
        samples=samples.rows,
        sample_seconds=samples.grain_seconds,
        events=_events(session, view, segments, runs, builds, asked),
        cost_by_source=view.by_source,
        unpaid_seconds=unpaid_of_session(session.id),
        kept_alive_by=_kept_alive_by(session, view),
        as_of=at,
        forgotten=forgotten,
        ended_by=_ended_by(session),
        on_demand_at=session.on_demand_at,
    )


def _ended_by(session: Session) -> str:
    """The name of who stopped it, where that is not its user and is still known, or of the cap."""
    if session.exhausted_cap is not None:
        caps = Cap.objects.filter(pk=session.exhausted_cap)
        return next(iter(cap_names(caps).values()), "")
    if session.stop_actor_id is None or session.stop_actor_id == session.person_id:
        return ""
    person = Person.objects.filter(pk=session.stop_actor_id).first()
    return person.shown_name if person else ""


def _runs(session: Session, until: datetime) -> tuple[RunView, ...]:
    rows = ContainerRun.objects.filter(session=session).order_by("started_at", "id")[:MOST_RUNS]
    # What a client says of time is kept as it came; a clock that is wrong leads no chart astray.
    within = partial(_within, session.created_at, max(session.created_at, until))
    return tuple(
        RunView(
            container_id=row.container_id,
            name=row.name,
            image=row.image,
            started_at=within(row.started_at),
            exited_at=None if row.exited_at is None else within(row.exited_at),
            ended_at=within(row.exited_at or until),
            exit_code=row.exit_code,
        )
        for row in rows
    )


def _builds(session: Session, until: datetime) -> tuple[BuildView, ...]:
    rows = BuildRun.objects.filter(session=session).order_by("started_at", "id")[:MOST_RUNS]
    within = partial(_within, session.created_at, max(session.created_at, until))
    return tuple(
        BuildView(
            build_id=row.build_id,
            image=row.image,
            started_at=within(row.started_at),
            finished_at=None if row.finished_at is None else within(row.finished_at),
            ended_at=within(row.finished_at or until),
            succeeded=row.succeeded,
        )
        for row in rows
    )


def _within(first: datetime, last: datetime, at: datetime) -> datetime:
    return min(max(first, at), last)


def _events(
    session: Session,
    view: SessionView,
    segments: Sequence[TimelineSegment],
    runs: Sequence[RunView],
    builds: Sequence[BuildView],
    asked: Sequence[clock.Prompt],
) -> tuple[SessionEvent, ...]:
    events = [SessionEvent(view.created_at, "created")]
    if view.ready_at is not None:
        events.append(SessionEvent(view.ready_at, "ready"))
    if segments and segments[0].kind == "active":  # in the very second of the start
        events.append(SessionEvent(segments[0].start, "first_activity"))
    for before, segment in itertools.pairwise(segments):
        if segment.kind == "active":
            first = segment.start == view.first_active_at
            events.append(SessionEvent(segment.start, "first_activity" if first else "resumed"))
        elif segment.kind == "idle" and before.kind == "active":
            events.append(SessionEvent(segment.start, "idle"))
    events += [
        SessionEvent(run.exited_at, "container_failed", f"{run.image} ({run.exit_code})")
        for run in runs
        if run.failed and run.exited_at is not None
    ]
    events += [
        SessionEvent(build.finished_at, "build_failed", build.image)
        for build in builds
        if build.failed and build.finished_at is not None
    ]
    for told_at, kind in ((session.low_at, "allowance_low"), (session.on_demand_at, "on_demand")):
        if told_at is not None:
            events.append(SessionEvent(told_at, kind))
    events += [
        SessionEvent(from_seconds(prompt.due_at), f"prompt_{prompt.kind}") for prompt in asked
    ]
    until = view.ended_at or view.as_of
    changes = policy_changes(session.organization_id, session.person_id, view.created_at, until)
    events += [SessionEvent(changed_at, "policy_changed") for changed_at in changes]
    kept_until = session.pulse.kept_until
    if kept_until is not None and kept_until <= (view.ended_at or view.as_of):
        events.append(SessionEvent(kept_until, "keep_alive_over", session.pulse.kept_label))
    if view.ended_at is not None:
        events.append(SessionEvent(view.ended_at, "ended", view.end_reason or ""))
    return tuple(sorted(events, key=lambda event: event.at))


def _kept_alive_by(session: Session, view: SessionView) -> tuple[str, ...]:
    """What the last report said was going on, while the session is active."""
    if view.state != clock.State.ACTIVE:
        return ()
    found = []
    if view.keep_alive is not None:
        found.append("keep_alive")
    if session.pulse.running_containers:
        found.append("running_containers")
    if session.pulse.active_builds:
        found.append("active_builds")
    return tuple(found or ["api_calls"])
