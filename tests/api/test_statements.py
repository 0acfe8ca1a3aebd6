"""How many statements a start and a stop take (targets P7, P8), whatever stands beside them."""

from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import licensed_member
from tests.sessions.lives import start

pytestmark = pytest.mark.django_db

# A test's own transaction makes a savepoint of what is a transaction elsewhere: two of each.
MOST_TO_START, MOST_TO_STOP = 28, 26


def statements(call):
    with CaptureQueriesContext(connection) as queries:
        answer = call()
    assert answer.status_code in (200, 201), answer.json()
    return len(queries), answer.json()


@pytest.mark.parametrize("others", [1, 8])
def test_a_start_and_a_stop_take_so_many(api, organization, member, at, clock, others):
    for number in range(others):
        start(organization, licensed_member(organization, f"P{number} Person", at=at), at)
    caller = api(member)
    caller.get("me")
    for _ in range(2):
        clock.shift(10)
        took, session = statements(
            lambda: caller.post("sessions", {"organization": organization.slug})
        )
        assert took <= MOST_TO_START
        path = f"sessions/{session['id']}"
        caller.post(f"{path}/activity", {"sequence": 1, "running_containers": 1})
        clock.shift(10)
        took, _ended = statements(partial(caller.post, f"{path}/stop"))
        assert took <= MOST_TO_STOP


def test_the_answer_to_a_start_is_what_a_look_would_show(api, organization, member, clock):
    caller = api(member)
    for _ in range(2):
        started = caller.post("sessions", {"organization": organization.slug})
        body = started.json()
        assert body.pop("next_report_seconds") == 60
        path = f"sessions/{body['id']}"
        assert body == caller.get(path).json()
        clock.shift(7)
        caller.post(f"{path}/stop")
