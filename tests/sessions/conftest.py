"""After every test that touched billing, the ledger explains every billed second."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from sessions import services
from sessions.models import Session
from sessions.selectors.reconciliation import differences
from usage.models import Allowance


@pytest.fixture(autouse=True)
def _every_second_is_explained(request: pytest.FixtureRequest) -> Iterator[None]:
    marker = request.node.get_closest_marker("django_db")
    if marker is None:
        yield
        return
    # Asked for here, so that the database is still there when this one is torn down.
    request.getfixturevalue("transactional_db" if marker.kwargs.get("transaction") else "db")
    yield
    last = Session.objects.filter(ended_at__isnull=False).order_by("-ended_at", "id").first()
    if last is None or last.ended_at is None:
        return
    for allowance in Allowance.objects.filter(metered_until__lte=last.ended_at):
        services.meter_organization(
            organization_id=allowance.pk, at=last.ended_at + timedelta(seconds=1)
        )
    assert list(differences()) == []
