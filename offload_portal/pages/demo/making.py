"""Ninety days in order of time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from django.db import transaction

from offload_portal.pages.demo.cast import COMPANIES, Part
from offload_portal.pages.demo.fleet import Act, Developer, Diary, Fleet
from offload_portal.pages.demo.plans import Burst, SessionPlan
from offload_portal.pages.demo.story import Founded
from sessions import services
from sessions.services.starting import StartRequest

DAYS = 90
# By then everybody has joined.
LEAST_DAYS = 17
# Who is at work when the demonstration is opened: (mailbox, started so many minutes before).
AT_WORK = {"acme": (("priya", 52), ("chen.wei", 31), ("sofia", 12)), "beichen": (("member", 40),)}
FORGOTTEN = {"acme": ("jonas", 6), "beichen": ("zhou.jie", 4)}
LONGEST_TIMEOUT = 3_600


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: sign-ins are (who, address)."""

    people: int
    sessions: int
    refused: int
    sign_ins: tuple[tuple[str, str], ...]


@transaction.atomic
def make(*, end: datetime, seed: int, password: str, days: int = DAYS) -> Made:
    """Make the demonstration up to `end`. All of it or nothing."""
    diary, random = Diary(), Random(seed)  # noqa: S311 - a fake fleet, and the same each time
    beginning = (end - timedelta(days=days)).replace(hour=8, minute=0, second=0, microsecond=0)
    fleet = Fleet(diary, random, beginning, end)
    founded = [Founded(company, password) for company in COMPANIES]
    for each in founded:
        _write_story(diary, fleet, each, beginning)
        _leave_at_work(diary, fleet, each)
    for day in range(days):
        diary.add(beginning + timedelta(days=day, hours=19), lambda at: _sweep(at))
    diary.live_until(end)
    _sweep(end)
    people = sum(len(each.people) for each in founded)
    return Made(people, fleet.started, fleet.refused, tuple(_sign_ins()))


def _sweep(at: datetime) -> None:
    services.sweep(at=at)


def _write_story(diary: Diary, fleet: Fleet, each: Founded, beginning: datetime) -> None:
    company = each.company

    def on(day: int, hours: float = 0) -> datetime:
        return beginning + timedelta(days=day, hours=hours)

    diary.add(on(company.created_on), each.found)
    if company.trial:
        diary.add(on(company.created_on, 0.1), lambda at: each.subscribe(at, "trial"))
        for part in company.parts:
            if part.early:
                diary.add(on(company.created_on, 0.5), _joining(fleet, each, part))
    day = company.subscribes_on
    diary.add(on(day, 0.1), lambda at: each.subscribe(at, company.plan, company.committed_seconds))
    diary.add(on(day, 0.2), each.set_policy)
    for limit_day, microusd, reason in company.limits:
        diary.add(on(limit_day, 0.3), _limiting(each, microusd, reason))
    for part in company.parts:
        if not (company.trial and part.early):
            diary.add(on(day, 0.5), _joining(fleet, each, part))
    diary.add(on(day, 2), lambda at: each.grant(at))
    diary.add(on(day, 3), each.make_teams)


def _limiting(each: Founded, microusd: int, reason: str) -> Act:
    return lambda at: each.limit(at, microusd, reason)


def _joining(fleet: Fleet, each: Founded, part: Part) -> Act:
    """Somebody joins, gets a license and works from the next day on."""

    def act(at: datetime) -> None:
        person = each.people.get(part.mailbox) or each.invite(at, part)
        if part.early and each.company.trial:
            each.grant(at + timedelta(hours=1), person)
        developer = Developer(each.company, part, person, each.place)
        fleet.employ(developer, at.date() + timedelta(days=1), fleet.end.date())

    return act


def _leave_at_work(diary: Diary, fleet: Fleet, each: Founded) -> None:
    """Sessions that run when the demonstration is opened, and one that idles."""
    parts = {part.mailbox: part for part in each.company.parts}
    for mailbox, minutes in AT_WORK[each.company.slug]:
        begin = fleet.end - timedelta(minutes=minutes)
        plan = SessionPlan(
            request=StartRequest(
                engine_size=parts[mailbox].sizes[-1][0],
                gpu=parts[mailbox].sizes[-1][0] == "gpu",
                idle_timeout_seconds=LONGEST_TIMEOUT,
                labels={"project": "checkout"},
                client={"kind": "desktop", "version": "4.61.0", "os": "darwin", "arch": "arm64"},
            ),
            # It works on after the end: the diary stops there.
            bursts=(Burst(10, 10), Burst(minutes * 60 - 45, LONGEST_TIMEOUT)),
            stops_after=None,
            images=each.company.images[:2],
            builds=False,
        )
        diary.add(begin, _starting(fleet, each, parts[mailbox], plan))
    mailbox, minutes = FORGOTTEN[each.company.slug]
    idle = SessionPlan(StartRequest(), (), None, (), builds=False)
    begin = fleet.end - timedelta(minutes=minutes - 2)
    diary.add(begin, _starting(fleet, each, parts[mailbox], idle))


def _starting(fleet: Fleet, each: Founded, part: Part, plan: SessionPlan) -> Act:
    def act(at: datetime) -> None:
        developer = Developer(each.company, part, each.people[part.mailbox], each.place)
        fleet.start(developer, at, plan)

    return act


def _sign_ins() -> list[tuple[str, str]]:
    return [
        (f"{part.role} of {company.name}", f"{part.mailbox}@{company.domain}")
        for company in COMPANIES
        for part in company.parts
        if part.signs_in
    ]
