"""What a session's user is told before something is stopped, and of what changed (rules 14, 19).

Everything comes from the session's facts and from rows that are read with them
(`Around`): the meter writes down when time runs out, so that a report's answer
knows it without asking anything more. A notice comes and goes at whole seconds.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.conf import settings

from offload_portal.common.periods import from_seconds, to_seconds
from orgs.models import Policy
from orgs.selectors.policies import terms_of_policy
from sessions import clock
from sessions.enums import NoticeKind
from sessions.models import Session
from sessions.selectors import notice_words as words
from sessions.selectors.caps import CapAhead
from usage.models import Allowance


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to be told. `at` is the instant by which something happens, or did.

    `urgent`: the last of the notices before it has come. `ends_session`: the session is no
    more from `at` on. `mark` is what the session's tag knows of it: it doesn't tick.
    """

    kind: NoticeKind
    sentence: str
    at: datetime
    mark: str
    urgent: bool = False
    ends_session: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """What other rows say beside a session, read in the statement that read it.

    Of the allowance: `spent_at`, `sessions_end_at`, `ends_by_limit`, `on_demand_since`. `policy` is
    everyone's and `mark` the number of the last change for the session's person alone, if any;
    the policy may be left out where neither is newer than the session's.
    """

    spent_at: datetime | None = None
    sessions_end_at: datetime | None = None
    ends_by_limit: bool = False
    on_demand_since: datetime | None = None
    policy: Policy | None = None
    mark: int | None = None
    cap: CapAhead | None = None


def around(session: Session) -> Around:
    """Of a session that was read with `with_notices()`, so that nothing is asked for here."""
    joined = session.organization._state.fields_cache
    if "allowance" not in joined:
        raise ValueError("Read the session with with_notices(), or its notices would be missing.")
    allowance: Allowance | None = joined["allowance"]
    return Around(
        spent_at=allowance.spent_at if allowance else None,
        sessions_end_at=allowance.sessions_end_at if allowance else None,
        ends_by_limit=allowance.ends_by_limit if allowance else False,
        on_demand_since=allowance.on_demand_since if allowance else None,
        policy=joined.get("policy"),
        mark=getattr(session, "policy_mark", None),
        cap=CapAhead.read(session.cap_ahead),
    )


class Ahead(Protocol):
    """What the meter wrote of the time to come: a row of the allowance, or a view of it."""

    @property
    def spent_at(self) -> datetime | None: ...
    @property
    def sessions_end_at(self) -> datetime | None: ...
    @property
    def ends_by_limit(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Deadline:
    """Something that is to come: told from `before` seconds ahead, the longest of them first."""

    kind: NoticeKind
    at: datetime
    before: tuple[int, ...]
    ends_session: bool = True
    cap: CapAhead | None = None

    def crossed(self, at: datetime) -> int | None:
        """The least time before it that has come; None while none has."""
        left = to_seconds(self.at) - to_seconds(at)
        return min((seconds for seconds in self.before if left <= seconds), default=None)

    def next_crossing(self, at: datetime) -> int | None:
        """The next instant (POSIX seconds) at which the clock alone crosses one."""
        ends, now = to_seconds(self.at), to_seconds(at)
        crossings = [ends - seconds for seconds in self.before]
        return min((instant for instant in crossings if instant > now), default=None)

    def _fixed(self) -> str:
        """An instant that was set by somebody; the one of the forecast moves with each meter."""
        moves = self.kind in (NoticeKind.ALLOWANCE_LOW, NoticeKind.CAP_LOW)
        return "" if moves else str(to_seconds(self.at))

    def notice(self, at: datetime) -> Notice | None:
        crossed = self.crossed(at)
        if crossed is None:
            return None
        return Notice(
            kind=self.kind,
            sentence=self._sentence(at),
            at=self.at,
            mark=f"{self.kind}:{crossed}:{int(self.ends_session)}:{self._fixed()}",
            urgent=to_seconds(self.at) - to_seconds(at) <= settings.NOTICE_SECONDS[-1],
            ends_session=self.ends_session,
        )

    def _sentence(self, at: datetime) -> str:
        if self.cap is not None:
            return words.before_a_cap(self.cap, at)
        return words.before_the_end(self.kind, self.at, at, ends_session=self.ends_session)


def notices_of(
    session: Session, facts: clock.Facts, beside: Around, at: datetime
) -> tuple[Notice, ...]:
    """What is to be told at the instant; the first to be heeded first. Nothing once it has ended.

    No statement is asked.
    """
    if clock.end_of(facts).at <= to_seconds(at):
        return ()
    coming = (deadline.notice(at) for deadline in deadlines_of(beside, facts))
    found = sorted(
        (notice for notice in coming if notice is not None),
        key=lambda notice: (not notice.ends_session, notice.at, notice.kind),
    )
    return (*found, *_on_demand(session, beside, at), *_policy(session, beside))


def notices_of_allowance(allowance: Ahead, at: datetime) -> tuple[Notice, ...]:
    """What everybody who works on an allowance is told, for those who can change it."""
    found = (deadline.notice(at) for deadline in _of_allowance(allowance))
    return tuple(notice for notice in found if notice is not None)


def marks_of(notices: Iterable[Notice]) -> str:
    """A short word that is another one when a notice comes, goes or becomes urgent."""
    marks = "/".join(notice.mark for notice in notices)
    return f"{zlib.crc32(marks.encode()):x}" if marks else ""


def next_notice(facts: clock.Facts, beside: Around, at: datetime) -> int | None:
    """The next instant (POSIX seconds) at which the clock alone brings another notice."""
    crossings = (deadline.next_crossing(at) for deadline in deadlines_of(beside, facts))
    return min((instant for instant in crossings if instant is not None), default=None)


def deadlines_of(beside: Around, facts: clock.Facts) -> list[Deadline]:
    found = [*_of_allowance(beside), *_of_cap(beside.cap), *_of_subscription(facts)]
    longest = facts.terms.longest
    if longest is not None:
        ends = from_seconds(facts.created_at + longest)
        found.append(Deadline(NoticeKind.SESSION_LENGTH, ends, settings.NOTICE_SECONDS))
    return found


def _of_allowance(allowance: Ahead) -> Iterable[Deadline]:
    """As the meter last saw it: what it will have used up, and a limit that is to come."""
    before = settings.NOTICE_SECONDS
    for at, ends in ((allowance.sessions_end_at, True), (allowance.spent_at, False)):
        if at is None or (not ends and at == allowance.sessions_end_at):
            continue
        by_limit = allowance.ends_by_limit and (ends or allowance.sessions_end_at is None)
        if by_limit:
            yield Deadline(NoticeKind.LIMIT_REACHED_AT, at, _told_from_when_set(), ends)
        else:
            yield Deadline(NoticeKind.ALLOWANCE_LOW, at, before, ends)


def _told_from_when_set() -> tuple[int, ...]:
    before = settings.NOTICE_SECONDS
    return (max(*before, settings.LIMIT_NOTICE_SECONDS), *before)


def _of_cap(cap: CapAhead | None) -> Iterable[Deadline]:
    """The same of the first cap that will be reached; it always ends its sessions."""
    if cap is not None and cap.by_limit:
        yield Deadline(NoticeKind.CAP_REACHED_AT, cap.at, _told_from_when_set(), cap=cap)
    elif cap is not None:
        yield Deadline(NoticeKind.CAP_LOW, cap.at, settings.NOTICE_SECONDS, cap=cap)


def _of_subscription(facts: clock.Facts) -> Iterable[Deadline]:
    """A trial or a subscription that is known to end."""
    reason = clock.EndReason.SUBSCRIPTION_ENDED
    known = [end.at for end in facts.ends if end.reason is reason]
    if known:
        before = (settings.SUBSCRIPTION_NOTICE_SECONDS, *settings.NOTICE_SECONDS)
        yield Deadline(NoticeKind.SUBSCRIPTION_ENDING, from_seconds(min(known)), before)


def _on_demand(session: Session, beside: Around, at: datetime) -> Iterable[Notice]:
    """Told once, with its instant, while on-demand goes on paying."""
    since = session.on_demand_at
    if since is not None and since <= at and beside.on_demand_since is not None:
        sentence = words.on_demand_now(since, at)
        yield Notice(NoticeKind.ON_DEMAND_NOW, sentence, since, "on_demand")


def _policy(session: Session, beside: Around) -> Iterable[Notice]:
    """A running session keeps its terms, and is told what holds from its next start (rule 14).

    What exactly is said only to those for whom everyone's policy holds.
    """
    policy, mark = beside.policy, beside.mark
    if policy is None:
        return
    version = max(policy.version, mark or 0)
    if version <= session.policy_version:
        return
    terms = terms_of_policy(policy, settings.POLICY_REFRESH_SECONDS)
    sentence = words.policy_changed(session, terms if mark is None else None)
    at = max(terms.changed_at, session.created_at)
    yield Notice(NoticeKind.POLICY_CHANGED, sentence, at, f"policy:{version}")
