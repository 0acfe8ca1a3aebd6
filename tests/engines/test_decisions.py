"""What the agent does next, from what is wanted and what is there."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sessions.engines.hosting import Found
from sessions.enums import EngineState
from sessions.host.decisions import GONE, LATE, SILENT, Action, Do, decide
from sessions.selectors.hosting import EngineWish

AT = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)
LONG_AGO = AT - timedelta(hours=1)
ONE, TWO, THREE = (uuid.UUID(int=number) for number in (1, 2, 3))


def wish(session_id=ONE, state=EngineState.READY, *, slot=1, ended=False, over=False, left=60):
    return EngineWish(
        session_id=session_id,
        size="standard",
        state=state,
        slot=None if state == EngineState.WANTED else slot,
        ended=ended,
        asked_at=LONG_AGO,
        answer_by=AT + timedelta(seconds=left),
        over=over,
    )


def found(session_id=ONE, *, alive=True, seen_at=AT, why=""):
    return Found(session_id, alive=alive, seen_at=seen_at, why=why)


def steps(wishes, there, *, busy=(), capacity=4, since=LONG_AGO):
    return decide(wishes, there, busy=busy, capacity=capacity, at=AT, since=since)


def test_nothing_wanted_and_nothing_there_is_nothing_to_do():
    assert steps([], []) == []


def test_a_ready_engine_that_runs_is_left_alone():
    assert steps([wish()], [found()]) == []


def test_an_engine_that_has_just_become_ready_was_not_silent_before():
    new = replace(wish(), ready_at=AT - timedelta(seconds=1))
    assert steps([new], [found(seen_at=None)]) == []


def test_a_wanted_engine_starts_in_the_lowest_free_slot():
    wishes = [wish(ONE, slot=1), wish(TWO, EngineState.WANTED)]
    assert steps(wishes, [found(ONE)]) == [Action(Do.START, TWO, slot=2)]


def test_a_full_host_starts_nothing():
    wishes = [wish(ONE, slot=1), wish(TWO, EngineState.WANTED)]
    assert steps(wishes, [found(ONE)], capacity=1) == []


def test_two_wanted_engines_get_two_slots_and_the_third_waits():
    wishes = [wish(one, EngineState.WANTED) for one in (ONE, TWO, THREE)]
    assert [(step.session_id, step.slot) for step in steps(wishes, [], capacity=2)] == [
        (ONE, 1),
        (TWO, 2),
    ]


def test_an_orphan_takes_room_until_it_is_gone():
    wanted = [wish(ONE, EngineState.WANTED)]
    assert steps(wanted, [found(TWO)], capacity=1) == [Action(Do.REMOVE, TWO)]
    assert steps(wanted, [], capacity=1) == [Action(Do.START, ONE, slot=1)]


@pytest.mark.parametrize("alive", [True, False])
def test_what_nobody_wants_is_removed(alive):
    assert steps([], [found(alive=alive)]) == [Action(Do.REMOVE, ONE)]


@pytest.mark.parametrize("state", [EngineState.STARTING, EngineState.READY, EngineState.STOPPING])
def test_the_engine_of_an_ended_session_is_removed(state):
    assert steps([wish(state=state, ended=True)], [found()]) == [Action(Do.REMOVE, ONE)]


@pytest.mark.parametrize("state", [EngineState.WANTED, EngineState.READY, EngineState.STOPPING])
def test_an_ended_session_without_an_engine_frees_its_slot(state):
    assert steps([wish(state=state, ended=True)], []) == [Action(Do.FORGET, ONE)]


def test_a_wanted_engine_whose_session_ended_never_starts():
    assert steps([wish(state=EngineState.WANTED, ended=True)], []) == [Action(Do.FORGET, ONE)]


def test_an_end_by_the_clock_is_written_down_before_the_engine_goes():
    assert steps([wish(over=True)], [found()]) == [Action(Do.END, ONE)]
    assert steps([wish(over=True, ended=True)], [found()]) == [Action(Do.REMOVE, ONE)]


def test_a_start_of_a_session_that_is_over_is_interrupted_first():
    starting = wish(state=EngineState.STARTING, over=True)
    assert steps([starting], [found()], busy={ONE}) == [Action(Do.INTERRUPT, ONE)]
    assert steps([starting], [found()]) == [Action(Do.END, ONE)]


@pytest.mark.parametrize(("left", "fails"), [(1, False), (0, True), (-1, True)])
def test_a_wanted_engine_that_no_host_took_in_time_fails_with_that_reason(left, fails):
    wanted = wish(state=EngineState.WANTED, left=left)
    expected = Action(Do.FAIL, ONE, reason=LATE) if fails else Action(Do.START, ONE, slot=1)
    assert steps([wanted], []) == [expected]


def test_a_lost_engine_is_removed_though_its_session_is_not_written_down_as_ended():
    assert steps([wish(state=EngineState.LOST)], [found(alive=False)]) == [Action(Do.REMOVE, ONE)]


@pytest.mark.parametrize("there", [[], [found(seen_at=None)], [found(alive=False, why="")]])
def test_a_start_that_another_agent_began_goes_on(there):
    assert steps([wish(state=EngineState.STARTING)], there) == [Action(Do.RESUME, ONE)]


def test_a_start_whose_daemon_ended_fails_with_its_reason():
    there = [found(alive=False, seen_at=None, why="The disk is full.")]
    assert steps([wish(state=EngineState.STARTING)], there) == [
        Action(Do.FAIL, ONE, reason="The disk is full.")
    ]


def test_a_ready_engine_that_died_is_lost_and_tells_when_it_was_seen():
    seen = AT - timedelta(seconds=7)
    there = [found(alive=False, seen_at=seen, why="Killed.")]
    assert steps([wish()], there) == [Action(Do.LOSE, ONE, reason="Killed.", seen_at=seen)]


def test_a_ready_engine_of_which_nothing_is_left_is_lost():
    assert steps([wish()], []) == [Action(Do.LOSE, ONE, reason=GONE)]


@pytest.mark.parametrize(("seconds", "lost"), [(29, False), (30, False), (31, True)])
def test_an_engine_that_does_not_answer_is_lost_after_half_a_minute(seconds, lost):
    seen = AT - timedelta(seconds=seconds)
    expected = [Action(Do.LOSE, ONE, reason=SILENT, seen_at=seen)] if lost else []
    assert steps([wish()], [found(seen_at=seen)]) == expected


def test_what_was_not_asked_was_not_silent():
    there = [found(seen_at=LONG_AGO)]
    assert steps([wish()], there, since=AT - timedelta(seconds=5)) == []


def test_who_is_busy_is_left_alone_but_interrupted_when_the_session_ends():
    assert steps([wish(state=EngineState.STARTING)], [], busy={ONE}) == []
    assert steps([], [found()], busy={ONE}) == []
    assert steps([wish(state=EngineState.STARTING, ended=True)], [found()], busy={ONE}) == [
        Action(Do.INTERRUPT, ONE)
    ]
