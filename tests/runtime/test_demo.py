"""The demonstration: made through the services, the same for a seed, nothing by half."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Sum

from offload_portal.pages import demo
from offload_portal.pages.demo.cast import COMPANIES
from offload_portal.pages.runtime import preparing
from orgs.models import Organization, Person
from sessions.enums import EndReason
from sessions.models import ContainerRun, Session
from tests import factories
from usage.models import LedgerEntry

END = datetime(2026, 11, 24, 14, 30, tzinfo=UTC)
DAYS = 20

pytestmark = pytest.mark.django_db


def make(days: int = DAYS, seed: int = 1) -> demo.Made:
    return demo.make(end=END, seed=seed, password="a password of a test", days=days)


def story() -> list[tuple[object, ...]]:
    """Everything that the fleet did, without identifiers."""
    return list(
        Session.objects.order_by("created_at", "person__email").values_list(
            "person__email", "created_at", "ended_at", "end_reason", "engine_size", "billed_seconds"
        )
    )


def test_it_is_what_was_promised() -> None:
    made = make()
    assert made.people == sum(len(company.parts) for company in COMPANIES) == 26
    assert Organization.objects.count() == 2
    assert made.sessions == Session.objects.count() > 100
    sizes = Counter(Session.objects.values_list("engine_size", flat=True))
    assert set(sizes) == {"standard", "large", "gpu"}
    assert ContainerRun.objects.exclude(exit_code=0).exclude(exit_code=None).exists()
    idle = Session.objects.filter(end_reason=EndReason.IDLE, billed_seconds=0)
    assert idle.exists()
    assert Session.objects.running().count() >= 4
    yesterday = ContainerRun.objects.filter(started_at__date=END.date() - timedelta(days=1))
    for image in ("acme/web:main", "acme/api:main"):
        assert yesterday.filter(image=image).count() >= 4


def test_the_trial_runs_out_and_every_billed_second_is_in_the_ledger() -> None:
    make()
    ended = Session.objects.exclude(ended_at=None)
    billed = ended.aggregate(seconds=Sum("billed_seconds"))["seconds"]
    entries = LedgerEntry.objects.filter(session_id__in=ended.values("id"))
    assert entries.aggregate(seconds=Sum("seconds"))["seconds"] == billed


@pytest.mark.generated
def test_a_seed_gives_the_same_fleet_and_another_one_another() -> None:
    first, again, another = story_of(seed=1), story_of(seed=1), story_of(seed=2)
    assert first == again
    assert first != another


def story_of(*, seed: int) -> list[tuple[object, ...]]:
    """What a fleet did; its rows are undone."""
    with transaction.atomic():
        make(days=demo.LEAST_DAYS, seed=seed)
        found = story()
        transaction.set_rollback(True)
    return found


def test_the_command_keeps_the_sign_ins_to_itself(settings: LazySettings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    told = StringIO()
    call_command("seed_demo", days=demo.LEAST_DAYS, stdout=told)
    kept = tmp_path / preparing.SIGN_INS
    assert "owner@acme.example" in preparing.sign_ins()
    assert "password" not in told.getvalue()
    assert kept.stat().st_mode & 0o077 == 0


def test_it_is_made_in_an_empty_database_only() -> None:
    factories.person()
    with pytest.raises(CommandError, match="has people already"):
        call_command("seed_demo")
    assert Person.objects.count() == 1


def test_fewer_days_than_the_story_takes_are_refused() -> None:
    with pytest.raises(CommandError, match="at least 17 days"):
        call_command("seed_demo", days=demo.LEAST_DAYS - 1)


def test_the_first_start_makes_it_unless_told_otherwise(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(preparing, "call_command", called.append)
    settings.DEMO = False
    preparing.seed(called.append)
    assert called == []
    settings.DEMO = True
    preparing.seed(called.append)
    assert called[-1] == "seed_demo"
    factories.person()
    called.clear()
    preparing.seed(called.append)
    assert called == []
