"""An organization through months, by chance: what it does, and what an oracle makes of it.

The oracle gets what was done here, as this file wrote it down, and the spans that the clock tells;
it walks second by second (`tests.usage.drawdown_oracle`), over those seconds in which anything can
happen. It shares nothing with the meter but the shapes of what goes in.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from offload_portal.common.periods import to_seconds
from offload_portal.common.refusals import Refusal
from orgs import services as orgs_services
from orgs.models import Person, Team
from sessions import clock, services
from sessions.models import Session
from sessions.selectors.facts import ends_from_below, facts_of
from sessions.selectors.reconciliation import differences
from sessions.services.remetering import remeter
from sessions.services.starting import StartRequest
from tests import factories
from tests.usage import drawdown_oracle as oracle
from usage import services as usage_services
from usage.changes import CapChanged, Change, GivenBack, LimitChanged, PeriodBoundary, PoolAdded
from usage.models import (
    Allowance,
    Cap,
    CapVersion,
    LedgerEntry,
    LimitVersion,
    Plan,
    Pool,
    Rate,
    UnpaidTime,
)
from usage.pools import Book, OnDemand, OnDemandMode, Source
from usage.pools import Pool as PoolValue
from usage.rates import RateTable
from usage.selectors.rollups import ledger_bounds, rollup_differences
from usage.tally import Metered

BEGIN = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)  # boundaries on the 28th, 31st, 30th …
COMMITTED, RATE = 600, 50
SIZES = {"standard": 1, "large": 2}
# Ends and sources that runs came to, so that a proof of nothing is seen.
CAME_ABOUT: Counter[str] = Counter()
SECONDS = st.one_of(st.integers(1, 40), st.integers(100, 700))


def small_plan() -> Plan:
    """So little committed time that it runs out."""
    plan, _made = Plan.objects.get_or_create(
        slug="months",
        defaults={
            "name": "Months",
            "licenses": 10,
            "committed_compute_seconds": COMMITTED,
            "price_microusd": 1_000_000,
            "on_demand_rate_microusd": RATE,
            "commitment_rate_microusd": 40,
        },
    )
    return plan


@dataclass(frozen=True)
class Told:
    """A change as it was made: from when on it holds, and the one it may replace."""

    effective: int
    change: Any


def standing(told: list[Told]) -> list[Change]:
    """In the order of recording; one that holds earlier replaces those that were to come."""
    kept: list[Told] = []
    for one in told:
        kept = [other for other in kept if other.effective < one.effective]
        kept.append(one)
    return [one.change for one in kept]


class Months(RuleBasedStateMachine):
    """Rules act through the services, as doors do; what they refuse is refused.

    Where a subclass says that it does not meet bounds, nothing brings one near.
    """

    meets_bounds = True

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.now = BEGIN
        self.order = 0
        self.limits: list[Told] = []
        self.caps: dict[str, list[Told]] = defaultdict(list)
        self.pools: list[Change] = []
        self.committed = COMMITTED
        self.next_committed: int | None = None

    @initialize()
    def organization_is_made(self) -> None:
        self.owner = factories.person("Olga Owner")
        self.place = factories.organization(self.owner, at=BEGIN)
        usage_services.subscribe(
            actor=factories.actor(self.owner),
            at=BEGIN,
            organization=self.place,
            plan=small_plan(),
        )
        self.place.refresh_from_db()
        self.people = [self.owner]
        self.people += [factories.colleague(self.place, f"Person {n}", at=BEGIN) for n in (1, 2)]
        for person in self.people:
            factories.license_for(self.place, person, at=BEGIN)
        self.team = orgs_services.create_team(
            actor=factories.actor(self.owner),
            at=BEGIN,
            organization=self.place,
            name="Night",
            person_ids=[person.pk for person in self.people[1:]],
        )
        self.sequence = 0

    # Time

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.meets_bounds)
    @rule(before=st.integers(0, 900))
    def the_period_nears_its_end(self, before: int) -> None:
        """Months are passed where nothing happens, since the oracle walks each second."""
        row = Allowance.objects.get(pk=self.place.pk)
        assert row.period_end is not None
        self.now = max(self.now, row.period_end - timedelta(seconds=before))

    @rule(late=st.integers(0, 400), again=st.booleans())
    def the_meter_comes(self, late: int, again: bool) -> None:
        """Late, and twice: another worker had the same message."""
        at = max(BEGIN, self.now - timedelta(seconds=late))
        for _turn in range(1 + again):
            services.meter_organization(organization_id=self.place.pk, at=at)

    # Sessions

    @rule(who=st.integers(0, 2), size=st.sampled_from(sorted(SIZES)))
    def somebody_starts(self, who: int, size: str) -> None:
        person = self.people[who]
        self._try(
            lambda: services.start(
                actor=factories.actor(person),
                at=self.now,
                person=person,
                organization=self.place,
                request=StartRequest(engine_size=size),
            )
        )

    @rule(seconds=st.integers(60, 1_200), size=st.sampled_from(sorted(SIZES)))
    def everybody_works(self, seconds: int, size: str) -> None:
        """Who has no session starts one; clients report as they do, every few minutes."""
        for who in range(3):
            self.somebody_starts(who, size)
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            for who in range(3):
                self.a_client_reports(who, running=True)
            self.now = min(end, self.now + timedelta(seconds=240))

    @rule(who=st.integers(0, 2), running=st.booleans())
    def a_client_reports(self, who: int, running: bool) -> None:
        session = self._running(who)
        self.sequence += 1
        seen = services.ActivityReport(
            sequence=self.sequence, running_containers=int(running), api_calls=1
        )
        if session is not None:
            self._try(
                lambda: services.report(
                    actor=factories.actor(session.person), at=self.now, session=session, report=seen
                )
            )

    @rule(who=st.integers(0, 2), by_owner=st.booleans())
    def a_session_is_stopped(self, who: int, by_owner: bool) -> None:
        session = self._running(who)
        if session is not None:
            by = self.owner if by_owner else self.people[who]
            membership = self.place.memberships.get(person=by)
            services.stop(
                actor=factories.actor(by), at=self.now, session=session, membership=membership
            )

    @rule(who=st.integers(0, 2), ago=st.integers(0, 600))
    def an_engine_is_lost(self, who: int, ago: int) -> None:
        session = self._running(who)
        if session is None:
            return
        known = set(Pool.objects.values_list("pk", flat=True))
        services.engine_lost(
            at=self.now,
            session_id=session.pk,
            reason="Gone",
            last_seen_at=self.now - timedelta(seconds=ago),
        )
        self._note_pools(known, GivenBack)

    # What may be used

    @precondition(lambda self: self.meets_bounds)
    @rule(
        mode=st.sampled_from(["off", "limited", "unlimited"]),
        limit=st.integers(0, 40_000),
        let_finish=st.booleans(),
        at_once=st.booleans(),
    )
    def the_limit_is_set(self, mode: str, limit: int, let_finish: bool, at_once: bool) -> None:
        made = self._change(
            usage_services.set_on_demand,
            mode=mode,
            limit_microusd=limit if mode == "limited" else None,
            let_finish=let_finish and (mode == "unlimited" or (mode == "limited" and limit > 0)),
            at_once=at_once,
        )
        if made is not None:
            self._note_limit(made)

    @precondition(lambda self: self.meets_bounds)
    @rule(limit=st.integers(1, 8_000))
    def a_small_limit_lets_sessions_finish(self, limit: int) -> None:
        self.the_limit_is_set("limited", limit, let_finish=True, at_once=True)

    def _note_limit(self, made: LimitVersion) -> None:
        at = to_seconds(made.effective_at)
        value = LimitChanged(
            at, self._turn(), OnDemandMode(made.mode), made.limit_microusd, made.let_finish
        )
        self.limits.append(Told(at, value))

    @rule(seconds=st.integers(1, 900))
    def a_top_up_is_bought(self, seconds: int) -> None:
        known = set(Pool.objects.values_list("pk", flat=True))
        self._change(usage_services.buy_top_up, compute_seconds=seconds)
        self._note_pools(known, PoolAdded)

    @rule(more=st.integers(-300, 900))
    def the_commitment_changes(self, more: int) -> None:
        """More at once, prorated; less from the next period."""
        wanted = max(COMMITTED, self.committed + more)
        known = set(Pool.objects.values_list("pk", flat=True))
        if self._change(usage_services.change_commitment, compute_seconds=wanted) is None:
            return
        self._note_pools(known, PoolAdded)
        if wanted > self.committed:
            self.committed, self.next_committed = wanted, None
        else:
            self.next_committed = wanted

    @precondition(lambda self: self.meets_bounds)
    @rule(whose=st.integers(0, 2), limit=st.one_of(st.none(), st.integers(0, 2_000)))
    def a_cap_is_set(self, whose: int, limit: int | None) -> None:
        subject: Person | Team = self.team if whose == 0 else self.people[whose]
        try:
            version = services.set_cap(
                actor=factories.actor(self.owner),
                at=self.now,
                organization=self.place,
                scope="team" if whose == 0 else "person",
                subject_id=subject.pk,
                limit_compute_seconds=limit,
            )
        except Refusal:
            return
        self._note_cap(version)

    def _note_cap(self, made: CapVersion) -> None:
        at, key = to_seconds(made.effective_at), str(made.cap_id)
        value = CapChanged(at, self._turn(), key, made.limit_compute_seconds)
        self.caps[key].append(Told(at, value))

    @rule(rate=st.integers(0, 90))
    def the_rate_changes_tomorrow(self, rate: int) -> None:
        Rate.objects.update_or_create(
            organization=self.place,
            valid_from=(max(self.now, self._watermark()) + timedelta(days=1)).date(),
            defaults={"microusd_per_compute_second": rate},
        )

    @precondition(lambda self: hasattr(self, "people"))
    @rule(who=st.integers(1, 2))
    def somebody_loses_access_and_gets_it_back(self, who: int) -> None:
        actor, people = factories.actor(self.owner), [self.people[who].pk]
        orgs_services.take_many(
            actor=actor, at=self.now, organization=self.place, person_ids=people
        )
        services.meter_organization(organization_id=self.place.pk, at=self.now)
        self.now += timedelta(seconds=1)
        orgs_services.grant_many(
            actor=actor, at=self.now, organization=self.place, person_ids=people
        )

    # Helpers

    def _turn(self) -> int:
        self.order += 1
        return self.order

    def _watermark(self) -> datetime:
        return Allowance.objects.get(pk=self.place.pk).metered_until

    def _try(self, act: Any) -> Any:
        try:
            with transaction.atomic():
                return act()
        except Refusal:
            return None

    def _change(self, service: Any, **values: Any) -> Any:
        return self._try(
            lambda: services.change_allowance(
                organization=self.place,
                at=self.now,
                change=lambda at: service(
                    actor=factories.actor(self.owner), at=at, organization=self.place, **values
                ),
            )
        )

    def _running(self, who: int) -> Session | None:
        rows = Session.objects.running().filter(organization=self.place, person=self.people[who])
        return rows.select_related("person", "organization").order_by("created_at", "id").last()

    def _note_pools(self, known: set[Any], kind: Any) -> None:
        rows = Pool.objects.exclude(pk__in=known).exclude(cause__startswith="period:")
        for row in rows.order_by("bought_at", "id"):
            value = self._pool(row)
            self.pools.append(kind(value.starts_at, self._turn(), value))

    def _pool(self, row: Pool) -> PoolValue:
        return PoolValue(
            id=str(row.pk),
            source=Source(row.kind),
            left=row.compute_seconds,
            starts_at=to_seconds(row.starts_at),
            expires_at=to_seconds(row.expires_at),
            order=to_seconds(row.bought_at),  # and then its identifier
        )

    # What must be so

    @invariant()
    def nothing_is_billed_beyond_the_limit(self) -> None:
        row = Allowance.objects.filter(on_demand_mode="limited", let_finish=False).first()
        if row is not None and row.on_demand_limit_microusd:
            over = LedgerEntry.objects.filter(source="over_limit").exists()
            coming = row.ends_by_limit or over or self._was_lowered(row)
            assert coming or row.on_demand_used_microusd <= row.on_demand_limit_microusd

    def _was_lowered(self, row: Allowance) -> bool:
        """What was used under a higher limit stays used."""
        limits = [one.change.limit for one in self.limits]
        return any(limit is None or limit > (row.on_demand_limit_microusd or 0) for limit in limits)

    def teardown(self) -> None:
        try:
            if hasattr(self, "team"):
                self._compare()
        finally:
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    def _compare(self) -> None:
        end = max(self.now, self._watermark()) + timedelta(hours=2)
        services.meter_organization(organization_id=self.place.pk, at=end)
        Oracle(self, to_seconds(end)).compare()
        CAME_ABOUT.update(Session.objects.values_list("end_reason", flat=True))
        CAME_ABOUT.update(LedgerEntry.objects.values_list("source", flat=True))
        assert list(differences(self.place.pk)) == []
        bounds = ledger_bounds(self.place.pk)
        assert bounds is None or list(rollup_differences(self.place.pk, *bounds)) == []
        afresh = remeter(
            actor=factories.actor(self.owner),
            at=end,
            organization=self.place,
            reason="",
            dry_run=True,
        )
        assert afresh.differences == ()


class Oracle:
    """What the walk says, beside what the meter wrote."""

    def __init__(self, months: Months, end: int) -> None:
        self.months, self.begin, self.end = months, to_seconds(BEGIN), end
        rows = Session.objects.with_facts().filter(organization=months.place)
        self.sessions = list(rows.order_by("created_at", "id"))

    def compare(self) -> None:
        sessions, changes = self._metered(), self._changes()
        world = oracle.opened(self._book())
        recorded = sorted(changes, key=lambda change: change.order)
        in_order = sorted(sessions, key=lambda session: (session.order, session.id))
        for now in self._seconds(sessions, changes):
            oracle.facts(world, [change for change in recorded if change.at == now])
            for session in in_order:
                oracle.gaps(world, session, now)
            oracle.check(world, in_order, now)
            for session in in_order:
                runs = any(begins <= now < ends for begins, ends in session.spans)
                if runs and oracle.counts(world, session, now, lump=False):
                    oracle.second(world, session, now, lump=False)
        self._same(world)

    def _book(self) -> Book:
        rates = tuple(
            (to_seconds(datetime(day.year, day.month, day.day, tzinfo=UTC)), rate)
            for day, rate in Rate.objects.filter(organization=self.months.place)
            .order_by("valid_from")
            .values_list("valid_from", "microusd_per_compute_second")
        )
        caps = Cap.objects.filter(organization=self.months.place)
        from usage.pools import Cap as CapValue

        values = tuple(CapValue(str(key), None, 0) for key in caps.values_list("pk", flat=True))
        return Book((), OnDemand(OnDemandMode.OFF), values, RateTable(rates))

    def _changes(self) -> list[Change]:
        """What was noted, and the periods with their committed time."""
        months = self.months
        found = [*standing(months.limits), *months.pools]
        for told in months.caps.values():
            found += standing(told)
        rows = Pool.objects.filter(organization=months.place, cause__startswith="period:")
        for row in rows.order_by("starts_at"):
            value = months._pool(row)
            found.append(PoolAdded(value.starts_at, 0, value))
            if value.starts_at > self.begin:
                found.append(PeriodBoundary(value.starts_at))
        return [change for change in found if change.at < self.end]

    def _metered(self) -> list[Metered]:
        """Spans as the clock has them without any end for want of time."""
        ends = ends_from_below(self.sessions, {self.months.place.pk: self.begin})
        found = []
        for number, session in enumerate(self.sessions):
            facts = replace(facts_of(session, ends.get(session.id, ())), exhausted=None)
            billing = clock.billing(facts, self.begin, self.end)
            end = clock.end_of(facts).at
            found.append(
                Metered(
                    id=str(session.id),
                    order=(facts.created_at, number),
                    multiplier=SIZES[session.engine_size],
                    spans=billing.spans,
                    lumps=tuple((lump.at, lump.seconds) for lump in billing.lumps),
                    caps=self._caps_of(session),
                    ended_at=end if end <= self.end else None,
                )
            )
        return found

    def _caps_of(self, session: Session) -> tuple[str, ...]:
        subjects = {session.person_id, *session.teams.values_list("team_id", flat=True)}
        caps = Cap.objects.filter(organization=self.months.place, subject_id__in=subjects)
        return tuple(sorted(str(key) for key in caps.values_list("pk", flat=True)))

    def _seconds(self, sessions: list[Metered], changes: list[Change]) -> list[int]:
        """Those in which anything can happen, in order."""
        found: set[int] = set()
        for session in sessions:
            found.update((session.order[0], session.order[0] + 1))
            for begins, ends in session.spans:
                found.update(range(begins, ends + 2))
            found.update(at for at, _gap in session.lumps)
        for change in changes:
            found.add(change.at)
            if isinstance(change, PoolAdded | GivenBack):
                found.add(change.pool.expires_at)
        return sorted(at for at in found if self.begin <= at < self.end)

    def _same(self, world: oracle.Walked) -> None:
        assert self._ledger() == {
            key: (
                world.seconds.get(key, 0),
                world.lump_seconds.get(key, 0),
                amount,
                world.cost.get(key, 0),
            )
            for key, amount in world.compute_seconds.items()
        }
        place = self.months.place
        unpaid = {
            str(row.session_id): (row.seconds, row.compute_seconds)
            for row in UnpaidTime.objects.filter(organization=place)
        }
        assert unpaid == {
            session: (world.unpaid_seconds.get(session, 0), amount)
            for session, amount in world.unpaid_compute_seconds.items()
        }
        ends = {
            str(one.pk): (
                to_seconds(one.exhausted_at),
                one.exhausted_reason,
                str(one.exhausted_cap) if one.exhausted_cap else None,
            )
            for one in Session.objects.filter(organization=place)
            if one.exhausted_at is not None
        }
        assert ends == world.ends
        row = Allowance.objects.get(pk=place.pk)
        assert row.on_demand_used_microusd == world.used
        used = {
            str(cap.pk): cap.used_compute_seconds for cap in Cap.objects.filter(organization=place)
        }
        assert used == world.cap_used
        drawn = {
            str(pool.pk): pool.used_compute_seconds
            for pool in Pool.objects.filter(organization=place)
            if pool.used_compute_seconds
        }
        assert drawn == world.draws

    def _ledger(self) -> dict[oracle.Key, tuple[int, int, int, int]]:
        rows = LedgerEntry.objects.filter(organization=self.months.place)
        return {
            (str(row.session_id), to_seconds(row.hour), row.source): (
                row.seconds,
                row.lump_seconds,
                row.compute_seconds,
                row.cost_microusd,
            )
            for row in rows
        }
