"""A session's clock: what is true of a session at any instant, from its facts alone.

Pure (product.md rules 8 to 15): it reads no clock, no row and no setting; the instant
and the facts are passed in. Instants are POSIX seconds, UTC; lengths are seconds;
periods are half-open. Facts after the instant asked for change nothing about it.
"""

from dataclasses import replace
from typing import Literal

from sessions.clock_facts import (
    Billing,
    EndFact,
    EndReason,
    Facts,
    GoingOn,
    Idle,
    Lump,
    Moment,
    OpenStretch,
    Prompt,
    PromptKind,
    Reaction,
    ReactionKind,
    Segment,
    SegmentKind,
    State,
    Stretch,
    Terms,
)
from sessions.clock_prompts import asked_by_time, becomes_idle, pending, unanswered

__all__ = [
    "Billing",
    "EndFact",
    "EndReason",
    "Facts",
    "GoingOn",
    "Idle",
    "Lump",
    "Moment",
    "OpenStretch",
    "Prompt",
    "PromptKind",
    "Reaction",
    "ReactionKind",
    "Segment",
    "SegmentKind",
    "State",
    "Stretch",
    "Terms",
    "answer",
    "as_of",
    "billing",
    "end_of",
    "going_on",
    "keep_alive",
    "next_change",
    "report",
    "state_at",
    "timeline",
]


_ACTIVE = frozenset({ReactionKind.BEGINS, ReactionKind.EXTENDS, ReactionKind.RESUMES})


# What is true at an instant


def state_at(facts: Facts, at: int) -> Moment:
    """Describe the session at one instant, past, present or to come.

    In the past, a stretch counts as activity without a pause: when exactly a report or
    a call came within it is no longer known, so `last_activity_at`, the timers and the
    prompt are then as if one had come at that very instant. All else is exact.
    """
    end = end_of(facts)
    now = min(max(at, facts.created_at), end.at)
    known = as_of(facts, now)
    ended = end if end.at <= at else None
    # A gap resumed in the very second of a recorded end is billed there.
    segments = timeline(facts, now + 1 if ended else now)
    state = _state(known, now, ended)
    return Moment(
        state=state,
        end_reason=ended.reason if ended else None,
        ended_at=ended.at if ended else None,
        idle_since=_idle_since(known) if state is State.IDLE else None,
        first_active_at=_first_active(known, now, ended),
        last_activity_at=_last_activity(known),
        seconds_until_idle=_until_idle(known, now) if state is State.ACTIVE else None,
        seconds_until_end=None if ended else _clock_end(known).at - now,
        elapsed_seconds=now - facts.created_at,
        active_seconds=sum(s.seconds for s in segments if s.kind is SegmentKind.ACTIVE),
        idle_seconds=sum(s.seconds for s in segments if s.kind is SegmentKind.IDLE),
        billed_seconds=sum(s.seconds for s in segments if s.billed),
        prompt=None if ended else pending(known, now),
    )


def as_of(facts: Facts, at: int) -> Facts:
    """Take away what was recorded after `at`, which itself still counts."""
    return replace(
        facts,
        ready_at=facts.ready_at if facts.ready_at is not None and facts.ready_at <= at else None,
        closed=tuple(stretch for stretch in facts.closed if stretch.idle_at <= at),
        open=_open_as_of(facts, at),
        ends=tuple(end for end in facts.ends if end.at <= at),
        exhausted=facts.exhausted if facts.exhausted and facts.exhausted.at <= at else None,
    )


def prompts(facts: Facts, at: int) -> tuple[Prompt, ...]:
    """List what was asked of the developer up to and including `at` (rule 13).

    All session and daily prompts, and the inactivity prompt of the latest stretch; of earlier
    stretches it is no longer known when exactly the last activity was.
    """
    end = end_of(facts)
    known = as_of(facts, min(at, end.at))
    segments = timeline(facts, min(at + 1, end.at))
    found = list(
        asked_by_time(facts, [(s.start, s.end) for s in segments if s.kind is SegmentKind.ACTIVE])
    )
    if known.open is not None and facts.open is not None:
        idle = becomes_idle(known, known.open).at
        found += [
            prompt
            for prompt in unanswered(known, known.open)
            if prompt.kind is PromptKind.INACTIVITY and prompt.due_at < min(idle, end.at, at + 1)
        ]
    return tuple(sorted(found, key=lambda prompt: (prompt.due_at, prompt.kind)))


def next_change(facts: Facts, at: int) -> int | None:
    """Find the next instant at which the clock alone may change state, prompt or end.

    An end that is known to come, such as a trial's, is one. For whoever waits for news of a
    session; None once it has ended.
    """
    end = end_of(facts)
    if end.at <= at:
        return None
    known = as_of(facts, at)
    instants = [end.at, _clock_end(known).at]
    if known.open is not None:
        idle = becomes_idle(known, known.open).at
        instants.append(idle)
        instants += [p.due_at for p in unanswered(known, known.open) if p.due_at < idle]
    return min(instant for instant in instants if instant > at)


def going_on(facts: Facts, at: int) -> GoingOn | None:
    """Say what it may still bill from `at` on; None once ended, or before its first activity."""
    known = as_of(facts, at)
    runs = _runs(known)
    if not runs or end_of(facts).at <= at:
        return None
    idle_at = runs[-1].idle_at
    ends = [end.at for end in facts.ends]
    ends += [] if facts.terms.longest is None else [facts.created_at + facts.terms.longest]
    return GoingOn(
        gap=None if at < idle_at else at - idle_at,
        ends_at=min((end for end in ends if end > at), default=None),
    )


def _state(known: Facts, at: int, ended: EndFact | None) -> State:
    if ended is not None:
        return State.FAILED if ended.reason is EndReason.FAILED else State.ENDED
    if known.ready_at is None:
        return State.STARTING
    if known.open is not None and at < becomes_idle(known, known.open).at:
        return State.ACTIVE
    return State.IDLE


def _open_as_of(facts: Facts, at: int) -> OpenStretch | None:
    """Give the latest stretch as it stood at `at`, if it was not closed by then."""
    for stretch in facts.closed:
        if stretch.started_at <= at < stretch.idle_at:
            return OpenStretch(stretch.started_at, last_activity_at=at, last_call_at=at)
    stretch_open = facts.open
    if stretch_open is None or stretch_open.started_at > at:
        return None
    idled = stretch_open.idled_at
    return OpenStretch(
        stretch_open.started_at,
        last_activity_at=min(stretch_open.last_activity_at, at),
        last_call_at=min(stretch_open.last_call_at, at),
        idled_at=idled if idled is not None and idled <= at else None,
        kept_until=stretch_open.kept_until,
    )


def _idle_since(known: Facts) -> int | None:
    """Say when the latest stretch became idle; before the first it is `ready_at` (rule 8)."""
    runs = _runs(known)
    return runs[-1].idle_at if runs else known.ready_at


def _until_idle(known: Facts, now: int) -> int | None:
    return becomes_idle(known, known.open).at - now if known.open is not None else None


def _first_active(known: Facts, now: int, ended: EndFact | None) -> int | None:
    """Give the first activity; what began in the second of the end no longer counts."""
    runs = _runs(known)
    if not runs or (ended is not None and runs[0].started_at >= now):
        return None
    return runs[0].started_at


def _last_activity(known: Facts) -> int | None:
    """Give the latest activity that the facts prove: a closed stretch forgot its reports."""
    if known.open is not None:
        return known.open.last_activity_at
    if known.closed:
        last = known.closed[-1]
        return max(last.started_at, last.idle_at - known.terms.idle_timeout)
    return None


# How it ends


def end_of(facts: Facts) -> EndFact:
    """Give the end that these facts alone make true, if nothing more is recorded.

    There always is one, since a session that nobody uses ends by itself; it may lie in
    the future. In one second the clock comes first, then recorded facts in the order of
    recording, then exhaustion (product.md rule 14): `min` keeps the first of equals.
    """
    ends = [_clock_end(facts), *facts.ends]
    if facts.exhausted is not None:
        ends.append(facts.exhausted)
    return min(ends, key=lambda end: end.at)


def _clock_end(facts: Facts) -> EndFact:
    """Give the end that the clock alone makes true: failed, idle or session_length."""
    terms = facts.terms
    too_late = facts.created_at + terms.start_timeout
    if facts.ready_at is None or facts.ready_at >= too_late:
        end = EndFact(too_late, EndReason.FAILED)
    else:
        end = EndFact(_idle_for_good(facts, facts.ready_at) + terms.idle_end, EndReason.IDLE)
    if terms.longest is not None and facts.created_at + terms.longest < end.at:
        return EndFact(facts.created_at + terms.longest, EndReason.SESSION_LENGTH)
    return end


def _idle_for_good(facts: Facts, ready_at: int) -> int:
    """Find the start of the first idle period that lasts long enough to end the session."""
    since = ready_at
    for run in _runs(facts):
        if run.started_at >= since + facts.terms.idle_end:
            break
        since = run.idle_at
    return since


def _runs(facts: Facts) -> list[Stretch]:
    """List all stretches in order of time, the open one as the clock alone closes it."""
    runs = list(facts.closed)
    if facts.open is not None:
        runs.append(Stretch(facts.open.started_at, becomes_idle(facts, facts.open).at))
    return runs


# What is billed


def timeline(facts: Facts, until: int) -> tuple[Segment, ...]:
    """Cut [created_at, until), or up to the end if that is first, into segments.

    They leave no hole. Active time is billed, and so is an idle gap that was resumed
    before `until` and not after the end; starting, waiting for the first activity and the
    idle tail are not (product.md rule 15).
    """
    end = end_of(facts)
    stop = min(until, end.at)
    since = stop if facts.ready_at is None else min(facts.ready_at, stop)
    segments = [Segment(facts.created_at, since, SegmentKind.STARTING, billed=False)]
    for number, run in enumerate(_runs(facts)):
        if run.started_at >= stop and not _resumed_in_its_last_second(facts, run, end, until):
            break
        idle_at = min(run.idle_at, stop)
        segments += [
            Segment(since, run.started_at, SegmentKind.IDLE, billed=number > 0),
            Segment(run.started_at, idle_at, SegmentKind.ACTIVE, billed=True),
        ]
        since = idle_at
    segments.append(Segment(since, stop, SegmentKind.IDLE, billed=False))
    return tuple(segment for segment in segments if segment.start < segment.end)


def _resumed_in_its_last_second(facts: Facts, run: Stretch, end: EndFact, until: int) -> bool:
    """Say whether the gap before `run` counts although its session ended in that second.

    A report is refused after an end, so one in the second of a recorded end or of exhaustion
    came before it (product.md rules 14 and 18). The clock's own ends come first of all.
    """
    return run.started_at == end.at < until and end.at < _clock_end(facts).at


def billing(facts: Facts, since: int, until: int) -> Billing:
    """Give what is billed within [since, until): active spans, and lumps by their instant.

    A lump stands at the instant of resuming and holds the whole gap, also the part of it
    that lies before `since`. So the parts of any partition add up to `billed_seconds`,
    and a fact recorded at or after `until` changes nothing (product.md rule 15).
    """
    billed = [segment for segment in timeline(facts, until) if segment.billed]
    spans = tuple(
        (max(segment.start, since), segment.end)
        for segment in billed
        if segment.kind is SegmentKind.ACTIVE and segment.end > since
    )
    lumps = tuple(
        Lump(segment.end, segment.seconds)
        for segment in billed
        if segment.kind is SegmentKind.IDLE and segment.end >= since
    )
    return Billing(spans, lumps)


# What reports and answers do


def report(facts: Facts, at: int, *, calls: bool, running: bool) -> Reaction:
    """Say what an activity report received at `at` does (product.md rules 8 to 10).

    `calls`: Docker API calls were made. `running`: a container runs or a build does.
    At the very idle instant the session is idle, so that a report then resumes it, with
    a gap of no seconds. What only runs doesn't resume a session that a prompt made idle.
    """
    refused = _refusal(facts, at)
    if refused is not None:
        return refused
    if not calls and not running:
        return Reaction(ReactionKind.NOTHING, facts)
    if facts.open is None:
        return _opens(facts, at, facts.closed[-1] if facts.closed else None)
    idle = becomes_idle(facts, facts.open)
    if at < idle.at:
        return _extends(facts, facts.open, at, calls=calls)
    if idle.by_prompt and not calls:
        return Reaction(ReactionKind.NOTHING, facts)
    closed = Stretch(facts.open.started_at, idle.at)
    return _opens(replace(facts, closed=(*facts.closed, closed)), at, closed)


def answer(facts: Facts, at: int, choice: Literal["stay", "idle"]) -> Reaction:
    """Say what the developer's answer to a prompt does (product.md rule 13).

    `stay` is activity and answers every prompt that is due; `idle` makes the session
    idle at that instant. Without a prompt that is due there is nothing to answer.
    """
    refused = _refusal(facts, at)
    if refused is not None:
        return refused
    if facts.open is None or pending(facts, at) is None:
        return Reaction(ReactionKind.REFUSED_NO_PROMPT, facts)
    if choice == "stay":
        return _extends(facts, facts.open, at, calls=True)
    idled = replace(facts.open, idled_at=at)
    return Reaction(ReactionKind.IDLES, replace(facts, open=idled))


def keep_alive(facts: Facts, at: int, until: int) -> Reaction:
    """Say what a job does that declares at `at` that it is alive until `until`.

    It is activity as a running container is: it answers no prompt and doesn't resume a
    session that a prompt made idle. A later declaration takes the place of an earlier one.
    """
    reaction = report(facts, at, calls=False, running=True)
    stretch = reaction.facts.open
    if reaction.kind not in _ACTIVE or stretch is None:
        return reaction
    kept = replace(stretch, kept_until=max(until, at))
    return replace(reaction, facts=replace(reaction.facts, open=kept))


def _refusal(facts: Facts, at: int) -> Reaction | None:
    end = end_of(facts)
    if end.at <= at:
        return Reaction(ReactionKind.REFUSED_ENDED, facts, end=end)
    if facts.ready_at is None or at < facts.ready_at:
        return Reaction(ReactionKind.REFUSED_NOT_READY, facts)
    return None


def _extends(facts: Facts, stretch: OpenStretch, at: int, *, calls: bool) -> Reaction:
    """Let the open stretch grow; a report that was overtaken by another takes nothing back."""
    grown = replace(
        stretch,
        last_activity_at=max(stretch.last_activity_at, at),
        last_call_at=max(stretch.last_call_at, at) if calls else stretch.last_call_at,
    )
    return Reaction(ReactionKind.EXTENDS, replace(facts, open=grown))


def _opens(facts: Facts, at: int, before: Stretch | None) -> Reaction:
    """Begin a stretch at `at`: the first one, or one that resumes after `before`."""
    opened = replace(facts, open=OpenStretch(at, last_activity_at=at, last_call_at=at))
    if before is None:
        return Reaction(ReactionKind.BEGINS, opened)
    gap = at - before.idle_at
    return Reaction(ReactionKind.RESUMES, opened, closed=before, lump_seconds=gap)
