"""What the agent has to do, from what is wanted and what is there. Pure."""

import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sessions.engines.hosting import Found
from sessions.enums import EngineState
from sessions.selectors.hosting import EngineWish

# An engine that runs but does not answer: a long garbage collection is no loss.
SILENT_SECONDS = 30
GONE = "Nothing of the engine is left on its host."
LATE = "No engine host had room for it in time."
SILENT = f"The engine runs, but has not answered for {SILENT_SECONDS} seconds."


class Do(StrEnum):
    """`START` takes a slot and starts; `RESUME` waits on for a start that another agent began.

    `END` writes down the end of a session that is over by the clock; removing comes after it.
    """

    START = "start"
    RESUME = "resume"
    INTERRUPT = "interrupt"
    FAIL = "fail"
    LOSE = "lose"
    END = "end"
    REMOVE = "remove"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class Action:
    """`slot` for START; `reason` a sentence for FAIL, LOSE; `seen_at` for LOSE."""

    do: Do
    session_id: uuid.UUID
    slot: int | None = None
    reason: str = ""
    seen_at: datetime | None = None


def decide(
    wishes: Iterable[EngineWish],
    found: Iterable[Found],
    *,
    busy: Collection[uuid.UUID],
    capacity: int,
    at: datetime,
    since: datetime,
) -> list[Action]:
    """The next step of each engine that needs one; `busy` are those in the middle of a step.

    Engines that nobody wants are removed, also those of which the database knows nothing. `since`
    is when this agent began to ask: what it did not ask can't have been silent.
    """
    wishes = list(wishes)
    there = {one.session_id: one for one in found}
    slots = _free_slots(wishes, there, capacity)
    actions = []
    for wish in wishes:
        one = there.pop(wish.session_id, None)
        if wish.session_id in busy:
            action = _while_busy(wish)
        elif wish.ended or wish.state in (EngineState.LOST, EngineState.STOPPING):
            action = _away(wish, one)
        elif wish.over:
            action = Action(Do.END, wish.session_id)
        else:
            action = _on_the_way(wish, one, slots, at=at, since=since)
        if action is not None:
            actions.append(action)
    orphans = sorted(there.keys() - set(busy))
    return [*actions, *(Action(Do.REMOVE, session_id) for session_id in orphans)]


def _free_slots(
    wishes: list[EngineWish], there: dict[uuid.UUID, Found], capacity: int
) -> Iterator[int]:
    """Slots that no engine has. Orphans have none, but they take room until they are gone."""
    taken = {wish.slot for wish in wishes}
    orphans = len(there.keys() - {wish.session_id for wish in wishes})
    free = [slot for slot in range(1, capacity + 1) if slot not in taken]
    return iter(free[: max(0, len(free) - orphans)])


def _silence(wish: EngineWish, one: Found | None, since: datetime, at: datetime) -> timedelta:
    """Since it last answered; an engine that has just become ready did so then."""
    seen = one.seen_at if one is not None else None
    return at - max(since, seen or since, wish.ready_at or since)


def _while_busy(wish: EngineWish) -> Action | None:
    return Action(Do.INTERRUPT, wish.session_id) if wish.ended or wish.over else None


def _away(wish: EngineWish, one: Found | None) -> Action:
    return Action(Do.FORGET if one is None else Do.REMOVE, wish.session_id)


def _on_the_way(
    wish: EngineWish,
    one: Found | None,
    slots: Iterator[int],
    *,
    at: datetime,
    since: datetime,
) -> Action | None:
    if wish.state == EngineState.WANTED:
        if at >= wish.answer_by:
            return Action(Do.FAIL, wish.session_id, reason=LATE)
        slot = next(slots, None)
        return None if slot is None else Action(Do.START, wish.session_id, slot=slot)
    if wish.state == EngineState.STARTING:
        return _starting(wish, one)
    return _ready(wish, one, _silence(wish, one, since, at))


def _starting(wish: EngineWish, one: Found | None) -> Action:
    """An agent that ended in the middle of it may have left everything or nothing."""
    if one is not None and not one.alive and one.why:
        return Action(Do.FAIL, wish.session_id, reason=one.why)
    return Action(Do.RESUME, wish.session_id)


def _ready(wish: EngineWish, one: Found | None, silence: timedelta) -> Action | None:
    if one is None:
        return Action(Do.LOSE, wish.session_id, reason=GONE)
    if not one.alive:
        return Action(Do.LOSE, wish.session_id, reason=one.why or GONE, seen_at=one.seen_at)
    if silence > timedelta(seconds=SILENT_SECONDS):
        return Action(Do.LOSE, wish.session_id, reason=SILENT, seen_at=one.seen_at)
    return None
