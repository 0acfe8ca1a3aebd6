"""Choosing alerts, and where those that hold are shown (product.md rule 20)."""

from datetime import timedelta

import pytest

from orgs.models import AuditEntry
from sessions.services.warning import warn_after_metering
from tests.api.conftest import Api, issue
from tests.sessions.lives import start
from tests.usage.worlds import leave, pools
from usage.models import AlertSetting
from usage.selectors.alerts import alert_choice

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def page(organization):
    return f"/organizations/{organization.slug}/billing/alerts/"


@pytest.fixture
def warned(organization, at):
    """Nine tenths of the commitment are used, and that was said."""
    (pool,) = pools(organization)
    leave(organization, pool.compute_seconds // 10)
    warn_after_metering(metered=[organization.pk], at=at)


def test_an_owner_chooses_when_and_whom_to_warn(client_of, owner, editor, organization, page):
    sent = {"alert_thresholds": "80, 100 %", "alert_recipients": [str(editor.pk)]}
    assert client_of(owner).post(page, sent).status_code == 302
    choice = alert_choice(organization)
    assert (choice.thresholds, choice.recipients) == ((80, 100), (editor.pk,))
    entry = AuditEntry.objects.get(event="alerts.changed")
    assert entry.after["thresholds"] == [80, 100]


@pytest.mark.parametrize("typed", ["", "half", "-5", "0", "101", "50; x", "1.5", "٥٠"])
def test_what_means_nothing_is_kept_as_it_was_typed(client_of, owner, page, typed):
    answer = client_of(owner).post(page, {"alert_thresholds": typed})
    assert answer.status_code == 400
    assert f'value="{typed}"' in answer.content.decode() or not typed
    assert not AlertSetting.objects.exists()


def test_the_page_shows_the_mail_with_todays_numbers(client_of, owner, organization, page):
    text = client_of(owner).get(page).content.decode()
    assert f"{organization.name}: 100 % of committed usage is used" in text


def test_an_editor_sees_what_is_chosen(client_of, editor, page):
    text = client_of(editor).get(page).content.decode()
    assert "50, 75, 90, 100 %" in text
    assert "All owners" in text


@pytest.mark.usefixtures("warned")
@pytest.mark.parametrize("place", ["", "billing/", "billing/alerts/"])
def test_what_holds_is_shown_where_an_owner_looks(client_of, owner, organization, at, place):
    start(organization, owner, at)
    text = client_of(owner).get(f"/organizations/{organization.slug}/{place}").content.decode()
    assert "90 % of committed usage is used" in text
    assert "75 % of committed usage" not in text


@pytest.mark.usefixtures("warned")
def test_a_member_sees_it_with_whom_to_ask(client_of, member, organization):
    answer = client_of(member).get(f"/organizations/{organization.slug}/billing/")
    text = answer.content.decode()
    assert "90 % of committed usage is used" in text
    assert "Olga Owner" in text


@pytest.mark.usefixtures("warned")
def test_the_api_says_and_sets_the_same(owner, editor, organization, at):
    caller, path = Api(issue(owner, at)), f"organizations/{organization.slug}/limits"
    found = caller.get(path).json()
    assert found["alert_thresholds"] == [50, 75, 90, 100]
    assert found["alert_recipients"] == []
    assert [(one["bound"], one["threshold"]) for one in found["alerts"]] == [("commitment", 90)]
    wanted = {"alert_thresholds": [95], "alert_recipients": [str(editor.pk)]}
    changed = caller.put(path, {"mode": "off", **wanted}).json()
    assert {name: changed[name] for name in wanted} == wanted
    # What a change leaves out stays.
    assert caller.put(path, {"mode": "off"}).json()["alert_thresholds"] == [95]
    assert caller.put(path, {"mode": "off", "alert_thresholds": [0]}).status_code == 400


def test_a_look_without_changing_keeps_the_alerts(owner, organization, at):
    caller, path = Api(issue(owner, at)), f"organizations/{organization.slug}/limits"
    caller.put(f"{path}?dry_run=true", {"mode": "off", "alert_thresholds": [95]})
    assert caller.get(path).json()["alert_thresholds"] == [50, 75, 90, 100]


def test_nothing_is_shown_once_the_period_is_over(client_of, owner, organization, warned, at):
    warn_after_metering(metered=[], at=at + timedelta(days=60))
    answer = client_of(owner).get(f"/organizations/{organization.slug}/billing/")
    assert "of committed usage is used" not in answer.content.decode()
