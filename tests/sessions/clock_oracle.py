"""A session lived through second by second, to check `sessions.clock` against.

It shares only the plain words (kinds, reasons, terms) with the code under test, none of
its reasoning: there are no closed forms here, no stretches and no intervals. In every
second come the clock, then what is recorded in it, then exhaustion, then the second
itself (product.md rule 14).
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sessions.clock_facts import EndReason, Prompt, PromptKind, ReactionKind, State, Terms

DAY = 86_400


@dataclass(frozen=True)
class Event:
    """One thing recorded: ready, report, keep, stay, idle, end or exhausted, at a second."""

    at: int
    what: str
    calls: bool = False
    running: bool = False
    reason: EndReason | None = None
    until: int = 0


@dataclass
class Second:
    """What one second was: its kind, and which instant's lump billed it if one did."""

    kind: str
    billed_live: bool
    resumed_at: int | None = None


@dataclass
class World:
    """A session at the second `now`, after all that was recorded in it."""

    created_at: int
    terms: Terms
    active_before: int = 0
    now: int = 0
    state: State = State.STARTING
    reason: EndReason | None = None
    ended_at: int | None = None
    ready_at: int | None = None
    idle_since: int | None = None
    idle_by_prompt: bool = False
    first_active: int | None = None
    last_activity: int | None = None
    kept_until: int = 0
    today: int = 0
    resumed_now: bool = False
    asked: list[tuple[int, PromptKind]] = field(default_factory=list)
    seconds: list[Second] = field(default_factory=list)
    lumps: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now = self.created_at
        self.today = self.active_before

    def over(self) -> bool:
        return self.state in (State.ENDED, State.FAILED)

    # One second, in its order

    def arrive(self) -> None:
        """Let the clock do what it alone does in this second."""
        if self.now % DAY == 0 and self.now > self.created_at:
            self.today = 0
        if self.over():
            return
        self.fall_idle()
        self.end_by_clock()
        self.ask()

    def fall_idle(self) -> None:
        if self.state is not State.ACTIVE:
            return
        unanswered = any(self.now == due + self.terms.prompt_answer for due, _ in self.asked)
        assert self.last_activity is not None
        if unanswered or self.now == max(
            self.last_activity + self.terms.idle_timeout, self.kept_until
        ):
            self.become_idle(by_prompt=unanswered)

    def become_idle(self, *, by_prompt: bool) -> None:
        self.state = State.IDLE
        self.idle_since = self.now
        self.idle_by_prompt = by_prompt
        self.asked = []
        self.kept_until = 0

    def end_by_clock(self) -> None:
        age = self.now - self.created_at
        if self.state is State.STARTING and age == self.terms.start_timeout:
            self.end(EndReason.FAILED)
        elif self.idle_since is not None and self.now == self.idle_since + self.terms.idle_end:
            self.end(EndReason.IDLE)
        elif age == self.terms.longest:
            self.end(EndReason.SESSION_LENGTH)

    def ask(self) -> None:
        if self.state is not State.ACTIVE:
            return
        age = self.now - self.created_at
        if age % self.terms.session_prompt == 0:
            self.asked.append((self.now, PromptKind.SESSION))
        beyond = self.today - self.terms.daily_limit
        if beyond >= 0 and beyond % self.terms.daily_prompt == 0:
            self.asked.append((self.now, PromptKind.DAILY))

    def record(self, event: Event) -> ReactionKind | None:
        """Take in one recorded fact; reports and answers are told what they did."""
        assert event.at == self.now
        if event.what == "ready":
            if self.state is State.STARTING:
                self.state, self.idle_since, self.ready_at = State.IDLE, self.now, self.now
            return None
        if event.what in ("end", "exhausted"):
            if not self.over():
                assert event.reason is not None
                self.end(event.reason)
            return None
        if self.over():
            return ReactionKind.REFUSED_ENDED
        if self.state is State.STARTING:
            return ReactionKind.REFUSED_NOT_READY
        if event.what == "report":
            return self.hear(calls=event.calls, running=event.running)
        if event.what == "keep":
            reply = self.hear(calls=False, running=True)
            if reply is not ReactionKind.NOTHING:
                self.kept_until = max(event.until, self.now)
            return reply
        return self.hear_answer(event.what)

    def hear(self, *, calls: bool, running: bool) -> ReactionKind:
        if not (calls or running):
            return ReactionKind.NOTHING
        if self.state is State.IDLE and self.idle_by_prompt and not calls:
            return ReactionKind.NOTHING
        was_active = self.state is State.ACTIVE
        first = self.first_active is None
        self.last_activity = self.now
        if calls:
            self.asked = []
        if was_active:
            return ReactionKind.EXTENDS
        self.state = State.ACTIVE
        self.idle_since = None
        self.idle_by_prompt = False
        if first:
            self.first_active = self.now
            return ReactionKind.BEGINS
        self.resumed_now = True
        return ReactionKind.RESUMES

    def hear_answer(self, choice: str) -> ReactionKind:
        if self.prompt() is None:
            return ReactionKind.REFUSED_NO_PROMPT
        if choice == "stay":
            return self.hear(calls=True, running=False)
        self.become_idle(by_prompt=True)
        return ReactionKind.IDLES

    def end(self, reason: EndReason) -> None:
        self.state = State.FAILED if reason is EndReason.FAILED else State.ENDED
        self.reason = reason
        self.ended_at = self.now
        self.idle_since = None
        self.asked = []
        if self.resumed_now:
            self.bill_gap()

    def leave(self) -> None:
        """Live through the second itself and go on to the next."""
        if not self.over():
            if self.resumed_now:
                self.bill_gap()
            active = self.state is State.ACTIVE
            self.seconds.append(Second(self.state.value, billed_live=active))
            self.today += active
        self.now += 1

    def bill_gap(self) -> None:
        self.resumed_now = False
        gap = 0
        for second in reversed(self.seconds):
            if second.kind != "idle":
                break
            second.resumed_at = self.now
            gap += 1
        if gap:
            self.lumps[self.now] = gap

    # What it looks like

    def prompt(self) -> Prompt | None:
        """The question whose answer is wanted first."""
        if self.state is not State.ACTIVE:
            return None
        assert self.last_activity is not None
        terms = self.terms
        questions = [(due + terms.prompt_answer, due, kind) for due, kind in self.asked]
        lasting = max(self.last_activity, self.kept_until - terms.idle_timeout)
        quiet = lasting + terms.inactivity_prompt
        idle = lasting + terms.idle_timeout
        if quiet < idle and quiet <= self.now:
            questions.append((idle, quiet, PromptKind.INACTIVITY))
        if not questions:
            return None
        answer_by, due, kind = sorted(questions, key=lambda question: question[:2])[0]
        return Prompt(kind, due, answer_by)

    def billed_before(self, instant: int) -> int:
        """Billed seconds, live and in lumps, before an instant."""
        live = sum(s.billed_live for s in self.seconds[: max(instant - self.created_at, 0)])
        return live + sum(gap for at, gap in self.lumps.items() if at < instant)

    def left_alone(self) -> tuple[int | None, int | None]:
        """Seconds until idle (while active) and until the end, if nothing more happens.

        The idle countdown takes no notice of a longest session that cuts it short.
        """
        if self.over():
            return None, None
        until_end = self.wait(lambda world: world.over(), self.terms)
        if self.state is not State.ACTIVE:
            return None, until_end
        endless = replace(self.terms, longest=None)
        return self.wait(lambda world: world.state is not State.ACTIVE, endless), until_end

    def wait(self, reached: Callable[["World"], bool], terms: Terms) -> int:
        alone = copy.copy(self)
        alone.terms = terms
        alone.asked = list(self.asked)
        alone.seconds, alone.lumps = [], {}
        alone.resumed_now = False
        while not reached(alone):
            alone.leave()
            alone.arrive()
        return alone.now - self.now
