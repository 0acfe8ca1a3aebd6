"""Cases that other products got wrong, by the names that their users gave them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from offload_portal.common.refusals import Refusal
from orgs import services as orgs_services
from sessions import services
from sessions.models import Session
from sessions.services.remetering import remeter
from tests import factories
from tests.factories import actor
from tests.sessions.lives import billed, later, meter, report, start, stop
from usage import services as usage_services
from usage.models import Allowance, LedgerEntry, Pool
from usage.selectors import usage_by

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def change(organization, owner, at, service, **values):
    services.change_allowance(
        organization=organization,
        at=at,
        change=lambda instant: service(
            actor=actor(owner), at=instant, organization=organization, **values
        ),
    )


def spend_everything(organization):
    for pool in Pool.objects.filter(organization=organization):
        Pool.objects.filter(pk=pool.pk).update(used_compute_seconds=pool.compute_seconds)
    Allowance.objects.filter(organization=organization).update(left_compute_seconds=0)


def work(session, at, seconds):
    """Reports once a minute, up to the instant itself."""
    for second in (*range(0, seconds, 60), seconds):
        report(session, later(at, second))


def test_cap_0_with_committed_left_start_allowed(organization, owner, member, at):
    setting = {"mode": "limited", "limit_microusd": 0, "let_finish": False, "at_once": True}
    change(organization, owner, at, usage_services.set_on_demand, **setting)
    session = start(organization, member, at)
    work(session, at, 120)
    meter(organization, later(at, 120))
    assert set(LedgerEntry.objects.values_list("source", "seconds")) == {("committed", 120)}


def test_commitment_bought_caches_stale_no_none_left_message(organization, owner, member, at):
    """What was shown before stays nowhere: the next start and the next look know of it."""
    spend_everything(organization)
    with pytest.raises(Refusal) as refused:
        start(organization, member, at)
    assert refused.value.code == "no_allowance"
    committed = organization.subscriptions.get().committed_compute_seconds
    more = {"compute_seconds": committed + 3_600}
    change(organization, owner, at, usage_services.change_commitment, **more)
    assert (Allowance.objects.get().left_compute_seconds or 0) > 0
    assert start(organization, member, at).pk


def test_stopped_session_consumes_nothing_more(organization, member, at):
    session = start(organization, member, at)
    work(session, at, 60)
    stop(session, later(at, 90))
    assert billed(session) == 90
    for seconds in (91, 3_600, 86_400):
        meter(organization, later(at, seconds))
    assert billed(session) == 90
    assert Allowance.objects.get().reserved_compute_seconds == 0


def test_stop_event_lost_recompute_closes_at_the_last_beat(organization, owner, member, at):
    """The engine is found to be gone a while after it was last seen: that while costs nothing."""
    session = start(organization, member, at)
    work(session, at, 600)
    services.engine_lost(
        at=later(at, 800), session_id=session.pk, reason="Gone", last_seen_at=later(at, 600)
    )
    given_back = Pool.objects.get(origin="given_back").compute_seconds
    assert billed(session) - given_back == 600
    afresh = remeter(
        actor=actor(owner), at=later(at, 900), organization=organization, dry_run=True, reason=""
    )
    assert afresh.differences == ()


def test_two_heartbeats_at_once_one_open_segment(organization, member, at):
    session = start(organization, member, at)
    report(session, later(at, 10), sequence=1)
    report(session, later(at, 10), sequence=2)
    assert session.stretches.count() == 0
    meter(organization, later(at, 70))
    assert billed(session) == 60


@pytest.mark.parametrize(
    ("midnight", "hours"),
    [
        (datetime(2026, 3, 8, 5, tzinfo=UTC), 23),
        (datetime(2026, 11, 1, 4, tzinfo=UTC), 25),
    ],
)
def test_dst_days_in_org_zone_23_h_and_25_h_add_up(owner, midnight, hours):
    """Somebody works through the whole day and an hour on each side of it."""
    place = factories.subscribed_organization(owner, at=midnight - 2 * HOUR, plan="business")
    began, end = midnight - HOUR, midnight + (hours + 1) * HOUR
    session = start(place, owner, began)
    for minutes in range(0, (hours + 2) * 60, 4):
        report(session, began + timedelta(minutes=minutes), api_calls=1)
    meter(place, end)
    zone = ZoneInfo("America/New_York")
    days = usage_by(place, began - 48 * HOUR, end + 48 * HOUR, zone=zone).rows
    assert [row.sums.seconds for row in days if row.sums.seconds] == [3_600, hours * 3_600, 3_600]
    assert sum(row.sums.seconds for row in days) == billed(session)


def test_zone_change_of_org_mid_month_no_double_line(organization, owner, member, at):
    """The zone is how days are shown; what is billed knows UTC alone."""
    session = start(organization, member, at)
    work(session, at, 120)
    meter(organization, later(at, 60))
    orgs_services.update_organization(
        actor=actor(owner), at=later(at, 60), organization=organization, zone="Asia/Kathmandu"
    )
    meter(organization, later(at, 120))
    (entry,) = LedgerEntry.objects.filter(session_id=session.pk)
    assert (entry.seconds, entry.compute_seconds) == (120, 120)
    for zone in ("UTC", "Asia/Kathmandu"):
        report_of = usage_by(organization, at - 48 * HOUR, at + 48 * HOUR, zone=ZoneInfo(zone))
        assert report_of.totals.seconds == 120


@pytest.mark.parametrize(("gap", "counts"), [(299, True), (300, False), (301, False)])
def test_idle_gap_4_59_counts_5_01_does_not(organization, member, at, gap, counts):
    """Five minutes to the second are over, too: the idle end comes before what is done in it."""
    session = start(organization, member, at)
    report(session, at)
    resumes = later(at, 300 + gap)
    if counts:
        report(session, resumes)
        stop(session, resumes)
        meter(organization, later(resumes, 1))
        assert billed(session) == 300 + gap
        return
    with pytest.raises(Refusal) as refused:
        report(session, resumes)
    assert refused.value.code == "session_ended"
    meter(organization, later(resumes, 60))
    assert billed(session) == 300
    assert Session.objects.get().end_reason == "idle"
