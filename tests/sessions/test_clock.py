"""A session's clock, rule by rule, at the instants before, on and after each bound."""

from dataclasses import replace

import pytest

from sessions.clock import (
    Billing,
    EndFact,
    EndReason,
    Facts,
    Lump,
    OpenStretch,
    Prompt,
    PromptKind,
    ReactionKind,
    Segment,
    SegmentKind,
    State,
    Stretch,
    Terms,
    answer,
    as_of,
    billing,
    end_of,
    next_change,
    report,
    state_at,
    timeline,
)

NOON = 1_770_033_600  # 2026-02-02 12:00 UTC
MIDNIGHT = NOON + 43_200
HOUR = 3_600


def a_session(*, ready: int | None = 10, created: int = NOON, idle_timeout: int = 300, **terms):
    return Facts(
        created_at=created,
        terms=Terms(idle_timeout=idle_timeout, **terms),
        ready_at=None if ready is None else created + ready,
    )


def after(facts: Facts, *reports: tuple[int, str]) -> Facts:
    """Feed reports ("calls" or "running") and answers at seconds since the start."""
    for offset, what in reports:
        at = facts.created_at + offset
        if what in ("calls", "running"):
            reaction = report(facts, at, calls=what == "calls", running=what == "running")
        else:
            reaction = answer(facts, at, "stay" if what == "stay" else "idle")
        assert not reaction.kind.startswith("refused"), (offset, what, reaction.kind)
        facts = reaction.facts
    return facts


def running(facts: Facts, start: int, until: int, every: int = 60) -> Facts:
    """A container that runs over a while and is reported all along."""
    return after(facts, *((at, "running") for at in range(start, until + 1, every)))


def at(facts: Facts, offset: int):
    return state_at(facts, facts.created_at + offset)


def ending(offset: int, reason: EndReason) -> EndFact:
    return EndFact(NOON + offset, reason)


# Starting (rule 8)


def test_a_session_is_starting_until_its_engine_answers():
    facts = a_session(ready=10)
    assert at(facts, 0).state is State.STARTING
    assert at(facts, 9).state is State.STARTING
    assert at(facts, 10).state is State.IDLE


@pytest.mark.parametrize(("ready", "state"), [(119, State.IDLE), (120, "failed"), (121, "failed")])
def test_an_engine_that_answers_at_120_seconds_is_too_late(ready, state):
    facts = a_session(ready=ready)
    assert at(facts, max(ready, 120)).state == state


def test_a_session_without_an_engine_fails_at_exactly_120_seconds():
    facts = a_session(ready=None)
    assert at(facts, 119).state is State.STARTING
    assert at(facts, 119).seconds_until_end == 1
    assert at(facts, 120).state is State.FAILED
    assert end_of(facts) == ending(120, EndReason.FAILED)


def test_a_start_that_the_provider_gave_up_is_failed_from_then():
    facts = replace(a_session(ready=None), ends=(ending(30, EndReason.FAILED),))
    assert at(facts, 29).state is State.STARTING
    assert at(facts, 30).state is State.FAILED
    assert at(facts, 30).elapsed_seconds == 30


def test_a_session_stopped_while_starting_has_ended_and_not_failed():
    facts = replace(a_session(ready=None), ends=(ending(30, EndReason.STOPPED),))
    assert at(facts, 30).state is State.ENDED
    assert at(facts, 500).billed_seconds == 0


def test_until_the_first_activity_it_is_idle_since_it_was_ready():
    facts = a_session(ready=10)
    assert at(facts, 200).idle_since == NOON + 10
    assert at(facts, 309).state is State.IDLE
    assert at(facts, 310).end_reason is EndReason.IDLE
    assert at(facts, 1000).billed_seconds == 0
    assert at(facts, 1000).idle_seconds == 300


@pytest.mark.parametrize(
    ("offset", "kind"),
    [(9, ReactionKind.REFUSED_NOT_READY), (10, ReactionKind.BEGINS), (11, ReactionKind.BEGINS)],
)
def test_activity_before_the_engine_answered_is_refused(offset, kind):
    facts = a_session(ready=10)
    assert report(facts, NOON + offset, calls=True, running=False).kind is kind


def test_activity_of_a_session_that_never_was_ready_is_refused():
    reaction = report(a_session(ready=None), NOON + 50, calls=True, running=True)
    assert reaction.kind is ReactionKind.REFUSED_NOT_READY
    assert answer(a_session(ready=None), NOON + 50, "stay").kind is reaction.kind


# Active and idle (rules 9 and 10)


@pytest.mark.parametrize("timeout", [10, 180, 181, 3_600])
def test_a_session_is_idle_from_its_idle_timeout_on(timeout):
    facts = after(a_session(idle_timeout=timeout), (50, "running"))
    assert at(facts, 50).state is State.ACTIVE
    assert at(facts, 50 + timeout - 1).state is State.ACTIVE
    assert at(facts, 50 + timeout - 1).seconds_until_idle == 1
    assert at(facts, 50 + timeout).state is State.IDLE
    assert at(facts, 50 + timeout).idle_since == NOON + 50 + timeout
    assert at(facts, 50 + timeout + 1).seconds_until_idle is None


def test_a_report_of_nothing_is_not_activity():
    facts = after(a_session(), (50, "running"))
    reaction = report(facts, NOON + 60, calls=False, running=False)
    assert reaction.kind is ReactionKind.NOTHING
    assert reaction.facts is facts


def test_the_first_report_begins_and_the_next_one_extends():
    begun = report(a_session(), NOON + 50, calls=False, running=True)
    assert begun.kind is ReactionKind.BEGINS
    assert begun.lump_seconds == 0
    extended = report(begun.facts, NOON + 60, calls=False, running=True)
    assert extended.kind is ReactionKind.EXTENDS
    assert extended.facts.open == OpenStretch(NOON + 50, NOON + 60, NOON + 50)


def test_a_report_that_another_overtook_takes_nothing_back():
    facts = after(a_session(), (50, "calls"), (70, "calls"))
    late = report(facts, NOON + 60, calls=True, running=True)
    assert late.kind is ReactionKind.EXTENDS
    assert late.facts == facts


@pytest.mark.parametrize("gap", [0, 1, 299])
def test_an_idle_session_resumes_within_300_seconds(gap):
    facts = after(a_session(idle_timeout=10), (50, "running"))
    reaction = report(facts, NOON + 60 + gap, calls=False, running=True)
    assert reaction.kind is ReactionKind.RESUMES
    assert reaction.lump_seconds == gap
    assert reaction.closed == Stretch(NOON + 50, NOON + 60)
    assert reaction.facts.closed == (reaction.closed,)
    assert reaction.facts.open == OpenStretch(NOON + 60 + gap, NOON + 60 + gap, NOON + 60 + gap)


@pytest.mark.parametrize("gap", [300, 301])
def test_an_idle_session_has_ended_at_300_seconds(gap):
    facts = after(a_session(idle_timeout=10), (50, "running"))
    reaction = report(facts, NOON + 60 + gap, calls=True, running=True)
    assert reaction.kind is ReactionKind.REFUSED_ENDED
    assert reaction.facts is facts
    assert reaction.end == ending(360, EndReason.IDLE)


def test_the_idle_end_comes_at_its_exact_second():
    facts = after(a_session(idle_timeout=10), (50, "running"))
    assert at(facts, 50).seconds_until_end == 310
    assert at(facts, 359).state is State.IDLE
    assert at(facts, 359).seconds_until_end == 1
    ended = at(facts, 360)
    assert (ended.state, ended.end_reason) == (State.ENDED, EndReason.IDLE)
    assert ended.ended_at == NOON + 360
    assert ended.seconds_until_end is None
    assert ended.idle_since is None


def test_a_session_ends_in_the_first_gap_that_is_too_long_whatever_was_recorded_later():
    facts = replace(
        a_session(),
        closed=(Stretch(NOON + 20, NOON + 40), Stretch(NOON + 340, NOON + 400)),
        open=OpenStretch(NOON + 410, NOON + 420, NOON + 420),
    )
    assert end_of(facts) == ending(340, EndReason.IDLE)
    assert at(facts, 500).billed_seconds == 20


# Ends, and what comes first in one second (rules 11 and 14)


@pytest.mark.parametrize(("stopped", "reason"), [(359, "stopped"), (360, "idle"), (361, "idle")])
def test_a_stop_in_the_second_of_the_idle_end_gives_idle(stopped, reason):
    facts = after(a_session(idle_timeout=10), (50, "running"))
    facts = replace(facts, ends=(ending(stopped, EndReason.STOPPED),))
    assert at(facts, 1000).end_reason == reason


@pytest.mark.parametrize("stopped", [119, 120, 121])
def test_a_stop_in_the_second_of_the_start_failure_gives_failed(stopped):
    facts = replace(a_session(ready=None), ends=(ending(stopped, EndReason.STOPPED),))
    expected = EndReason.STOPPED if stopped < 120 else EndReason.FAILED
    assert at(facts, 121).end_reason is expected


@pytest.mark.parametrize("reason", [r for r in EndReason if r is not EndReason.CAP_REACHED])
def test_any_end_of_its_own_beats_exhaustion_in_the_same_second(reason):
    exhausted = ending(100, EndReason.CAP_REACHED)
    facts = after(a_session(), (50, "running"))
    facts = replace(facts, exhausted=exhausted, ends=(ending(100, reason),))
    assert end_of(facts) == ending(100, reason)
    assert end_of(replace(facts, ends=(ending(101, reason),))) == exhausted


def test_the_idle_end_beats_exhaustion_in_the_same_second():
    facts = replace(a_session(), exhausted=ending(310, EndReason.ALLOWANCE_EXHAUSTED))
    assert end_of(facts).reason is EndReason.IDLE


def test_in_one_second_facts_count_in_the_order_of_recording():
    first, second = ending(99, EndReason.ACCESS_REVOKED), ending(99, EndReason.STOPPED)
    assert end_of(replace(a_session(), ends=(first, second))) == first
    assert end_of(replace(a_session(), ends=(second, first))) == second
    earlier = ending(98, EndReason.ENGINE_LOST)
    assert end_of(replace(a_session(), ends=(first, second, earlier))) == earlier


@pytest.mark.parametrize(
    ("longest", "reason"), [(309, "session_length"), (310, "idle"), (311, "idle")]
)
def test_the_idle_end_beats_the_longest_session_in_the_same_second(longest, reason):
    assert end_of(a_session(longest=longest)).reason == reason


def test_the_longest_session_counts_from_its_creation():
    facts = running(a_session(longest=1000), 50, 950)
    assert at(facts, 999).state is State.ACTIVE
    assert at(facts, 999).seconds_until_end == 1
    assert at(facts, 1000).end_reason is EndReason.SESSION_LENGTH
    assert at(facts, 2000).billed_seconds == 950
    refused = report(facts, NOON + 1000, calls=True, running=True)
    assert refused.kind is ReactionKind.REFUSED_ENDED
    assert report(facts, NOON + 999, calls=True, running=True).kind is ReactionKind.EXTENDS


def test_the_longest_session_ends_one_that_still_starts():
    facts = a_session(ready=None, longest=60)
    assert at(facts, 60).end_reason is EndReason.SESSION_LENGTH
    assert at(facts, 60).state is State.ENDED


def test_facts_recorded_after_exhaustion_neither_count_nor_bill():
    exhausted = ending(20, EndReason.ALLOWANCE_EXHAUSTED)
    facts = replace(after(a_session(), (20, "calls"), (400, "calls")), exhausted=exhausted)
    moment = at(facts, 500)
    assert moment.end_reason is EndReason.ALLOWANCE_EXHAUSTED
    assert moment.billed_seconds == 0
    assert moment.first_active_at is None
    assert report(facts, NOON + 20, calls=True, running=True).kind is ReactionKind.REFUSED_ENDED


# What is billed (rule 15)


def test_stopping_while_active_bills_to_that_instant():
    facts = after(a_session(), (50, "running"))
    facts = replace(facts, ends=(ending(90, EndReason.STOPPED),))
    assert at(facts, 89).billed_seconds == 39
    assert at(facts, 90).billed_seconds == 40
    assert at(facts, 91).billed_seconds == 40


def test_the_idle_tail_is_not_billed():
    facts = after(a_session(idle_timeout=10), (50, "running"))
    ended = at(facts, 10_000)
    assert ended.billed_seconds == 10
    assert ended.active_seconds == 10
    assert ended.idle_seconds == 40 + 300
    assert ended.elapsed_seconds == 360
    assert ended.first_active_at == ended.last_activity_at == NOON + 50


def test_a_resumed_gap_is_billed_in_one_lump_at_the_instant_of_resuming():
    facts = after(a_session(idle_timeout=10), (50, "running"), (100, "running"))
    whole = billing(facts, NOON, NOON + 10_000)
    assert whole == Billing(
        spans=((NOON + 50, NOON + 60), (NOON + 100, NOON + 110)),
        lumps=(Lump(NOON + 100, 40),),
    )
    assert whole.seconds == 60 == at(facts, 10_000).billed_seconds
    assert billing(facts, NOON, NOON + 100).lumps == ()
    assert billing(facts, NOON + 100, NOON + 101).lumps == (Lump(NOON + 100, 40),)
    assert billing(facts, NOON + 101, NOON + 10_000).lumps == ()
    assert at(facts, 100).billed_seconds == 10
    assert at(facts, 101).billed_seconds == 51


@pytest.mark.parametrize("reason", [EndReason.STOPPED, EndReason.ALLOWANCE_EXHAUSTED])
def test_a_gap_resumed_in_the_second_of_a_recorded_end_is_billed_in_that_second(reason):
    facts = after(a_session(idle_timeout=10), (50, "running"), (100, "running"))
    ended = replace(facts, ends=(ending(100, reason),))
    assert at(ended, 100).billed_seconds == 50
    assert billing(ended, NOON, NOON + 100).seconds == 10
    assert billing(ended, NOON + 100, NOON + 101).lumps == (Lump(NOON + 100, 40),)


def test_a_gap_resumed_after_the_end_is_not_billed():
    facts = after(a_session(idle_timeout=10), (50, "running"), (100, "running"))
    ended = replace(facts, ends=(ending(99, EndReason.STOPPED),))
    assert billing(ended, NOON, NOON + 10_000).seconds == 10
    stopped_later = replace(facts, ends=(ending(101, EndReason.STOPPED),))
    assert billing(stopped_later, NOON, NOON + 10_000).seconds == 51


def test_a_report_at_the_very_idle_instant_bills_as_if_it_had_come_a_second_before():
    on = after(a_session(idle_timeout=10), (50, "running"), (60, "running"))
    before = after(a_session(idle_timeout=10), (50, "running"), (59, "running"))
    assert billing(on, NOON, NOON + 70).seconds == 20
    assert billing(on, NOON, NOON + 70).lumps == ()
    assert at(on, 69).billed_seconds == at(before, 69).billed_seconds == 19


def test_a_timeline_covers_the_session_without_holes():
    facts = after(a_session(idle_timeout=10), (50, "running"), (100, "running"))
    kinds = [(s.start - NOON, s.end - NOON, s.kind.value, s.billed) for s in timeline(facts, 2**40)]
    assert kinds == [
        (0, 10, "starting", False),
        (10, 50, "idle", False),
        (50, 60, "active", True),
        (60, 100, "idle", True),
        (100, 110, "active", True),
        (110, 410, "idle", False),
    ]


def test_a_timeline_does_not_know_what_comes_after_it():
    facts = after(a_session(idle_timeout=10), (50, "running"), (100, "running"))
    gap = Segment(NOON + 60, NOON + 100, SegmentKind.IDLE, billed=False)
    assert timeline(facts, NOON + 100)[-1] == gap
    assert timeline(facts, NOON) == timeline(facts, NOON - 5) == ()


# History


def test_what_is_recorded_later_changes_nothing_about_the_past():
    facts = after(a_session(idle_timeout=10), (50, "running"), (100, "running"), (105, "calls"))
    later = replace(
        facts,
        ends=(ending(106, EndReason.STOPPED),),
        exhausted=ending(107, EndReason.CAP_REACHED),
    )
    assert at(later, 9).state is State.STARTING
    assert at(later, 9).seconds_until_end == 111
    assert at(later, 55).state is State.ACTIVE
    assert at(later, 55).seconds_until_idle == 10
    assert at(later, 80).idle_since == NOON + 60
    assert at(later, 80).seconds_until_end == 280
    assert at(later, 80).last_activity_at == NOON + 50
    assert at(later, 102).last_activity_at == NOON + 102
    assert at(later, 105).state is State.ACTIVE
    assert at(later, 106).end_reason is EndReason.STOPPED
    assert as_of(later, NOON + 105) == facts


def test_an_answer_given_later_changes_nothing_about_the_past():
    facts = after(a_session(), (50, "running"), (230, "idle"))
    assert at(facts, 229).state is State.ACTIVE
    assert at(facts, 229).seconds_until_idle == 121
    assert at(facts, 230).idle_since == NOON + 230


def test_before_it_was_created_it_is_as_at_its_creation():
    assert at(a_session(), -5) == at(a_session(), 0)


# Prompts (rule 13)


@pytest.mark.parametrize("timeout", [10, 180])
def test_a_short_idle_timeout_asks_nothing(timeout):
    facts = after(a_session(idle_timeout=timeout), (50, "running"))
    assert all(at(facts, second).prompt is None for second in range(700))


def test_after_180_seconds_without_activity_it_asks_until_the_idle_instant():
    facts = after(a_session(idle_timeout=181), (50, "running"))
    assert at(facts, 229).prompt is None
    assert at(facts, 230).prompt == Prompt(PromptKind.INACTIVITY, NOON + 230, NOON + 231)
    assert at(facts, 231).prompt is None
    assert at(facts, 231).state is State.IDLE


@pytest.mark.parametrize(
    ("offset", "stay", "idle"),
    [
        (229, ReactionKind.REFUSED_NO_PROMPT, ReactionKind.REFUSED_NO_PROMPT),
        (230, ReactionKind.EXTENDS, ReactionKind.IDLES),
        (349, ReactionKind.EXTENDS, ReactionKind.IDLES),
        (350, ReactionKind.REFUSED_NO_PROMPT, ReactionKind.REFUSED_NO_PROMPT),
        (650, ReactionKind.REFUSED_ENDED, ReactionKind.REFUSED_ENDED),
    ],
)
def test_a_prompt_is_answered_from_when_it_is_due_until_answer_by(offset, stay, idle):
    facts = after(a_session(), (50, "running"))
    assert answer(facts, NOON + offset, "stay").kind is stay
    assert answer(facts, NOON + offset, "idle").kind is idle


def test_an_idle_session_has_no_prompt_to_answer():
    assert answer(a_session(), NOON + 50, "stay").kind is ReactionKind.REFUSED_NO_PROMPT


def test_stay_is_activity():
    facts = after(a_session(), (50, "running"), (300, "stay"))
    assert at(facts, 300).prompt is None
    assert at(facts, 300).last_activity_at == NOON + 300
    assert at(facts, 300).seconds_until_idle == 300


def test_idle_as_an_answer_makes_it_idle_at_once_and_ends_it_300_seconds_later():
    facts = after(a_session(), (50, "running"), (300, "idle"))
    assert at(facts, 299).state is State.ACTIVE
    assert at(facts, 300).idle_since == NOON + 300
    assert at(facts, 599).state is State.IDLE
    assert at(facts, 600).end_reason is EndReason.IDLE
    assert at(facts, 600).billed_seconds == 250


def test_what_runs_does_not_resume_a_session_that_a_prompt_made_idle_but_a_call_does():
    facts = after(a_session(), (50, "running"), (300, "idle"))
    for second in (300, 301, 599):
        what_runs = report(facts, NOON + second, calls=False, running=True)
        assert what_runs.kind is ReactionKind.NOTHING
        call = report(facts, NOON + second, calls=True, running=True)
        assert call.kind is ReactionKind.RESUMES
        assert call.lump_seconds == second - 300
    assert report(facts, NOON + 600, calls=True, running=True).kind is ReactionKind.REFUSED_ENDED


def a_long_session() -> Facts:
    """A container runs from 50 s to beyond the three hours' prompt, due at 10,800 s."""
    return running(a_session(), 50, 10_850)


LONG = Prompt(PromptKind.SESSION, NOON + 10_800, NOON + 10_860)


def test_after_three_hours_it_asks_for_60_seconds_whatever_runs():
    facts = a_long_session()
    assert at(facts, 10_850).prompt == LONG
    assert state_at(as_of(facts, NOON + 10_799), NOON + 10_799).prompt is None
    assert state_at(as_of(facts, NOON + 10_800), NOON + 10_800).prompt == LONG
    assert at(facts, 10_859).prompt == LONG
    assert at(facts, 10_859).seconds_until_idle == 1
    assert at(facts, 10_860).idle_since == NOON + 10_860
    assert at(facts, 10_860).prompt is None


@pytest.mark.parametrize("how", ["stay", "calls"])
@pytest.mark.parametrize("offset", [10_800, 10_801, 10_859])
def test_a_call_or_stay_answers_the_long_prompt_before_answer_by(how, offset):
    facts = running(a_session(), 60, min(offset, 10_800))
    facts = after(facts, (offset, how))
    assert at(facts, offset).prompt is None
    assert at(running(facts, 10_861, 10_921), 10_921).state is State.ACTIVE


def test_a_call_before_the_long_prompt_is_due_does_not_answer_it():
    facts = running(after(running(a_session(), 59, 10_739), (10_799, "calls")), 10_800, 10_859)
    assert at(facts, 10_859).prompt == LONG


@pytest.mark.parametrize("offset", [10_860, 10_861])
def test_a_stay_at_answer_by_is_too_late_and_a_call_resumes(offset):
    facts = a_long_session()
    assert answer(facts, NOON + offset, "stay").kind is ReactionKind.REFUSED_NO_PROMPT
    what_runs = report(facts, NOON + offset, calls=False, running=True)
    assert what_runs.kind is ReactionKind.NOTHING
    call = report(facts, NOON + offset, calls=True, running=False)
    assert call.kind is ReactionKind.RESUMES
    assert call.closed == Stretch(NOON + 50, NOON + 10_860)
    assert state_at(call.facts, NOON + offset).prompt is None


@pytest.mark.parametrize(("last", "kind"), [(10_789, "resumes"), (10_790, "nothing")])
def test_an_ordinary_idle_instant_before_answer_by_may_be_resumed_by_what_runs(last, kind):
    facts = after(running(a_session(idle_timeout=70), 29, 10_739), (last, "running"))
    assert at(facts, last + 69).prompt == LONG
    assert at(facts, last + 70).state is State.IDLE
    assert report(facts, NOON + 10_870, calls=False, running=True).kind == kind


def test_a_session_that_is_idle_at_three_hours_is_not_asked():
    facts = after(running(a_session(idle_timeout=60), 40, 10_740, every=50), (10_810, "running"))
    assert at(facts, 10_800).state is State.IDLE
    assert at(facts, 10_810).prompt is None
    facts = running(facts, 10_850, 21_600, every=50)
    assert at(facts, 21_599).prompt is None
    assert at(facts, 21_600).prompt == Prompt(PromptKind.SESSION, NOON + 21_600, NOON + 21_660)


def test_a_session_resumed_in_the_second_of_the_prompt_was_idle_when_it_was_due():
    facts = running(a_session(idle_timeout=60), 60, 10_740)
    facts = after(facts, (10_800, "running"))
    assert len(facts.closed) == 10_740 // 60
    assert at(facts, 10_800).prompt is None


def a_day(before: int, start: int = NOON, ready: int = 1, **terms) -> Facts:
    terms = {"session_prompt": 10**6, "idle_timeout": 300, **terms}
    facts: Facts = a_session(created=start, ready=ready, **terms)
    return replace(facts, active_before=before)


def test_after_eight_hours_of_a_day_it_asks_counting_earlier_sessions():
    facts = running(a_day(8 * HOUR - 100), 1, 121)
    assert state_at(as_of(facts, NOON + 100), NOON + 100).prompt is None
    due = Prompt(PromptKind.DAILY, NOON + 101, NOON + 161)
    assert state_at(as_of(facts, NOON + 101), NOON + 101).prompt == due
    assert at(facts, 121).prompt == due
    assert at(facts, 161).state is State.IDLE


def test_it_asks_again_every_hour_of_active_time():
    facts = after(running(a_day(8 * HOUR - 100), 1, 100), (101, "calls"))
    facts = running(facts, 161, 3_701)
    again = Prompt(PromptKind.DAILY, NOON + 3_701, NOON + 3_761)
    assert at(facts, 3_701).prompt == again
    assert state_at(as_of(facts, NOON + 3_700), NOON + 3_700).prompt is None


def test_who_starts_beyond_eight_hours_is_asked_at_the_next_full_hour():
    facts = running(a_day(8 * HOUR), 1, 3_600)
    assert state_at(as_of(facts, NOON + 3_600), NOON + 3_600).prompt is None
    facts = after(facts, (3_601, "running"))
    assert at(facts, 3_601).prompt == Prompt(PromptKind.DAILY, NOON + 3_601, NOON + 3_661)


def test_idle_gaps_are_not_active_time_of_the_day():
    facts = after(a_day(8 * HOUR - 100, idle_timeout=50), (1, "running"), (200, "running"))
    facts = after(facts, (240, "running"), (250, "running"))
    assert at(facts, 249).prompt is None
    assert at(facts, 250).prompt == Prompt(PromptKind.DAILY, NOON + 250, NOON + 310)


def test_the_day_begins_anew_at_midnight():
    facts = running(a_day(8 * HOUR - 100, start=MIDNIGHT - 101), 1, 301)
    assert at(facts, 301).prompt is None
    dues = {Prompt(PromptKind.DAILY, at, at + 60) for at in [MIDNIGHT + 8 * HOUR]}
    assert next_change(facts, MIDNIGHT + 200) == MIDNIGHT + 380
    facts = running(facts, 361, 8 * HOUR + 101 + 59)
    assert {at(facts, 101 + 8 * HOUR + 59).prompt} == dues


def test_a_day_may_ask_at_its_last_second_but_not_at_midnight():
    facts = running(a_day(8 * HOUR - 99, start=MIDNIGHT - 101), 1, 101)
    assert at(facts, 100).state is State.ACTIVE
    assert state_at(as_of(facts, MIDNIGHT - 1), MIDNIGHT - 1).prompt == Prompt(
        PromptKind.DAILY, MIDNIGHT - 1, MIDNIGHT + 59
    )


def test_a_limit_of_a_whole_day_never_asks():
    facts = a_day(0, daily_limit=86_400, start=MIDNIGHT - 2)
    facts = running(facts, 1, 86_460, every=290)
    assert at(facts, 86_460).prompt is None


def test_of_two_prompts_the_one_to_be_answered_first_is_shown_and_one_answer_serves_both():
    facts = running(a_day(8 * HOUR - 110, session_prompt=100), 1, 121)
    assert at(facts, 121).prompt == Prompt(PromptKind.SESSION, NOON + 100, NOON + 160)
    assert at(after(facts, (121, "calls")), 121).prompt is None
    facts = after(a_session(session_prompt=300), (50, "running"))
    assert at(facts, 299).prompt == Prompt(PromptKind.INACTIVITY, NOON + 230, NOON + 350)
    assert at(facts, 300).prompt == Prompt(PromptKind.INACTIVITY, NOON + 230, NOON + 350)
    facts = after(a_session(session_prompt=280), (50, "running"))
    assert at(facts, 280).prompt == Prompt(PromptKind.SESSION, NOON + 280, NOON + 340)


# What happens next


def test_the_next_change_is_the_next_instant_at_which_the_clock_changes_something():
    starting = a_session(ready=None)
    assert next_change(starting, NOON) == NOON + 120
    assert next_change(starting, NOON + 120) is None
    facts = after(a_session(), (50, "running"))
    assert next_change(facts, NOON + 9) == NOON + 120
    assert next_change(facts, NOON + 10) == NOON + 310
    assert next_change(facts, NOON + 50) == NOON + 230
    assert next_change(facts, NOON + 230) == NOON + 350
    assert next_change(facts, NOON + 350) == NOON + 650
    assert next_change(facts, NOON + 650) is None


def test_a_session_of_thirty_days_is_answered_at_once():
    facts = a_session(idle_timeout=3_600)
    for hour in range(30 * 24):
        facts = report(facts, NOON + 60 + hour * HOUR, calls=True, running=True).facts
    assert at(facts, 30 * 24 * HOUR - 100).state is State.ACTIVE
    assert billing(facts, NOON, 2**40).seconds == 30 * 24 * HOUR


# What can't be


@pytest.mark.parametrize("name", ["idle_timeout", "session_prompt", "longest", "multiplier"])
def test_terms_of_less_than_one_are_refused_by_name(name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        Terms(**{"idle_timeout": 10, name: 0})


def test_activity_cannot_save_a_session_that_never_was_ready():
    facts = replace(a_session(ready=None), open=OpenStretch(NOON, NOON, NOON))
    assert end_of(facts).reason is EndReason.FAILED


def test_a_closed_stretch_without_an_open_one_is_resumed_like_any_other():
    facts = replace(a_session(), closed=(Stretch(NOON + 20, NOON + 330),))
    assert at(facts, 340).idle_since == NOON + 330
    reaction = report(facts, NOON + 340, calls=False, running=True)
    assert (reaction.kind, reaction.lump_seconds) == (ReactionKind.RESUMES, 10)
    assert reaction.facts.closed == facts.closed
