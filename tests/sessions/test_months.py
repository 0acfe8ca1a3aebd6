"""An organization driven through months by chance, against an oracle (targets R1).

`MONTHS_RUNS` asks for more than the 200 of every run (`make soak`); a run that fails prints what
to decorate it with, so that it is the same again.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.sessions.months import CAME_ABOUT, Months

SHRINK = os.environ.get("MONTHS_SHRINK") == "1"
RUNS = int(os.environ.get("MONTHS_RUNS", "200"))
# What 200 runs do not come to they have not proved.
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


@pytest.mark.generated
@pytest.mark.django_db
def test_months_come_to_what_the_oracle_says() -> None:
    run_state_machine_as_test(
        Months,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=50,
            deadline=None,
            # The same 200 everywhere; more of them are others each time.
            derandomize=RUNS == 200,
            print_blob=True,
            # Making a failing run shorter takes longer than finding it: MONTHS_SHRINK=1 does it.
            phases=[phase for phase in Phase if phase is not Phase.shrink or SHRINK],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert set(CAME_ABOUT) >= EVERYTHING, CAME_ABOUT
