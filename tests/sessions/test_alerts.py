"""Owners are warned in time, once, of everything at once (product.md rule 20)."""

from datetime import timedelta

import pytest

from offload_portal.common.refusals import Refusal
from orgs.enums import NewsKind, Role
from orgs.models import Notification
from orgs.services.mails import headline, revived
from sessions import services
from sessions.services.warning import warn_after_metering, warn_of_forecasts
from tests.factories import actor, colleague
from tests.sessions.lives import later, report, start
from tests.sessions.worlds import keep_awake
from tests.usage.worlds import DOLLAR, HOUR, allowance, leave, on_demand, pools, subscription, use
from usage.models import Alert, Allowance
from usage.selectors.alerts import alert_choice
from usage.services.alerts import choose_alerts

pytestmark = pytest.mark.django_db


@pytest.fixture
def committed(organization):
    (pool,) = pools(organization)
    return pool.compute_seconds


@pytest.fixture
def used(organization, committed):
    """Let so many percent of the commitment be used."""

    def to(percent):
        leave(organization, committed - committed * percent // 100)

    return to


def warn(organization, at):
    return warn_after_metering(metered=[organization.pk], at=at)


def said(organization):
    rows = Alert.objects.filter(organization=organization).order_by("at", "bound", "-threshold")
    return [(row.bound, row.threshold) for row in rows]


def subjects(outbox):
    return [message.subject for message in outbox]


@pytest.mark.parametrize(("percent", "count"), [(49, 0), (50, 1), (51, 1)])
def test_owners_are_told_at_half_of_the_commitment(
    organization, owner, at, outbox, used, percent, count
):
    used(percent)
    assert warn(organization, at) == count
    assert [message.to for message in outbox] == [[owner.email]] * count


def test_threshold_jumps_40_to_100_percent_in_one_message(organization, at, outbox, used):
    used(40)
    assert warn(organization, at) == 0
    used(100)
    warn(organization, at)
    assert said(organization) == [("commitment", share) for share in (100, 90, 75, 50)]
    (message,) = outbox
    assert message.subject == f"{organization.name}: 100 % of committed usage is used"
    assert "It passed 90, 75, 50 % on the way." in message.body


def test_a_second_look_and_a_second_worker_say_nothing_again(organization, at, outbox, used):
    used(75)
    for _worker in range(3):
        warn(organization, at)
    assert len(outbox) == 1


def test_the_meter_warns(organization, member, at, outbox):
    leave(organization, 3_600)
    session = start(organization, member, at)
    keep_awake(session, 7_200)
    report(session, at)
    services.sweep(at=later(at, 60))
    assert any("committed usage" in subject for subject in subjects(outbox))


def test_it_says_once_that_use_moved_to_on_demand(organization, owner, member, at, outbox):
    on_demand(organization, owner, at, "limited", 100)
    leave(organization, 60)
    outbox.clear()
    use(organization, member, at, 120)
    warn(organization, later(at, 120))
    warn(organization, later(at, 180))
    (message,) = outbox
    assert "Use has moved from committed to on-demand" in message.body
    assert Alert.objects.filter(bound="moved").count() == 1


def test_it_names_who_used_most_and_how_fast_it_goes(organization, member, at, outbox):
    leave(organization, 7_200)
    use(organization, member, at, HOUR)
    warn(organization, later(at, HOUR))
    (message,) = outbox
    assert "Max Member (1 h)" in message.body
    assert "Use per hour now" in message.body
    assert "/billing/limits/" in message.body


def test_news_in_the_portal_keeps_no_names(organization, owner, member, at):
    leave(organization, 7_200)
    use(organization, member, at, HOUR)
    warn(organization, later(at, HOUR))
    row = Notification.objects.get(person=owner, kind=NewsKind.USAGE_ALERT)
    assert row.facts["users"] == []
    assert "committed usage is used" in headline(NewsKind.USAGE_ALERT, revived(row.facts))[0]


def test_an_editor_who_is_chosen_learns_whom_to_ask(organization, owner, editor, at, outbox, used):
    choose(organization, owner, at, recipients=[editor.pk])
    used(90)
    warn(organization, at)
    (message,) = outbox
    assert message.to == [editor.email]
    assert "ask Olga Owner" in message.body
    assert "/billing/limits/" not in message.body


def test_all_owners_are_told_when_nobody_chosen_is_left(
    organization, owner, editor, at, outbox, used
):
    choose(organization, owner, at, recipients=[editor.pk])
    organization.memberships.filter(person=editor).update(role=Role.MEMBER)
    used(90)
    warn(organization, at)
    assert [message.to for message in outbox] == [[owner.email]]


def choose(organization, owner, at, **chosen):
    return choose_alerts(actor=actor(owner), at=at, organization=organization, **chosen)


def test_the_owner_chooses_the_thresholds(organization, owner, at, outbox, used):
    choose(organization, owner, at, thresholds=[80])
    used(79)
    assert warn(organization, at) == 0
    used(80)
    assert warn(organization, at) == 1
    assert alert_choice(organization).thresholds == (80,)


@pytest.mark.parametrize("thresholds", [[], [0], [101], list(range(1, 12))])
def test_thresholds_that_mean_nothing_are_refused(organization, owner, at, thresholds):
    with pytest.raises(Refusal, match="threshold"):
        choose(organization, owner, at, thresholds=thresholds)


def test_the_billing_contact_gets_a_copy_and_learns_whom_to_ask(
    organization, owner, at, outbox, used
):
    for address, expected in (("books@example.com", 2), (owner.email, 1)):
        organization.billing_contact = address
        organization.save()
        Alert.objects.all().delete()
        outbox.clear()
        used(50)
        warn(organization, at)
        assert len(outbox) == expected
        assert address in {message.to[0] for message in outbox}
        copies = [message for message in outbox if message.to == ["books@example.com"]]
        assert all("Olga Owner" in str(copy.body) for copy in copies), "whom to ask"


def test_members_are_not_told_of_everybodys_use(organization, owner, member, at):
    with pytest.raises(Refusal, match="can be warned"):
        choose(organization, owner, at, recipients=[member.pk])


def test_a_stranger_can_not_be_told(organization, owner, stranger, at):
    with pytest.raises(Refusal) as refused:
        choose(organization, owner, at, recipients=[stranger.pk])
    assert refused.value.status == 404


def test_a_raised_limit_is_news_and_warns_again_only_near_its_own_end(
    organization, owner, at, outbox
):
    on_demand(organization, owner, at, "limited", 100)
    spend(organization, 80)
    warn(organization, at)
    outbox.clear()
    on_demand(organization, owner, at, "limited", 400)
    warn(organization, later(at, 1))
    (message,) = outbox
    assert message.subject == f"{organization.name}: use is below its limit again"
    assert "$80.00 of its limit of $400.00" in message.body
    warn(organization, later(at, 2))
    assert len(outbox) == 1
    spend(organization, 200)
    warn(organization, later(at, 3))
    assert "50 % of the on-demand limit" in outbox[-1].subject


def spend(organization, dollars):
    row = Allowance.objects.filter(pk=organization.pk)
    row.update(on_demand_used_microusd=dollars * DOLLAR)


def test_a_new_period_ends_what_the_last_was_warned_of(organization, at, outbox, used):
    used(100)
    warn(organization, at)
    outbox.clear()
    end = allowance(organization).period_end
    assert end is not None
    services.sweep(at=end)
    (message,) = outbox
    assert "a new billing period has begun" in message.subject
    assert not Alert.objects.filter(over_at=None).exists()


def test_the_forecast_is_told_once_with_its_range(
    organization, owner, member, at, outbox, committed
):
    now = at + timedelta(days=5)
    subscribed(organization, at - timedelta(days=5))
    for day, hours in enumerate((4, 5, 6, 5)):
        use(organization, member, at + timedelta(days=day), hours * HOUR)
    leave(organization, 20 * HOUR)
    choose(organization, owner, at, thresholds=[100])
    outbox.clear()
    assert warn_of_forecasts(at=now) == 1
    assert warn_of_forecasts(at=now + timedelta(minutes=15)) == 0
    (message,) = outbox
    assert "Compute time is expected to run out on" in message.subject
    assert "As days differ, it may be from" in message.body


def test_no_forecast_is_told_while_time_lasts(organization, member, at, outbox):
    use(organization, member, at, 60)
    assert warn_of_forecasts(at=at + timedelta(days=2)) == 0
    assert not outbox


def subscribed(organization, at):
    row = subscription(organization)
    type(row).objects.filter(pk=row.pk).update(started_at=at)


def test_one_organizations_fault_keeps_no_other_from_being_warned(
    organization, owner, at, outbox, used, monkeypatch, caplog
):
    def broken(**_values):
        raise RuntimeError("broken")

    used(90)
    monkeypatch.setattr("usage.services.alerts.alert_facts", lambda *_values: broken())
    assert warn(organization, at) == 0
    assert "could not be warned" in caplog.text
    assert said(organization) == []
    monkeypatch.undo()


def test_another_owner_is_told_too(organization, at, outbox, used):
    other = colleague(organization, "Otto Owner", Role.OWNER, at=at)
    outbox.clear()
    used(50)
    warn(organization, at)
    assert other.email in [message.to[0] for message in outbox]
