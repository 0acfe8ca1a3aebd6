"""Rollups say what the ledger says, whichever way they came about (architecture, "Rollups")."""

import uuid
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from orgs.models import Organization, Person
from tests.usage import worlds
from tests.usage.worlds import HOUR
from usage.models import LedgerEntry, UsageDay, UsageQuarter
from usage.selectors import Grain, GroupBy, usage_by, use_by_day
from usage.selectors.rollups import ledger_bounds, rollup_differences
from usage.services import metering, rollups

DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


def differences(organization: Organization) -> list[object]:
    bounds = ledger_bounds(organization.pk)
    return list(rollup_differences(organization.pk, *bounds)) if bounds else []


def rows(organization: Organization) -> tuple[list[object], list[object]]:
    quarters = UsageQuarter.objects.filter(organization=organization)
    days = UsageDay.objects.filter(organization=organization)
    return list(quarters.order_by("at", "engine_size", "source").values_list()), list(
        days.order_by("day", "person_id", "engine_size", "source").values_list()
    )


def work(organization: Organization, people: list[Person], start: datetime, seed: int) -> datetime:
    """Sessions at random seconds in windows of random length; gives the watermark after it."""
    random = Random(seed)
    now = int(start.timestamp())
    for _window in range(12):
        until = now + random.choice((1, 59, 60, 899, 900, 901, 3_600, 30_000))
        row = metering.lock(organization.pk)
        assert row is not None
        row.metered_until = datetime.fromtimestamp(now, UTC)
        times = [_session(random, person, now, until) for person in people for _ in range(2)]
        metering.draw(row, times, datetime.fromtimestamp(until, UTC))
        now = until
    return datetime.fromtimestamp(now, UTC)


def _session(random: Random, person: Person, since: int, until: int) -> metering.SessionTime:
    bounds = sorted(random.sample(range(since, until + 1), min(4, until - since + 1) // 2 * 2))
    lump = ((random.randrange(since, until), random.randrange(1, 5_000)),)
    return metering.SessionTime(
        session_id=uuid.UUID(int=random.getrandbits(128)),
        person_id=person.pk,
        engine_size=random.choice(("standard", "large", "gpu")),
        order=(since, random.randrange(9)),
        multiplier=random.choice((1, 2, 6)),
        spans=tuple(zip(bounds[::2], bounds[1::2], strict=True)),
        lumps=lump if random.random() < 0.4 else (),
        ended_at=None,
    )


@pytest.mark.parametrize("seed", range(6))
def test_what_the_meter_adds_is_what_a_rebuild_makes(
    organization: Organization, owner: Person, member: Person, at: datetime, seed: int
) -> None:
    worlds.leave(organization, 20_000 * seed)
    worlds.on_demand(organization, owner, at, "limited", 2, let_finish=bool(seed % 2))
    work(organization, [owner, member], at + timedelta(seconds=seed * 317), seed)
    added = rows(organization)
    assert all(added)
    assert differences(organization) == []
    assert rollups.rebuild(organization.pk) == len(added[0]) + len(added[1])
    assert rows(organization) == added


def test_a_second_belongs_to_the_quarter_it_lies_in(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.use(organization, owner, at + timedelta(seconds=899), 902, multiplier=2)
    found = UsageQuarter.objects.filter(organization=organization).order_by("at")
    quarter = timedelta(seconds=900)
    assert [(one.at - at, one.seconds, one.compute_seconds) for one in found] == [
        (0 * quarter, 1, 2),
        (1 * quarter, 900, 1_800),
        (2 * quarter, 1, 2),
    ]


def test_metering_in_many_steps_gives_the_same_quarters(
    organization: Organization, owner: Person, at: datetime
) -> None:
    for step in range(0, 7_200, 450):
        worlds.use(organization, owner, at + timedelta(seconds=step), 450)
    found = UsageQuarter.objects.filter(organization=organization)
    assert list(found.order_by("at").values_list("seconds", flat=True)) == [900] * 8
    assert differences(organization) == []


def test_a_row_that_was_tampered_with_is_found_and_made_anew(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.use(organization, owner, at, 3 * HOUR)
    before = rows(organization)
    UsageQuarter.objects.filter(at=at).update(compute_seconds=901)
    UsageDay.objects.all().delete()
    assert len(differences(organization)) == 2
    call_command("rebuild_rollups", organization=organization.slug)
    assert differences(organization) == []
    assert rows(organization) == before


def test_a_rollup_of_which_the_ledger_knows_nothing_is_found(
    organization: Organization, owner: Person, at: datetime
) -> None:
    worlds.use(organization, owner, at, 60)
    LedgerEntry.objects.all().delete()
    assert len(differences(organization)) == 2


def test_a_correction_is_added_too(organization: Organization, owner: Person, at: datetime) -> None:
    worlds.use(organization, owner, at, 60)
    entry = LedgerEntry.objects.get()
    LedgerEntry.objects.create(
        organization=organization,
        hour=at + timedelta(hours=2),
        session_id=entry.session_id,
        person_id=owner.pk,
        source="committed",
        engine_size="standard",
        period_start=entry.period_start,
        seconds=-60,
        compute_seconds=-60,
        corrects=entry.id,
        reason="counted twice",
        ordered_by=owner.pk,
    )
    assert len(differences(organization)) == 2  # its quarter, and the day
    call_command("rebuild_rollups")
    assert differences(organization) == []
    assert usage_by(organization, at, at + DAY).totals.compute_seconds == 0


def test_an_unknown_organization_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match="no organization nobody"):
        call_command("rebuild_rollups", organization="nobody")


# Days of every zone


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("Asia/Kathmandu", datetime(2026, 3, 14, 18, 15, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 13, 0, tzinfo=UTC)),  # +11:00
        ("Australia/Lord_Howe", datetime(2026, 4, 5, 13, 30, tzinfo=UTC)),  # +10:30, a day later
        ("America/New_York", datetime(2026, 3, 15, 4, 0, tzinfo=UTC)),
        ("UTC", datetime(2026, 3, 15, tzinfo=UTC)),
    ],
)
def test_a_session_over_midnight_is_cut_at_the_second_of_midnight(
    organization: Organization, owner: Person, zone: str, midnight: datetime
) -> None:
    """On a chart of everything, on one of a person, and in the report, with its session in both."""
    worlds.on_demand(organization, owner, midnight - DAY, "unlimited")
    worlds.use(organization, owner, midnight - timedelta(seconds=100), 107)
    info = ZoneInfo(zone)
    local = midnight.astimezone(info).date()
    bounds = (midnight - 3 * DAY, midnight + 3 * DAY)
    wanted = {local - DAY: 100, local: 7}
    for people in (None, [owner.pk]):
        days = use_by_day(organization.pk, *bounds, info, people=people)
        assert {one.day: one.seconds for one in days if one.seconds} == wanted
    for group in (GroupBy.NONE, GroupBy.MEMBER, GroupBy.SOURCE):
        found = usage_by(organization, *bounds, zone=info, group_by=group).rows
        assert [(row.end, row.sums.seconds, row.sums.sessions) for row in found[:1]] == [
            (midnight, 100, 1)
        ]
        assert [(row.start, row.sums.seconds, row.sums.sessions) for row in found[1:]] == [
            (midnight, 7, 1)
        ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "zone", ["Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York", "UTC"]
)
def test_every_way_to_cut_use_adds_up_to_the_ledger(
    organization: Organization, owner: Person, member: Person, seed: int, zone: str
) -> None:
    """Chart, report by each grain and group, and its totals, over clock changes of the zones."""
    start = datetime(2026, 4, 3 if seed else 7, 9, 7, 3, tzinfo=UTC)
    worlds.on_demand(organization, owner, start - DAY, "unlimited")
    until = work(organization, [owner, member], start, seed + 50)
    info, bounds = ZoneInfo(zone), (start - DAY, until + DAY)
    entries = LedgerEntry.objects.filter(organization=organization)
    wanted = (
        sum(entry.seconds for entry in entries),
        sum(entry.compute_seconds for entry in entries),
        sum(entry.cost_microusd for entry in entries),
    )
    days = use_by_day(organization.pk, *bounds, info)
    assert sum(day.compute_seconds for day in days) == wanted[1]
    own = use_by_day(organization.pk, *bounds, info, people=[owner.pk, member.pk])
    assert own == days
    for grain in Grain:
        for group in GroupBy:
            report = usage_by(organization, *bounds, grain=grain, group_by=group, zone=info)
            sums = [row.sums for row in report.rows]
            assert (
                sum(one.seconds for one in sums),
                sum(one.compute_seconds for one in sums),
                sum(one.cost_microusd for one in sums),
            ) == wanted
            assert report.totals.compute_seconds == wanted[1]
    by_day = usage_by(organization, *bounds, zone=info).rows
    assert [row.sums.compute_seconds for row in by_day] == [
        day.compute_seconds for day in days if day.by_source
    ]


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "UTC"])
def test_of_nobody_there_is_nothing(
    organization: Organization, owner: Person, at: datetime, zone: str
) -> None:
    worlds.use(organization, owner, at, 100)
    bounds = (at, at + DAY + timedelta(seconds=1))
    days = use_by_day(organization.pk, *bounds, ZoneInfo(zone), people=[])
    assert not any(day.by_source for day in days)
    report = usage_by(organization, *bounds, zone=ZoneInfo(zone), person_ids=[])
    assert (report.rows, report.totals.seconds) == ((), 0)


def test_who_is_in_two_teams_counts_once(
    organization: Organization, owner: Person, member: Person, at: datetime
) -> None:
    for name, people in (("Core", [owner, member]), ("Data", [member])):
        team = organization.teams.create(name=name, created_at=at)
        for person in people:
            team.members.create(organization=organization, person=person, joined_at=at)
    worlds.use(organization, owner, at, 100)
    worlds.use(organization, member, at + timedelta(seconds=100), 20)
    report = usage_by(organization, at, at + DAY, grain=Grain.WHOLE, group_by=GroupBy.TEAM)
    assert [(row.label, row.sums.seconds) for row in report.rows] == [
        ("Core", 100),
        ("In several teams", 20),
    ]
    organization.teams.all().delete()
    report = usage_by(organization, at, at + DAY, grain=Grain.WHOLE, group_by=GroupBy.TEAM)
    assert [(row.group, row.label, row.sums.seconds) for row in report.rows] == [
        ("", "In no team", 120)
    ]
