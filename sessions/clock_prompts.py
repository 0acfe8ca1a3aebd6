"""When a session asks its developer whether they are still there (product.md rule 13).

Only the open stretch can owe an answer: that a prompt made an earlier one idle is in its
`idle_at` already, and an idle session asks nothing. Instants are POSIX seconds, UTC.
"""

from collections.abc import Iterable, Iterator

from sessions.clock_facts import Facts, Idle, OpenStretch, Prompt, PromptKind

DAY = 86_400


def becomes_idle(facts: Facts, stretch: OpenStretch) -> Idle:
    """Say when the open stretch becomes idle if nothing more happens (rules 9 and 13).

    Where a prompt's `answer_by` is the very second of the ordinary idle instant, the
    prompt did it: the ordinary instant has to come before it to win.
    """
    natural = _quiet_since(facts, stretch) + facts.terms.idle_timeout
    prompted = min(prompt.answer_by for prompt in _long_prompts(facts, stretch))
    if stretch.idled_at is not None:
        prompted = min(prompted, stretch.idled_at)
    return Idle(at=min(natural, prompted), by_prompt=prompted <= natural)


def _quiet_since(facts: Facts, stretch: OpenStretch) -> int:
    """Say from when on the idle timeout runs: the last activity, or what keeps it alive.

    A job that declared itself alive until an instant makes the session idle at that very
    instant, unless its last activity does so later.
    """
    if stretch.kept_until is None:
        return stretch.last_activity_at
    return max(stretch.last_activity_at, stretch.kept_until - facts.terms.idle_timeout)


def unanswered(facts: Facts, stretch: OpenStretch) -> tuple[Prompt, ...]:
    """List the next unanswered prompt of each kind, due or still to come.

    The one to be answered first stands first. Some may never come, because the
    stretch is idle before they are due.
    """
    prompts = [*_long_prompts(facts, stretch), *_inactivity_prompt(facts, stretch)]
    return tuple(sorted(prompts, key=lambda prompt: (prompt.answer_by, prompt.due_at)))


def pending(facts: Facts, at: int) -> Prompt | None:
    """Give the prompt that is due at this instant: of several, the first to answer."""
    stretch = facts.open
    if stretch is None or at >= becomes_idle(facts, stretch).at:
        return None
    due = (prompt for prompt in unanswered(facts, stretch) if prompt.due_at <= at)
    return next(due, None)


def _inactivity_prompt(facts: Facts, stretch: OpenStretch) -> list[Prompt]:
    """Due a while after the last activity, where the idle timeout is longer than that."""
    terms = facts.terms
    if terms.idle_timeout <= terms.inactivity_prompt:
        return []
    last = _quiet_since(facts, stretch)
    due, idle = last + terms.inactivity_prompt, last + terms.idle_timeout
    return [Prompt(PromptKind.INACTIVITY, due, answer_by=idle)]


def _long_prompts(facts: Facts, stretch: OpenStretch) -> list[Prompt]:
    """List the first session and the first daily prompt that no call has answered."""
    due = [(PromptKind.SESSION, _session_due(facts, stretch.last_call_at))]
    daily = _daily_due(facts, stretch)
    if daily is not None:
        due.append((PromptKind.DAILY, daily))
    return [Prompt(kind, at, at + facts.terms.prompt_answer) for kind, at in due]


def _session_due(facts: Facts, after: int) -> int:
    """Find the first instant after `after` that is a whole number of prompts old.

    Strictly after: a call in the due second answers, since the clock's due came first.
    """
    step = facts.terms.session_prompt
    passed = (after - facts.created_at) // step
    return facts.created_at + (passed + 1) * step


def _daily_due(facts: Facts, stretch: OpenStretch) -> int | None:
    """Find the first instant after the last call at which the day's active time is too long.

    Strictly after, as above. Every midnight the count starts again, so that if the day
    of the last call asks nothing more, the whole next day decides for all later ones.
    """
    terms = facts.terms
    midnight = stretch.last_call_at // DAY * DAY
    counted_from = max(stretch.started_at, midnight)
    before = _active_in_day(facts, midnight)
    now = before + stretch.last_call_at - counted_from
    due = counted_from + _next_level(now, terms.daily_limit, terms.daily_prompt) - before
    if due < midnight + DAY:
        return due
    return midnight + DAY + terms.daily_limit if terms.daily_limit < DAY else None


def _next_level(seconds: int, limit: int, step: int) -> int:
    """Give the first of limit, limit + step, limit + 2 step ... above `seconds`."""
    if seconds < limit:
        return limit
    return limit + ((seconds - limit) // step + 1) * step


def _active_in_day(facts: Facts, midnight: int) -> int:
    """Sum the active seconds of the UTC day from earlier sessions and closed stretches."""
    inside = (
        min(stretch.idle_at, midnight + DAY) - max(stretch.started_at, midnight)
        for stretch in facts.closed
    )
    earlier = facts.active_before if facts.created_at // DAY * DAY == midnight else 0
    return earlier + sum(seconds for seconds in inside if seconds > 0)


# --- What was asked ------------------------------------------------------------------------------


def asked_by_time(facts: Facts, active: Iterable[tuple[int, int]]) -> tuple[Prompt, ...]:
    """List the session and the daily prompts that came due in active time, [start, end) each.

    They come by the session's age and by the day's active time alone, whatever was called
    meanwhile, so the past tells them exactly. Of the inactivity prompts it tells only those
    of the open stretch, which `unanswered` has.
    """
    runs = list(active)
    due = [(PromptKind.SESSION, at) for at in _session_dues(facts, runs)]
    due += [(PromptKind.DAILY, at) for at in _daily_dues(facts, runs)]
    prompts = (Prompt(kind, at, at + facts.terms.prompt_answer) for kind, at in due)
    return tuple(sorted(prompts, key=lambda prompt: (prompt.due_at, prompt.kind)))


def _session_dues(facts: Facts, runs: Iterable[tuple[int, int]]) -> Iterator[int]:
    for start, end in runs:
        due = _session_due(facts, start)
        while due < end:
            yield due
            due += facts.terms.session_prompt


def _daily_dues(facts: Facts, runs: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Each instant at which the UTC day's active time reaches the limit, then each step more."""
    terms = facts.terms
    counted = {facts.created_at // DAY: facts.active_before}
    for start, end in runs:
        at = start
        while at < end:
            day = at // DAY
            until = min(end, (day + 1) * DAY)
            before = counted.get(day, 0)
            level = _next_level(before, terms.daily_limit, terms.daily_prompt)
            while at + level - before < until:
                yield at + level - before
                level += terms.daily_prompt
            counted[day] = before + until - at
            at = until
