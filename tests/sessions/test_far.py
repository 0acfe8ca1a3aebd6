"""The meter's fast path beside its sweep: whatever it takes, it leaves the same rows (R1)."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from orgs.models import License
from sessions import services
from sessions.models import Pulse, Session
from sessions.services import far
from tests import factories
from tests.sessions import lives
from tests.sessions.months import SIZES, Months
from usage.models import (
    Allowance,
    LedgerEntry,
    Pool,
    Subscription,
    UnpaidTime,
    UsageDay,
    UsageQuarter,
)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.postgresql,
]
TABLES = (Allowance, LedgerEntry, Pool, Subscription, UnpaidTime, UsageDay, UsageQuarter, Session)
CAME_ABOUT: Counter[tuple[str, str]] = Counter()


def rows() -> dict[str, list[str]]:
    """Everything that a meter writes, without identifiers of its own making."""
    found = {}
    for table in TABLES:
        names = [field.attname for field in table._meta.local_concrete_fields]
        # Identifiers of what both make are chance's.
        kept = [name for name in names if table is Session or name != "id"]
        found[table.__name__] = sorted(map(repr, table.objects.values_list(*kept)))
    return found


def undone(act: Callable[[], Any]) -> tuple[Any, dict[str, list[str]]]:
    """What it gives and leaves; afterwards nothing of it is there."""
    with transaction.atomic():
        given = act()
        left = rows()
        transaction.set_rollback(True)
    return given, left


def both_ways(place: Any, at: Any) -> bool:
    """Meter both ways to the instant and compare; whether the fast path took it."""
    row = Allowance.objects.get(pk=place.pk)
    if row.metered_until >= at:
        return False
    due = {place.pk: row.metered_until}
    quickly, fast = undone(lambda: far.meter_far(due=due, at=at))
    if not quickly:
        # At most a quarter that is over was finished; the sweep goes on from wherever that is.
        fast = undone(lambda: finish(place, due, at))[1]
    slow = undone(lambda: sweep(place, at))[1]
    assert fast == slow
    return bool(quickly)


def finish(place: Any, due: Any, at: Any) -> None:
    far.meter_far(due=due, at=at)
    sweep(place, at)


def sweep(place: Any, at: Any) -> None:
    services.meter_organization(organization_id=place.pk, at=at)


# So far ahead is looked, for notices.
AHEAD = 1_500


class Far(Months):
    """Months with two meters, in worlds with little room, which meet bounds, and with much."""

    room = "little"

    @initialize()
    def organization_is_made(self) -> None:
        super().organization_is_made()
        room = self.room
        pools = Pool.objects.filter(organization=self.place)
        row = Allowance.objects.filter(pk=self.place.pk)
        if room == "pool":
            pools.update(compute_seconds=10_000_000)
            row.update(left_compute_seconds=10_000_000)
        elif room != "little":
            pools.update(used_compute_seconds=F("compute_seconds"))
            limit = None if room == "unlimited" else 10_000_000_000
            self.the_limit_is_set(room, limit or 0, let_finish=False, at_once=True)

    @rule(late=st.integers(0, 400), again=st.booleans())
    def the_meter_comes(self, late: int, again: bool) -> None:
        self._compare_meters(self.now - timedelta(seconds=late))
        super().the_meter_comes(late, again)

    @rule(times=st.integers(1, 6), size=st.sampled_from(sorted(SIZES)))
    def the_meter_comes_each_minute(self, times: int, size: str) -> None:
        """As it does while people work."""
        for _time in range(times):
            self.everybody_works(60, size)
            self._compare_meters(self.now)
            sweep(self.place, self.now)

    def _compare_meters(self, at: Any) -> None:
        taken = both_ways(self.place, at)
        CAME_ABOUT[self.room, "taken" if taken else "left"] += 1

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)


@pytest.mark.generated
@pytest.mark.parametrize("room", ["little", "pool", "unlimited", "limited"])
def test_whatever_the_fast_path_takes_the_sweep_writes_too(room: str) -> None:
    run_state_machine_as_test(
        type("Far", (Far,), {"room": room, "meets_bounds": room == "little"}),
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            print_blob=True,
            phases=[phase for phase in Phase if phase is not Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    # What was not taken has proved nothing. With little room a bound is always near.
    assert CAME_ABOUT[room, "taken"] >= 10 or room == "little", CAME_ABOUT
    assert CAME_ABOUT[room, "left"] >= 10, CAME_ABOUT


@pytest.fixture
def roomy(organization: Any, owner: Any, at: Any) -> Any:
    Pool.objects.filter(organization=organization).update(compute_seconds=10_000_000)
    Allowance.objects.filter(pk=organization.pk).update(left_compute_seconds=10_000_000)
    return organization


def idles(place: Any, session: Session, at: Any) -> int:
    """Active until 300 s after its report, gone 300 s later."""
    return 600


def is_as_long_as_it_may_be(place: Any, session: Session, at: Any) -> int:
    Session.objects.filter(pk=session.pk).update(longest_seconds=400)
    return 400


def loses_a_license_that_ends(place: Any, session: Session, at: Any) -> int:
    License.objects.filter(person=session.person).update(ends_at=lives.later(at, 250))
    return 250


def has_a_contract_that_ends(place: Any, session: Session, at: Any) -> int:
    far_ahead = lives.later(at, 250 + AHEAD)
    Subscription.objects.filter(organization=place).update(cancel_at=far_ahead)
    return 250


BOUNDS = [
    idles,
    is_as_long_as_it_may_be,
    loses_a_license_that_ends,
    has_a_contract_that_ends,
]


@pytest.mark.parametrize("late", [-1, 0, 1])
@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.__name__)
def test_the_fast_path_takes_the_second_before_a_bound_and_no_later_one(
    roomy: Any, owner: Any, at: Any, bound: Any, late: int
) -> None:
    session = lives.start(roomy, owner, at)
    lives.report(session, at)
    instant = lives.later(at, bound(roomy, session, at) + late)
    # All but the last minute is metered; a stretch that begins at the watermark is the sweep's.
    sweep(roomy, max(lives.later(at, 1), instant - timedelta(seconds=30)))
    assert both_ways(roomy, instant) is (late < 0)


def goes_quiet(session: Session, at: Any) -> int:
    """Its report counts for 300 s."""
    return 300


def declares_itself_alive(session: Session, at: Any) -> int:
    Pulse.objects.filter(session=session).update(kept_until=lives.later(at, 420))
    return 420


def answers_no_prompt(session: Session, at: Any) -> int:
    """It only runs; asked after 200 s, it is idle 60 s later."""
    Session.objects.filter(pk=session.pk).update(prompt_seconds=200)
    lives.report(session, lives.later(at, 150))
    return 260


def is_sent_idle(session: Session, at: Any) -> int:
    Pulse.objects.filter(session=session).update(idled_at=lives.later(at, 200))
    return 200


@pytest.mark.parametrize("late", [-1, 0, 1, 299])
@pytest.mark.parametrize(
    "quiet",
    [goes_quiet, declares_itself_alive, answers_no_prompt, is_sent_idle],
    ids=lambda quiet: quiet.__name__,
)
def test_the_fast_path_bills_to_the_second_at_which_a_session_became_idle(
    roomy: Any, owner: Any, at: Any, quiet: Any, late: int
) -> None:
    session = lives.start(roomy, owner, at)
    lives.report(session, at)
    idle_at = lives.later(at, quiet(session, at))
    sweep(roomy, idle_at - timedelta(seconds=30))
    assert both_ways(roomy, lives.later(idle_at, late))
    assert far.meter_far(
        due={roomy.pk: idle_at - timedelta(seconds=30)}, at=lives.later(idle_at, late)
    )
    billed = (idle_at - at).total_seconds() + min(late, 0)
    assert lives.billed(session) == billed


def test_the_sweep_leaves_the_rest_to_nobody(roomy: Any, owner: Any, at: Any) -> None:
    """Those that the fast path takes and those that it leaves are metered in one sweep."""
    member = factories.licensed_member(roomy, at=at)
    lives.report(lives.start(roomy, owner, at), at)
    other = factories.subscribed_organization(factories.person("Oda Other"), at=at)
    waits = lives.start(other, factories.first_owner(other), at)
    lives.report(waits, at)
    lives.start(roomy, member, lives.later(at, 1))
    tick = services.sweep(at=lives.later(at, 1_000))
    assert (tick.metered, tick.failed, tick.ended) == (2, 0, 3)
