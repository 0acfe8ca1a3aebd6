"""One number everywhere: the nightly comparison, what it shows and whom it tells (targets R2)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from offload_portal.pages import readiness
from orgs.models import Organization, Person
from sessions.models import Session
from sessions.services import meter_organization
from sessions.services.reconciling import Outcome, reconcile
from tests import factories
from tests.sessions import worlds
from tests.sessions.worlds import MINUTE
from usage.models import LedgerEntry, Reconciliation, UnpaidTime, UsageDay, UsageQuarter
from usage.selectors.reconciled import reconciled

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def worked(organization: Organization, owner: Person, member: Person, at: datetime) -> datetime:
    """Two sessions over the hour, metered to half past the next one; gives that instant."""
    worlds.session(organization, member, at + 50 * MINUTE, 900, images=["shop:1"])
    worlds.session(organization, owner, at + 70 * MINUTE, 300)
    until = at + 90 * MINUTE
    meter_organization(organization_id=organization.pk, at=until)
    return until


def page_of(client: Client, organization: Organization) -> str:
    address = reverse("pages:billing", kwargs={"slug": organization.slug})
    return client.get(address).content.decode()


def test_what_agrees_is_reconciled_up_to_the_last_closed_hour(
    organization: Organization, worked: datetime
) -> None:
    assert reconcile(at=worked) == Outcome(compared=1, differ=0, failed=0)
    assert reconciled(organization.pk).until == worked - 30 * MINUTE
    assert readiness.reconciliation(worked) is None


@pytest.mark.parametrize("second", [-1, 0, 1])
def test_an_hour_is_closed_when_the_watermark_has_passed_its_end(
    organization: Organization, at: datetime, second: int
) -> None:
    end = at + HOUR
    meter_organization(organization_id=organization.pk, at=end + timedelta(seconds=second))
    reconcile(at=end + timedelta(seconds=second))
    assert reconciled(organization.pk).until == (at if second < 0 else end)


def _a_quarter(organization: Organization, at: datetime) -> None:
    UsageQuarter.objects.filter(at=at + 45 * MINUTE).update(compute_seconds=601)


def _no_quarter(organization: Organization, at: datetime) -> None:
    UsageQuarter.objects.filter(at=at + 45 * MINUTE).delete()


def _an_entry(organization: Organization, at: datetime) -> None:
    LedgerEntry.objects.filter(hour=at).update(seconds=599)


def _no_entries(organization: Organization, at: datetime) -> None:
    LedgerEntry.objects.filter(hour=at).delete()


def _a_session(organization: Organization, at: datetime) -> None:
    Session.objects.filter(billed_seconds=900).update(billed_seconds=901)


def _unpaid(organization: Organization, at: datetime) -> None:
    key = Session.objects.get(billed_seconds=900).pk
    UnpaidTime.objects.create(organization=organization, session_id=key, seconds=1)


def _a_stray(organization: Organization, at: datetime) -> None:
    LedgerEntry.objects.filter(hour=at).update(session_id=organization.pk)


TAMPERED = (_a_quarter, _no_quarter, _an_entry, _no_entries, _a_session, _unpaid, _a_stray)


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda one: one.__name__.strip("_"))
def test_what_differs_is_found_shown_and_told_once(
    organization: Organization,
    owner: Person,
    worked: datetime,
    at: datetime,
    clock: Any,
    outbox: list[EmailMessage],
    client_of: Callable[[Person], Client],
    tamper: Callable[[Organization, datetime], None],
) -> None:
    operator = factories.operator()
    reconcile(at=worked)
    tamper(organization, at)
    for night in (0, 1):
        assert reconcile(at=worked + night * HOUR, everything=True).differ == 1
    found = reconciled(organization.pk)
    assert (found.is_under_review, found.differs_since) == (True, worked)
    assert found.until == worked - 30 * MINUTE
    assert [mail.to for mail in outbox if mail.subject == "Usage numbers differ"] == [
        [operator.email]
    ]
    assert "reconcile" in (readiness.reconciliation(worked) or "")
    clock.move_to(worked)
    assert "under review" in page_of(client_of(owner), organization)
    with pytest.raises(CommandError, match="1 differ"):
        call_command("reconcile", "--all", stdout=StringIO())


def test_repaired_it_is_reconciled_again(
    organization: Organization,
    owner: Person,
    worked: datetime,
    at: datetime,
    clock: Any,
    client_of: Callable[[Person], Client],
) -> None:
    UsageDay.objects.all().delete()
    UsageQuarter.objects.all().delete()
    assert reconcile(at=worked).differ == 1
    call_command("rebuild_rollups", stdout=StringIO())
    clock.move_to(worked)
    said = StringIO()
    call_command("reconcile", organization=organization.slug, stdout=said)
    assert "1 organizations compared, 0 differ." in said.getvalue()
    assert Reconciliation.objects.get().findings == []
    page = page_of(client_of(owner), organization)
    assert "Reconciled as of" in page
    assert "under review" not in page


def test_what_is_under_way_is_no_difference(
    organization: Organization, owner: Person, worked: datetime
) -> None:
    """A session that goes on, an hour that is open, a day that is not over."""
    running = worlds.start(organization, owner, worked)
    worlds.report(running, worked, 1)
    worlds.report(running, worked + 2 * MINUTE, 2)
    meter_organization(organization_id=organization.pk, at=worked + 3 * MINUTE)
    assert reconcile(at=worked + 3 * MINUTE).differ == 0


def test_one_that_fails_does_not_stop_the_rest(
    organization: Organization, worked: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = factories.subscribed_organization(factories.person("Ada Other"), at=worked)

    def broken(organization_id: Any, *rest: Any) -> Any:
        if organization_id == organization.pk:
            raise ArithmeticError("no")
        return iter(())

    monkeypatch.setattr("sessions.services.reconciling.findings", broken)
    assert reconcile(at=worked) == Outcome(compared=1, differ=0, failed=1)
    assert reconciled(other.pk).until is not None
    assert reconciled(organization.pk).until is None


def test_an_unknown_organization_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match="no organization nobody"):
        call_command("reconcile", organization="nobody")
