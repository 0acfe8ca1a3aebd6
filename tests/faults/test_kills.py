"""Workers die at any instant of a month, and nothing is lost or doubled (targets R5).

`KILLS` asks for more of them than the 100 of every run.
"""

import os
import random
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from orgs.models import AuditEntry
from sessions import services
from sessions.models import Session
from sessions.services.reconciling import reconcile
from sessions.services.remetering import remeter
from tests import factories
from tests.api.conftest import issue
from tests.faults import month
from usage.models import Pool

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.postgresql,
    pytest.mark.generated,
]
KILLS = int(os.environ.get("KILLS", "100"))
SEED = int(os.environ.get("KILLS_SEED", "1"))


@pytest.fixture(autouse=True)
def _on_postgresql():
    if connection.vendor != "postgresql":
        pytest.fail("run by the PostgreSQL pass only")


@pytest.fixture
def office(organization, owner, member, at):
    tokens = (issue(owner, at), issue(member, at))
    return month.Office(tokens=tokens, slug=organization.slug, member=str(member.pk))


def end(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def is_over(process: int) -> bool:
    return os.waitpid(process, os.WNOHANG)[0] == process


def live_and_die(office, steps, file: Path) -> int:
    """Workers are killed until the month is done; gives how many deaths there were."""
    chance = random.Random(SEED)
    deaths = 0
    while True:
        worker = month.forked(lambda: month.work(office, steps, file))
        meter = month.forked(lambda: month.meter(office, steps, file))
        over = False
        if deaths < KILLS:
            # So short that there are enough of them, and each gets something done now and then.
            time.sleep(chance.uniform(0.0, 0.3))
            over = is_over(worker)
        else:
            os.waitpid(worker, 0)
            over = True
        if not over:
            end(worker)
            deaths += 1
        end(meter)
        deaths += 1
        if over:
            return deaths


def test_nothing_is_lost_and_nothing_doubled(office, organization, owner, tmp_path):
    file, steps = tmp_path / "answers", month.plan(SEED)
    deaths = live_and_die(office, steps, file)
    done = month.answered(file)
    assert [answer.number for answer in done] == list(range(month.STEPS))
    assert {answer.status for answer in done} <= {0, 200, 201, 402, 403, 409, 410}, SEED
    last = steps[-1].at
    for tick in (timedelta(hours=1), timedelta(hours=2)):  # settled in two ticks
        assert services.sweep(at=last + tick).failed == 0
    later = last + timedelta(hours=2)
    assert not Session.objects.running().exists()

    started = {answer.session for answer in done if answer.session}
    assert {str(key) for key in Session.objects.values_list("pk", flat=True)} == started
    for event in ("session.started", "session.ended"):
        assert AuditEntry.objects.filter(event=event).count() == len(started)
    bought = [a for a in done if steps[a.number].kind == "top-up" and a.status == 201]
    assert Pool.objects.filter(origin="purchase").count() == len(bought)
    assert len(started) > 10, "too little happened"
    assert deaths >= KILLS

    assert reconcile(at=later, everything=True).differ == 0
    afresh = remeter(
        actor=factories.actor(owner), at=later, organization=organization, reason="", dry_run=True
    )
    assert afresh.differences == ()
    same_answers(office, steps, done)


def same_answers(office, steps, done) -> None:
    """What was answered is answered again, byte for byte, within the key's day."""
    changing = ("start", "stop", "top-up", "limit", "cap")
    for answer in [one for one in done if steps[one.number].kind in changing][-20:]:
        step = steps[answer.number]
        sessions = month.newest([one for one in done if one.number < step.number], steps)
        assert office.do(step, sessions) == answer
