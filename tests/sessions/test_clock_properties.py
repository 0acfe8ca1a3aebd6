"""The clock against a session lived through second by second, on random schedules.

Reports, answers and ends fall on the interesting instants and one second to either side.
Terms are small, so that a session lives through all of its rules within some minutes.
"""

import copy
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions.clock import (
    Billing,
    EndFact,
    EndReason,
    Facts,
    Moment,
    ReactionKind,
    State,
    Terms,
    answer,
    as_of,
    billing,
    end_of,
    keep_alive,
    next_change,
    report,
    state_at,
    timeline,
)
from tests.sessions.clock_oracle import DAY, Event, World

MIDNIGHT = 20_487 * DAY
quick = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


# Random sessions


@dataclass
class Life:
    """One session fed one by one: events, and the facts as they were after each."""

    begun: Facts
    events: list[Event] = field(default_factory=list)
    history: list[Facts] = field(default_factory=list)
    replies: list[ReactionKind | None] = field(default_factory=list)

    @property
    def facts(self) -> Facts:
        return self.history[-1] if self.history else self.begun

    @property
    def now(self) -> int:
        return self.events[-1].at if self.events else self.begun.created_at

    def feed(self, event: Event) -> None:
        facts, reply = record(self.facts, event)
        self.events.append(event)
        self.history.append(facts)
        self.replies.append(reply)


def record(facts: Facts, event: Event) -> tuple[Facts, ReactionKind | None]:
    if event.what == "ready":
        return replace(facts, ready_at=event.at), None
    if event.what == "end":
        assert event.reason is not None
        return replace(facts, ends=(*facts.ends, EndFact(event.at, event.reason))), None
    if event.what == "report":
        reaction = report(facts, event.at, calls=event.calls, running=event.running)
    elif event.what == "keep":
        reaction = keep_alive(facts, event.at, event.until)
    else:
        reaction = answer(facts, event.at, "stay" if event.what == "stay" else "idle")
    return reaction.facts, reaction.kind


def small_terms(rng: Random) -> Terms:
    return Terms(
        idle_timeout=rng.choice([5, 20, 21, 45, 90]),
        start_timeout=12,
        idle_end=rng.choice([10, 30]),
        inactivity_prompt=20,
        session_prompt=rng.choice([70, 100, 10_000]),
        daily_limit=rng.choice([50, 80, 10_000]),
        daily_prompt=rng.choice([25, 30]),
        prompt_answer=rng.choice([6, 15]),
        longest=rng.choice([None, None, None, 60, 150]),
    )


REPORTS = [
    ("report", False, True),
    ("report", False, True),
    ("report", True, False),
    ("report", True, True),
    ("report", False, False),
    ("stay", False, False),
    ("idle", False, False),
]
ENDS = [EndReason.STOPPED, EndReason.ACCESS_REVOKED, EndReason.ENGINE_LOST, EndReason.FAILED]


def anchors(life: Life) -> list[int]:
    """Interesting instants still to come, by plain sums over what happened so far."""
    terms, created, now = life.begun.terms, life.begun.created_at, life.now
    lengths = (terms.idle_timeout, terms.inactivity_prompt, terms.prompt_answer, terms.idle_end)
    coming = {now, now + 3, *(now + length for length in lengths), MIDNIGHT}
    coming.add(created + ((now - created) // terms.session_prompt + 1) * terms.session_prompt)
    following = next_change(life.facts, now)
    while following is not None and len(coming) < 14:
        coming.add(following)
        following = next_change(life.facts, following)
    end = min(end_of(life.facts).at, now + 120)
    return sorted(instant for instant in coming if now <= instant < end) or [now]


def a_life(seed: int, length: int) -> Life:
    """Live one random session of so many events; a shorter one is its beginning.

    Chosen evenly and not by hypothesis, whose love of simple choices ends most sessions
    before they get anywhere; it may still shorten the life that it found fault with.
    """
    rng = Random(seed)
    created = MIDNIGHT - rng.choice([400, 130, 61, 60, 0])
    before = rng.choice([0, 30, 49, 50, 51, 79])
    life = Life(Facts(created, small_terms(rng), active_before=before))
    ready = rng.choice([2] * 20 + [11, 12, 13, 100])
    if rng.random() < 0.1:
        life.feed(Event(created + 1, "report", calls=True))
    life.feed(Event(created + ready, "ready"))
    for _ in range(length):
        over = end_of(life.facts).at <= life.now
        life.feed(next_event(rng, life))
        if over:
            break
    return life


lives = st.builds(a_life, seed=st.integers(0, 2**32), length=st.integers(0, 40))


def next_event(rng: Random, life: Life) -> Event:
    """Choose what happens next; most of it comes before the end, or no life would be long."""
    ending = rng.random() < 0.02
    instant = end_of(life.facts).at if ending else rng.choice(anchors(life))
    at = max(life.now, instant + rng.choice([-1, 0, 0, 1]))
    if rng.random() < 0.02:
        return Event(at, "end", reason=rng.choice(ENDS))
    if state_at(life.facts, at).prompt is not None and rng.random() < 0.3:
        return Event(at, rng.choice(["stay", "idle"]))
    if rng.random() < 0.08:
        return Event(at, "keep", until=at + rng.choice([-5, 0, 1, 15, 60, 100]))
    what, calls, running = rng.choice(REPORTS)
    return Event(at, what, calls, running)


def live(life: Life, exhausted: int | None = None) -> list[World]:
    """Live through it second by second; give the world after each second's facts."""
    world = World(life.begun.created_at, life.begun.terms, life.begun.active_before)
    worlds = []
    waiting = list(life.events)
    if exhausted is not None:
        end = Event(exhausted, "exhausted", reason=EndReason.ALLOWANCE_EXHAUSTED)
        waiting = sorted([*waiting, end], key=lambda e: (e.at, e.what == "exhausted"))
    horizon = max(life.now, exhausted or 0) + 150
    replies: list[ReactionKind | None] = []
    while world.now < horizon:
        world.arrive()
        while waiting and waiting[0].at == world.now:
            replies.append(world.record(waiting.pop(0)))
        seen = copy.copy(world)
        seen.asked = list(world.asked)
        worlds.append(seen)
        world.leave()
    if exhausted is None:
        assert replies == life.replies
    return worlds


def snapshots(life: Life) -> list[tuple[int, int, Facts]]:
    """Each stretch of seconds [from, to) during which the facts stayed as they are."""
    facts = [life.begun, *life.history]
    starts = [life.begun.created_at, *(event.at for event in life.events)]
    ends = [*starts[1:], life.now + 150]
    return list(zip(starts, ends, facts, strict=True))


# What is compared

PLAIN = ("state", "end_reason", "ended_at", "idle_since", "elapsed_seconds")
SUMS = ("active_seconds", "idle_seconds", "billed_seconds")


def expect_plain(moment: Moment, world: World) -> None:
    """Check all that history still knows exactly."""
    lived = world.seconds[: world.now - world.created_at]
    expected = {
        "state": world.state,
        "end_reason": world.reason,
        "ended_at": world.ended_at,
        "idle_since": world.idle_since,
        "elapsed_seconds": len(lived),
        "active_seconds": sum(second.kind == "active" for second in lived),
        "idle_seconds": sum(second.kind == "idle" for second in lived),
        # Once it is over, what was billed in the second of its end counts too.
        "billed_seconds": world.billed_before(world.now + world.over()),
    }
    assert {name: getattr(moment, name) for name in PLAIN + SUMS} == expected


def expect_live(moment: Moment, world: World) -> None:
    """Check what is known exactly only while it happens."""
    until_idle, until_end = world.left_alone()
    assert moment.seconds_until_idle == until_idle
    assert moment.seconds_until_end == until_end
    assert moment.prompt == world.prompt()
    if not world.over():
        assert moment.first_active_at == world.first_active
        assert moment.last_activity_at == world.last_activity


# Properties


@quick
@given(lives)
def test_every_moment_is_as_it_was_lived(life):
    worlds = live(life)
    begun = life.begun.created_at
    for start, end, facts in snapshots(life):
        for instant in {start, start + 1, (start + end) // 2, end - 2, end - 1}:
            if start <= instant < end:
                world = worlds[instant - begun]
                moment = state_at(facts, instant)
                expect_plain(moment, world)
                expect_live(moment, world)


@quick
@given(lives)
def test_every_moment_looks_the_same_from_any_later_time(life):
    for world in live(life):
        expect_plain(state_at(life.facts, world.now), world)


@quick
@given(lives, st.data())
def test_exhaustion_holds_from_its_second_however_late_it_is_found(life, data):
    at = data.draw(st.sampled_from(sorted({e.at for e in life.events} | {life.now + 2})))
    exhausted = EndFact(at, EndReason.ALLOWANCE_EXHAUSTED)
    for world in live(life, exhausted=at):
        expect_plain(state_at(replace(life.facts, exhausted=exhausted), world.now), world)


@quick
@given(lives, st.data())
def test_a_timeline_has_no_holes_and_says_what_each_second_was(life, data):
    last = live(life)[-1]
    until = life.begun.created_at + data.draw(st.integers(0, len(last.seconds) + 5))
    seconds = []
    expected_start = life.begun.created_at
    for segment in timeline(life.facts, until):
        assert segment.start == expected_start < segment.end
        expected_start = segment.end
        seconds += [(segment.kind.value, segment.billed)] * segment.seconds
    assert seconds == [
        (second.kind, second.billed_live or (second.resumed_at or until) < until)
        for second in last.seconds[: until - life.begun.created_at]
    ]


@quick
@given(lives, st.data())
def test_the_parts_of_any_partition_add_up_and_are_what_was_lived(life, data):
    last = live(life)[-1]
    created = life.begun.created_at
    interesting = sorted({created, *(event.at for event in life.events), MIDNIGHT})
    cut = st.sampled_from(interesting).flatmap(lambda at: st.integers(at - 1, at + 1))
    cuts = [created, *sorted(max(at, created) for at in data.draw(st.lists(cut, min_size=1)))]
    parts = [billing(life.facts, *part) for part in pairwise(cuts)]
    assert sum(part.seconds for part in parts) == last.billed_before(cuts[-1])
    moment = state_at(life.facts, cuts[-1])
    if moment.ended_at is None or moment.ended_at < cuts[-1]:
        assert sum(part.seconds for part in parts) == moment.billed_seconds
    for part, (since, until) in zip(parts, pairwise(cuts), strict=True):
        expect_billing(part, last, since, until)


def expect_billing(part: Billing, world: World, since: int, until: int) -> None:
    assert all(start < end for start, end in part.spans)
    live_seconds = [second for start, end in part.spans for second in range(start, end)]
    lived = enumerate(world.seconds, world.created_at)
    assert live_seconds == [at for at, s in lived if s.billed_live and since <= at < until]
    lumps = {lump.at: lump.seconds for lump in part.lumps}
    assert lumps == {at: gap for at, gap in world.lumps.items() if since <= at < until}
    assert len(lumps) == len(part.lumps)


@quick
@given(lives)
def test_what_is_recorded_from_an_instant_on_never_changes_what_was_billed_before_it(life):
    created = life.begun.created_at
    for facts, event in zip([life.begun, *life.history[:-1]], life.events, strict=True):
        assert billing(facts, created, event.at) == billing(life.facts, created, event.at)
        assert timeline(facts, event.at) == timeline(life.facts, event.at)


@quick
@given(lives)
def test_the_clock_changes_something_when_it_said_and_never_in_between(life):
    now = life.now
    while (following := next_change(life.facts, now)) is not None:
        assert following > now
        first, last = (look(state_at(life.facts, at)) for at in (now, following - 1))
        assert first == last
        # A second prompt may come due behind the one that is shown.
        assert look(state_at(life.facts, following)) != last or last[1] is not None
        now = following
    assert state_at(life.facts, now).state in (State.ENDED, State.FAILED)


def look(moment: Moment) -> tuple[object, ...]:
    return moment.state, moment.prompt, moment.end_reason, moment.idle_since


@quick
@given(lives)
def test_a_past_moment_needs_no_later_facts(life):
    for event in life.events:
        assert state_at(as_of(life.facts, event.at), event.at) == state_at(life.facts, event.at)


def test_random_sessions_live_through_every_rule():
    """Guard the generator: a rule it never reaches is a rule that nothing proves."""
    kinds: set[ReactionKind | None] = set()
    reasons: set[EndReason | None] = set()
    prompts = set()

    @quick
    @given(lives)
    def collect(life):
        kinds.update(life.replies)
        for event, facts in zip(life.events, life.history, strict=True):
            moment = state_at(facts, event.at)
            prompts.add(moment.prompt.kind if moment.prompt else None)
        reasons.add(state_at(life.facts, life.now + 10_000).end_reason)

    collect()
    assert kinds >= set(ReactionKind)
    assert reasons >= {EndReason.IDLE, EndReason.SESSION_LENGTH, *ENDS}
    assert len(prompts) == 4
