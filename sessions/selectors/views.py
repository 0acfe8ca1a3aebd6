"""What a session is at an instant, as page, API and CSV show it."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from offload_portal.common.periods import from_seconds, to_seconds
from orgs.enums import PrivacyMode
from orgs.privacy import is_veiled, pseudonym_of
from sessions import clock
from sessions.models import ContainerRun, Session
from sessions.selectors.facts import ends_from_below, facts_of, facts_of_new
from sessions.selectors.keeping import is_forgotten
from sessions.selectors.notices import Around, Notice, around, notices_of
from sessions.selectors.versions import version_of
from usage.selectors import SourceUse, uses_of_sessions

NO_USE: Mapping[str, SourceUse] = {}


@dataclass(frozen=True, slots=True)
class PromptView:
    kind: str
    due_at: datetime
    answer_by: datetime


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """A job that declared itself alive, until when."""

    label: str
    until: datetime


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as of `as_of`. Instants are whole seconds in UTC, lengths seconds.

    `by_source` maps a source to its compute-seconds and micro-dollars, as the ledger had them at
    `metered_until`; everything else holds at `as_of`.
    """

    id: uuid.UUID
    organization: str
    organization_id: uuid.UUID
    user_id: uuid.UUID
    user_name: str
    user_email: str
    state: str
    end_reason: str | None
    engine_size: str
    gpu: bool
    multiplier: int
    labels: Mapping[str, str]
    client: Mapping[str, Any]
    created_at: datetime
    ready_at: datetime | None
    first_active_at: datetime | None
    last_activity_at: datetime | None
    idle_since: datetime | None
    ended_at: datetime | None
    idle_timeout_seconds: int
    seconds_until_idle: int | None
    seconds_until_end: int | None
    elapsed_seconds: int
    active_seconds: int
    idle_seconds: int
    billed_seconds: int
    compute_seconds: int
    by_source: Mapping[str, SourceUse]
    container_count: int
    images: tuple[str, ...]
    prompt: PromptView | None
    keep_alive: KeepAlive | None
    notices: tuple[Notice, ...]
    policy_version: int
    version: str
    as_of: datetime
    failure: str = ""
    privacy: str = PrivacyMode.NAMED

    def seen_by(self, viewer_id: uuid.UUID | None) -> "SessionView":
        """As the viewer may see it: a pseudonym for its user where insights don't name them.

        None is who is no person, such as an organization's token.
        """
        if not is_veiled(self.privacy, self.user_id, viewer_id):
            return self
        user = pseudonym_of(self.organization_id, self.user_id)
        return replace(self, user_id=user.id, user_name=user.name, user_email="")

    @property
    def cost_microusd(self) -> int:
        return sum(use.cost_microusd for use in self.by_source.values())

    @property
    def is_running(self) -> bool:
        return self.ended_at is None


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the rows of sessions, read for all of them at once."""

    ends: Mapping[uuid.UUID, tuple[clock.EndFact, ...]] = field(default_factory=dict)
    uses: Mapping[uuid.UUID, Mapping[str, SourceUse]] = field(default_factory=dict)
    images: Mapping[uuid.UUID, Sequence[str]] = field(default_factory=dict)
    runs: Mapping[uuid.UUID, int] = field(default_factory=dict)


def views_of(sessions: Sequence[Session], at: datetime) -> list[SessionView]:
    """Views in the same order, in a fixed number of statements.

    The sessions were read with `as_shown()`.
    """
    beside = beside_of(sessions, ends_from_below(sessions))
    return [view_of(session, at, beside) for session in sessions]


def beside_of(
    sessions: Sequence[Session], ends: Mapping[uuid.UUID, tuple[clock.EndFact, ...]]
) -> Beside:
    identifiers = [session.id for session in sessions]
    images, runs = _images(identifiers)
    uses = uses_of_sessions((session.id, session.organization_id) for session in sessions)
    return Beside(ends=ends, uses=uses, images=images, runs=runs)


def _images(
    sessions: Iterable[uuid.UUID],
) -> tuple[dict[uuid.UUID, list[str]], dict[uuid.UUID, int]]:
    """Image references in the order of their first run, and how many runs there were."""
    images: dict[uuid.UUID, list[str]] = defaultdict(list)
    runs: dict[uuid.UUID, int] = defaultdict(int)
    rows = ContainerRun.objects.filter(session_id__in=list(sessions)).order_by("started_at", "id")
    for session_id, image in rows.values_list("session_id", "image"):
        runs[session_id] += 1
        if image not in images[session_id]:
            images[session_id].append(image)
    return images, runs


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else from_seconds(seconds)


def view_of(session: Session, at: datetime, beside: Beside) -> SessionView:
    return described(
        session,
        facts_of(session, beside.ends.get(session.id, ())),
        at,
        uses=beside.uses.get(session.id, NO_USE),
        around=around(session),
        images=tuple(beside.images.get(session.id, ())),
        runs=beside.runs.get(session.id, 0),
    )


def view_of_new(session: Session) -> SessionView:
    """A session at its start, as its transaction left it: nothing else needs to be read."""
    facts = facts_of_new(session)
    return described(
        session,
        facts,
        session.created_at,
        around=around(session),
        uses=NO_USE,
        images=(),
        runs=0,
    )


def described(
    session: Session,
    facts: clock.Facts,
    at: datetime,
    *,
    around: Around,
    uses: Mapping[str, SourceUse],
    images: tuple[str, ...],
    runs: int,
) -> SessionView:
    """What the clock makes of the facts at the instant, with what stands beside them."""
    moment = (
        _as_written(session) if is_forgotten(session, at) else clock.state_at(facts, to_seconds(at))
    )
    notices = notices_of(session, facts, around, at)
    person = session.person
    return SessionView(
        id=session.id,
        organization=session.organization.slug,
        organization_id=session.organization_id,
        user_id=session.person_id,
        user_name=person.shown_name,
        user_email=person.email,
        state=str(moment.state),
        end_reason=str(moment.end_reason) if moment.end_reason else None,
        engine_size=session.engine_size,
        gpu=session.gpu,
        multiplier=session.multiplier,
        labels=session.labels,
        client=session.client,
        created_at=session.created_at,
        ready_at=session.ready_at,
        first_active_at=_instant(moment.first_active_at),
        last_activity_at=_instant(moment.last_activity_at),
        idle_since=_instant(moment.idle_since),
        ended_at=_instant(moment.ended_at),
        idle_timeout_seconds=session.idle_timeout_seconds,
        seconds_until_idle=moment.seconds_until_idle,
        seconds_until_end=moment.seconds_until_end,
        elapsed_seconds=moment.elapsed_seconds,
        active_seconds=moment.active_seconds,
        idle_seconds=moment.idle_seconds,
        billed_seconds=moment.billed_seconds,
        compute_seconds=moment.billed_seconds * session.multiplier,
        by_source=uses,
        container_count=max(runs, session.container_count),
        images=images,
        prompt=_prompt(moment.prompt),
        keep_alive=_kept(session, moment, at),
        notices=notices,
        policy_version=session.policy_version,
        version=version_of(session, moment, notices),
        as_of=at,
        failure=session.failure,
        privacy=session.organization.privacy,
    )


def _as_written(session: Session) -> clock.Moment:
    """What was written down at the end: the stretches that told it are gone, or soon will be."""
    created_at = to_seconds(session.created_at)
    ended_at = to_seconds(session.ended_at or session.created_at)
    ready_at = to_seconds(session.ready_at) if session.ready_at else ended_at
    reason = clock.EndReason(session.end_reason)
    failed = reason is clock.EndReason.FAILED
    return clock.Moment(
        state=clock.State.FAILED if failed else clock.State.ENDED,
        end_reason=reason,
        ended_at=ended_at,
        idle_since=None,
        first_active_at=None,
        last_activity_at=None,
        seconds_until_idle=None,
        seconds_until_end=None,
        elapsed_seconds=ended_at - created_at,
        active_seconds=session.active_seconds,
        idle_seconds=ended_at - ready_at - session.active_seconds,
        billed_seconds=session.billed_seconds,
        prompt=None,
    )


def _prompt(prompt: clock.Prompt | None) -> PromptView | None:
    if prompt is None:
        return None
    return PromptView(str(prompt.kind), from_seconds(prompt.due_at), from_seconds(prompt.answer_by))


def _kept(session: Session, moment: clock.Moment, at: datetime) -> KeepAlive | None:
    until = session.pulse.kept_until
    if until is None or until <= at or moment.state != clock.State.ACTIVE:
        return None
    return KeepAlive(session.pulse.kept_label, until)
