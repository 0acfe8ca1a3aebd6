"""A billing manager sees what is used and sets what is paid, and nothing else; a contact hears."""

import pytest

from orgs.enums import Event, Role
from orgs.models import AuditEntry, AuditText, Organization
from tests import factories
from tests.sessions import worlds

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def payer(organization, at):
    return factories.colleague(organization, "Bea Billing", Role.BILLING, at=at)


def test_they_set_limits_and_see_everyones_usage_but_no_session_and_nobody(
    api, organization, owner, member, payer, at, clock
):
    session = worlds.start(organization, member, at)
    worlds.report(session, at, 1)
    clock.shift(600)
    worlds.stop(session, at + 5 * worlds.MINUTE)
    caller, here = api(payer), f"organizations/{organization.slug}"
    put = caller.put(f"{here}/limits", {"mode": "limited", "limit_microusd": 5_000_000})
    assert put.status_code == 200
    rows = caller.get(f"{here}/usage?group_by=member").json()["results"]
    assert sum(row["compute_seconds"] for row in rows) == 300
    assert caller.get("sessions").json()["results"] == []
    for path in ("members", "audit", "licenses", "teams", "invitations"):
        assert caller.get(f"{here}/{path}").status_code == 403
    refused = api(member).put(f"{here}/limits", {"mode": "off"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_a_payer")


def test_they_hold_no_license_and_are_no_owner(api, organization, payer):
    organization.refresh_from_db()
    assert organization.licenses_held == 1, "the owner's alone"
    refused = api(payer).post("sessions", {"organization": organization.slug})
    assert refused.json()["code"] == "no_license"


def test_their_pages_lead_to_usage_and_billing_and_say_who_can_do_the_rest(
    client_of, organization, payer, member
):
    here = f"/organizations/{organization.slug}"
    browser = client_of(payer)
    overview = browser.get(f"{here}/").content.decode()
    assert "Usage & billing" in overview
    assert f"{here}/members/" not in overview
    assert "Buy a top-up" in browser.get(f"{here}/billing/").content.decode()
    refused = client_of(member).get(f"{here}/billing/top-up/").content.decode()
    assert "Only owners and billing managers can do this" in refused


def test_owners_name_a_billing_contact_that_only_those_who_see_usage_read(
    api, client_of, organization, owner, member, payer
):
    here = f"organizations/{organization.slug}"
    wrong = api(owner).patch(here, {"billing_contact": "nowhere"})
    assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["billing_contact"])
    assert api(payer).patch(here, {"billing_contact": "me@example.com"}).status_code == 403
    kept = api(owner).patch(here, {"billing_contact": "Books@Example.com"})
    assert kept.json()["billing_contact"] == "books@example.com"
    assert api(payer).get(here).json()["billing_contact"] == "books@example.com"
    assert api(member).get(here).json()["billing_contact"] is None
    entry = AuditEntry.objects.get(event=Event.ORGANIZATION_CHANGED)
    assert "books@example.com" not in str(entry.after), "it stands beside the entry"
    assert AuditText.objects.filter(text="books@example.com").exists()
    page = client_of(owner).get(f"/{here}/settings/").content.decode()
    assert 'value="books@example.com"' in page
    api(owner).patch(here, {"billing_contact": ""})
    assert Organization.objects.get(pk=organization.pk).billing_contact == ""
