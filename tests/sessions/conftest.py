"""After every test the ledger explains each billed second, and a session is read one way."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from sessions import services
from sessions.models import Session
from sessions.selectors import view_by_id, views_of
from sessions.selectors.caps import used_under_cap
from sessions.selectors.reconciliation import differences
from usage.models import Allowance, Cap
from usage.selectors.rollups import ledger_bounds, rollup_differences

LOOKS = (0, 60, 3_600)


def _both_ways_of_reading_agree() -> None:
    """Lists read sessions set by set, routes of one session in one statement: the same views."""
    rows = Session.objects.as_shown().order_by("id")
    for session in rows[:20]:
        for seconds in LOOKS:
            at = session.pulse.last_activity_at or session.created_at
            at += timedelta(seconds=seconds)
            assert view_by_id(session.pk, at) == views_of([session], at)[0]


@pytest.fixture(autouse=True)
def _every_second_is_explained(request: pytest.FixtureRequest) -> Iterator[None]:
    marker = request.node.get_closest_marker("django_db")
    if marker is None:
        yield
        return
    # Asked for here, so that the database is still there when this one is torn down.
    request.getfixturevalue("transactional_db" if marker.kwargs.get("transaction") else "db")
    yield
    _both_ways_of_reading_agree()
    last = Session.objects.filter(ended_at__isnull=False).order_by("-ended_at", "id").first()
    if last is None or last.ended_at is None:
        return
    for allowance in Allowance.objects.filter(metered_until__lte=last.ended_at):
        services.meter_organization(
            organization_id=allowance.pk, at=last.ended_at + timedelta(seconds=1)
        )
    assert list(differences()) == []
    for cap in Cap.objects.select_related("organization"):
        used = used_under_cap(cap.organization, cap.scope, cap.subject_id)
        assert cap.used_compute_seconds == used
    for key in Allowance.objects.values_list("pk", flat=True):
        bounds = ledger_bounds(key)
        assert bounds is None or list(rollup_differences(key, *bounds)) == []
