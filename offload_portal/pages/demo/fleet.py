"""The clients of the fake fleet: what happens, in order of time, through the services."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from random import Random
from zoneinfo import ZoneInfo

from django.conf import settings

from offload_portal.common.actors import Actor
from offload_portal.common.periods import cut_to_second
from offload_portal.common.refusals import Refusal
from offload_portal.pages.demo.cast import Company, Part
from offload_portal.pages.demo.plans import (
    Moment,
    SessionPlan,
    build_report,
    plan_session,
    report_times,
)
from orgs.models import Membership, Organization, Person
from sessions import services
from sessions.models import Session

# Samples are kept for a while only, and nobody looks at old ones.
SAMPLES_OF_LAST_DAYS = 3
# Hours of a working day, and how likely a start falls into each.
HOURS = {8: 2, 9: 6, 10: 8, 11: 7, 12: 2, 13: 5, 14: 8, 15: 7, 16: 5, 17: 3, 18: 1, 20: 1, 22: 1}
WEEKEND = 0.08
# Whatever goes wrong has gone wrong before the demonstration is opened.
LATELY = timedelta(hours=6)

Act = Callable[[datetime], None]


@dataclass(order=True)
class _Due:
    at: datetime
    number: int
    act: Act = field(compare=False)


class Diary:
    """What is to happen when. Acts may add later ones; at one instant the first added is first."""

    def __init__(self) -> None:
        self._due: list[_Due] = []
        self._number = count()

    def add(self, at: datetime, act: Act) -> None:
        heapq.heappush(self._due, _Due(at, next(self._number), act))

    def live_until(self, end: datetime) -> None:
        """Do everything before `end`; what would come later never happens."""
        while self._due and self._due[0].at < end:
            due = heapq.heappop(self._due)
            due.act(due.at)


@dataclass(frozen=True)
class Developer:
    """A person with a client."""

    company: Company
    part: Part
    person: Person
    organization: Organization

    @property
    def actor(self) -> Actor:
        return Actor(self.person.pk, "demo")


@dataclass
class Fleet:
    """All clients. Days count from `beginning`; what runs at `end` goes on running."""

    diary: Diary
    random: Random
    beginning: datetime
    end: datetime
    started: int = 0
    refused: int = 0
    busy_until: dict[object, datetime] = field(default_factory=dict)
    engines: Random = field(default_factory=lambda: Random(7))  # noqa: S311 - a fake fleet

    def employ(self, developer: Developer, first: date, last: date) -> None:
        """Put the developer's sessions of those days into the diary."""
        for at in self._starts(developer, first, last):
            self.diary.add(at, lambda at: self.start(developer, at))

    def _starts(self, developer: Developer, first: date, last: date) -> Iterator[datetime]:
        zone = ZoneInfo(developer.company.zone)
        for days in range((last - first).days + 1):
            day = first + timedelta(days=days)
            for _n in range(self._number_of(developer, day)):
                hour = self.random.choices(list(HOURS), list(HOURS.values()))[0]
                minute, second = self.random.randrange(60), self.random.randrange(60)
                local = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=zone)
                yield cut_to_second(local)

    def _number_of(self, developer: Developer, day: date) -> int:
        since, until, factor = developer.company.busy
        number = (day - self.beginning.date()).days
        expected = developer.part.sessions_a_day * (factor if since <= number <= until else 1.0)
        if day.weekday() >= 5:
            expected *= WEEKEND
        whole = int(expected)
        return whole + (self.random.random() < expected - whole)

    def start(self, developer: Developer, at: datetime, plan: SessionPlan | None = None) -> None:
        """Start a session and put its reports and its stop into the diary."""
        if plan is None and at < self.busy_until.get(developer.person.pk, at):
            # Whoever is at work starts nothing; the session at hand goes on.
            return
        plan = plan or plan_session(self.random, developer.company, developer.part)
        try:
            session = services.start(
                actor=developer.actor,
                at=at,
                person=developer.person,
                organization=developer.organization,
                request=plan.request,
            )
        except Refusal:
            # Nothing is left, or one runs already: the developer tries another time.
            self.refused += 1
            return
        self.started += 1
        if not self._answers(session, plan, at):
            return
        timeout = session.idle_timeout_seconds
        lasts = plan.stops_after or plan.last_activity + timeout + settings.SESSION_IDLE_END_SECONDS
        self.busy_until[developer.person.pk] = at + timedelta(seconds=lasts)
        for sequence, moment in enumerate(report_times(plan, timeout), start=1):
            self._plan_report(developer, session, plan, sequence, moment)
        if plan.stops_after is not None:
            stop_at = at + timedelta(seconds=plan.stops_after)
            self.diary.add(stop_at, lambda at: self._stop(developer, session, at))

    def _answers(self, session: Session, plan: SessionPlan, at: datetime) -> bool:
        """Engines take a few seconds, one in a hundred never answers and one in 300 is lost.

        The fleet's clients bring their engines, which answer at once; so this is taken back first.
        """
        fate = self.engines.random()
        first = plan.bursts[0].start if plan.bursts else 60
        takes = min(first - 1, 1 + int(self.engines.lognormvariate(1.6, 0.7)))
        Session.objects.filter(pk=session.pk).update(ready_at=None)
        if fate < 0.01 and at < self.end - LATELY:
            reason = "The image of the engine could not be started."
            self.diary.add(at + timedelta(seconds=40), _failing(session, reason))
            return False
        self.diary.add(at + timedelta(seconds=takes), _readying(session))
        if fate > 0.997 and plan.bursts and at < self.end - LATELY:
            lost = at + timedelta(seconds=first + 90)
            self.diary.add(lost, _losing(session, lost - timedelta(seconds=30)))
        return True

    def _plan_report(
        self,
        developer: Developer,
        session: Session,
        plan: SessionPlan,
        sequence: int,
        moment: Moment,
    ) -> None:
        at = session.created_at + timedelta(seconds=moment.passed)
        recent = at > self.end - timedelta(days=SAMPLES_OF_LAST_DAYS)

        def act(at: datetime) -> None:
            seen = build_report(
                self.random, plan, session.created_at, sequence, moment, samples=recent
            )
            self._quietly(
                lambda: services.report(actor=developer.actor, at=at, session=session, report=seen)
            )

        self.diary.add(at, act)

    def _stop(self, developer: Developer, session: Session, at: datetime) -> None:
        membership = Membership.objects.get(
            organization=developer.organization, person=developer.person
        )
        self._quietly(
            lambda: services.stop(
                actor=developer.actor, at=at, session=session, membership=membership
            )
        )

    @staticmethod
    def _quietly(call: Callable[[], None]) -> None:
        """The session may have ended meanwhile: nothing was left, or it was idle too long."""
        try:
            call()
        except Refusal as refusal:
            if refusal.code not in ("session_ended", "session_not_ready"):
                raise


def _readying(session: Session) -> Act:
    return lambda at: ignored(services.engine_ready(at=at, session_id=session.pk))


def _failing(session: Session, reason: str) -> Act:
    return lambda at: services.engine_failed(at=at, session_id=session.pk, reason=reason)


def _losing(session: Session, seen_at: datetime) -> Act:
    return lambda at: services.engine_lost(
        at=at, session_id=session.pk, reason="Its machine restarted.", last_seen_at=seen_at
    )


def ignored(_result: object) -> None:
    """For acts whose answer nobody needs."""
