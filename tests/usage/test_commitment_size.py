"""Should we commit more? The commitment that would have cost least, to the micro-dollar."""

from datetime import datetime, timedelta
from itertools import product

import pytest

from orgs.models import Organization, Person
from tests.usage import worlds
from usage.selectors.commitments import best_commitment, commitment_check
from usage.services import settle_subscriptions

HOUR = 3_600


def best(used: list[int], committed: int, included: int = 0) -> tuple[int, int]:
    return best_commitment(
        [hours * HOUR for hours in used],
        committed=committed * HOUR,
        included=included * HOUR,
        commitment_rate=30,
        on_demand_rate=45,
    )


def cost(used: list[int], commitment: int, included: int = 0) -> int:
    ahead = max(0, commitment - included) * HOUR * 30 * len(used)
    return ahead + sum(max(0, hours - commitment) * HOUR * 45 for hours in used)


def test_what_was_used_each_time_on_demand_had_better_been_committed() -> None:
    assert best([150, 150], 100) == (150 * HOUR, (45 - 30) * 50 * HOUR)


def test_what_was_never_used_had_better_not_been_committed() -> None:
    assert best([60, 60], 100) == (60 * HOUR, 30 * 40 * HOUR)
    assert best([60, 60], 100, included=80) == (80 * HOUR, 30 * 20 * HOUR)


def test_one_busy_period_in_three_is_cheaper_on_demand() -> None:
    assert best([100, 100, 160], 100) == (100 * HOUR, 0)


def test_where_nothing_saves_it_is_the_commitment_of_now() -> None:
    assert best([100], 100) == (100 * HOUR, 0)
    assert best([0, 0], 0) == (0, 0)


@pytest.mark.parametrize("used", [*product((0, 40, 90, 130, 131), repeat=3)])
def test_no_whole_hour_would_have_cost_less(used: tuple[int, ...]) -> None:
    found, saved = best(list(used), 100, included=50)
    least = min(cost(list(used), hours, included=50) for hours in range(50, 140))
    assert cost(list(used), found // HOUR, included=50) == least
    assert saved == (cost(list(used), 100, included=50) - least) // 3


def test_seconds_beyond_a_whole_hour_take_one_hour_more() -> None:
    found, _saved = best_commitment(
        [100 * HOUR + 1, 100 * HOUR + 1],
        committed=0,
        included=0,
        commitment_rate=30,
        on_demand_rate=45,
    )
    assert found == 101 * HOUR


@pytest.mark.django_db
def test_it_looks_at_whole_periods_that_are_over(
    organization: Organization, owner: Person, at: datetime
) -> None:
    """The first period's use from both sources, and nothing of the one that runs."""
    assert commitment_check(organization, 45, at) is None, "no period is over yet"
    committed = worlds.subscription(organization).committed_compute_seconds
    worlds.on_demand(organization, owner, at, "unlimited")
    worlds.leave(organization, 100)
    worlds.use(organization, owner, at, 700)
    end = worlds.allowance(organization).period_end
    assert end is not None
    settle_subscriptions(at=end)
    worlds.use(organization, owner, end + timedelta(hours=1), 60)

    found = commitment_check(organization, 45, end + timedelta(hours=2))

    assert found is not None
    (period,) = found.periods
    assert (period.committed, period.on_demand) == (committed, 600)
    assert period.end == end
    assert found.committed == committed
