"""An organization driven through months by chance, against an oracle (targets R1).

`MONTHS_RUNS` asks for more than the 200 of every run (`make soak`); a run that fails prints what
to decorate it with, so that it is the same again.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.sessions.months import CAME_ABOUT, Months

SHRINK = os.environ.get("MONTHS_SHRINK") == "1"
USUAL = 200
RUNS = int(os.environ.get("MONTHS_RUNS", str(USUAL)))
# What so many runs do not come to they have not proved.
EVERYTHING = {
    "committed",
    "top_up",
    "on_demand",
    "over_limit",
    "stopped",
    "idle",
    "allowance_exhausted",
    "cap_reached",
    "access_revoked",
    "engine_lost",
}


# Side by side, so that two processors share them.
SHARES = 2


@pytest.mark.generated
@pytest.mark.django_db
@pytest.mark.parametrize("share", range(SHARES))
def test_months_come_to_what_the_oracle_says(share: int) -> None:
    CAME_ABOUT.clear()
    months = type(f"Months{share}", (Months,), {})
    if RUNS == USUAL:  # the same everywhere; more of them are others each time
        months = seed(share)(months)
    run_state_machine_as_test(
        months,
        settings=settings(
            max_examples=RUNS // SHARES,
            stateful_step_count=50,
            deadline=None,
            database=None,
            print_blob=True,
            # Making a failing run shorter takes longer than finding it: MONTHS_SHRINK=1 does it.
            phases=[phase for phase in Phase if phase is not Phase.shrink or SHRINK],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert set(CAME_ABOUT) >= EVERYTHING, CAME_ABOUT
