"""A session from start to end, through the services, and what it costs."""

import pytest

from offload_portal.common.refusals import Refusal
from orgs import services as orgs_services
from orgs.enums import Event
from orgs.models import AuditEntry
from sessions import services
from sessions.models import ContainerRun, Session
from tests.factories import actor
from tests.sessions.lives import (
    billed,
    later,
    ledger,
    meter,
    report,
    seen,
    start,
    stop,
)
from usage.models import Allowance, LedgerEntry, UsageDay, UsageQuarter

pytestmark = pytest.mark.django_db


def test_a_session_of_a_client_with_its_own_engine_is_idle_at_once(organization, member, at):
    view = seen(start(organization, member, at), at)
    assert (view.state, view.ready_at, view.idle_since) == ("idle", at, at)
    assert view.seconds_until_end == 300


def test_a_session_that_is_never_used_ends_idle_and_costs_nothing(organization, member, at):
    session = start(organization, member, at)
    services.sweep(at=later(at, 299))
    assert seen(session, later(at, 299)).state == "idle"
    services.sweep(at=later(at, 300))
    view = seen(session, later(at, 900))
    assert (view.state, view.end_reason, view.ended_at) == ("ended", "idle", later(at, 300))
    assert billed(session) == view.billed_seconds == 0


@pytest.mark.parametrize("late", [300, 301, 4_000, 90_000])
def test_the_idle_end_is_exact_however_late_the_sweep_comes(organization, member, at, late):
    session = start(organization, member, at, idle_timeout_seconds=60)
    report(session, later(at, 10))
    services.sweep(at=later(at, 70 + late))
    session.refresh_from_db()
    assert session.ended_at == later(at, 10 + 60 + 300)
    assert session.end_reason == "idle"
    assert billed(session) == session.billed_seconds == 60


def test_before_the_sweep_comes_the_end_is_already_true(organization, member, at):
    session = start(organization, member, at)
    assert seen(session, later(at, 300)).state == "ended"
    session.refresh_from_db()
    assert session.ended_at is None


@pytest.mark.parametrize(("gap", "counts"), [(299, True), (300, None), (301, None), (1, True)])
def test_an_idle_gap_counts_when_it_is_resumed_in_time(organization, member, at, gap, counts):
    session = start(organization, member, at, idle_timeout_seconds=10)
    report(session, at)
    idle_at = later(at, 10)
    if counts:
        report(session, later(idle_at, gap))
        stop(session, later(idle_at, gap + 5))
        assert billed(session) == 10 + gap + 5
    else:
        with pytest.raises(Refusal) as refused:
            report(session, later(idle_at, gap))
        assert (refused.value.code, refused.value.status) == ("session_ended", 410)
        services.sweep(at=later(idle_at, 400))
        assert billed(session) == 10


def test_a_stop_meters_at_once_and_ends_in_its_second(organization, member, at):
    session = start(organization, member, at)
    report(session, later(at, 5))
    stop(session, later(at, 65))
    session.refresh_from_db()
    assert (session.ended_at, session.end_reason) == (later(at, 65), "stopped")
    assert billed(session) == session.billed_seconds == 60


def test_a_gap_resumed_in_the_second_of_the_stop_is_billed(organization, member, at):
    session = start(organization, member, at, idle_timeout_seconds=10)
    report(session, at)
    report(session, later(at, 40))
    stop(session, later(at, 40))
    services.sweep(at=later(at, 41))
    session.refresh_from_db()
    assert billed(session) == session.billed_seconds == 40


def test_stopping_twice_changes_nothing(organization, member, at):
    session = start(organization, member, at)
    stop(session, later(at, 10))
    stop(session, later(at, 20))
    session.refresh_from_db()
    assert session.ended_at == later(at, 10)
    ended = AuditEntry.objects.filter(event=Event.SESSION_ENDED, subject_id=session.id)
    assert ended.count() == 1


def test_an_owner_stops_somebody_elses_session(organization, owner, member, at):
    session = start(organization, member, at)
    stop(session, later(at, 10), by=owner)
    session.refresh_from_db()
    assert session.end_reason == "stopped_by_owner"


def test_a_colleague_cannot_stop_it(organization, member, editor, at):
    session = start(organization, member, at)
    with pytest.raises(Refusal) as refused:
        stop(session, later(at, 10), by=editor)
    assert refused.value.status == 403


def test_an_owner_stops_all(organization, owner, member, at):
    own, other = start(organization, owner, at), start(organization, member, at)
    stopped = services.stop_all(
        actor=actor(owner), at=later(at, 30), organization=organization, person=owner
    )
    own.refresh_from_db()
    other.refresh_from_db()
    assert stopped == 2
    assert (own.end_reason, other.end_reason) == ("stopped", "stopped_by_owner")


def test_a_second_session_at_once_is_refused(organization, member, at):
    start(organization, member, at)
    with pytest.raises(Refusal) as refused:
        start(organization, member, later(at, 1))
    assert (refused.value.code, refused.value.status) == ("session_already_running", 409)


def test_a_new_session_may_start_in_the_second_in_which_the_last_one_ended(
    organization, member, at
):
    start(organization, member, at)
    assert start(organization, member, later(at, 300)).created_at == later(at, 300)


def test_somebody_without_a_license_is_refused_and_told_whom_to_ask(organization, colleague, at):
    with pytest.raises(Refusal) as refused:
        start(organization, colleague, at)
    assert (refused.value.code, refused.value.status) == ("no_license", 403)
    assert "Olga Owner" in refused.value.sentence


def test_losing_access_ends_the_session_at_that_instant(organization, owner, member, at):
    session = start(organization, member, at)
    report(session, at)
    orgs_services.revoke_person(
        actor=actor(owner), at=later(at, 20), organization=organization, person=member
    )
    assert seen(session, later(at, 20)).end_reason == "access_revoked"
    services.sweep(at=later(at, 90))
    session.refresh_from_db()
    assert (session.ended_at, session.end_reason) == (later(at, 20), "access_revoked")
    assert billed(session) == 20


def test_a_repeated_sequence_changes_nothing(organization, member, at):
    session = start(organization, member, at)
    report(session, later(at, 10), sequence=5)
    report(session, later(at, 40), sequence=5)
    assert seen(session, later(at, 40)).last_activity_at == later(at, 10)


def test_a_report_with_nothing_in_it_is_no_activity(organization, member, at):
    session = start(organization, member, at)
    report(session, later(at, 10), running_containers=0)
    assert seen(session, later(at, 10)).state == "idle"


def test_a_report_after_the_meter_passed_counts_from_the_watermark(organization, member, at):
    session = start(organization, member, at)
    meter(organization, later(at, 50))
    report(session, later(at, 20))
    assert seen(session, later(at, 50)).first_active_at == later(at, 50)


def test_metering_each_minute_and_once_give_the_same_ledger(organization, owner, member, at):
    first = start(organization, owner, at, engine_size="large", idle_timeout_seconds=10)
    second = start(organization, member, later(at, 7), idle_timeout_seconds=30)
    for seconds in (10, 15, 200, 3_590, 3_595, 3_700):
        report(first, later(at, seconds)) if seconds < 300 else None
        report(second, later(at, min(seconds, 280)))
    for seconds in range(60, 4_000, 60):
        meter(organization, later(at, seconds))
    by_minutes = ledger(organization)
    Session.objects.update(ended_at=None, end_reason="")
    LedgerEntry.objects.all().delete()
    UsageQuarter.objects.all().delete()
    UsageDay.objects.all().delete()
    Allowance.objects.update(metered_until=at)
    meter(organization, later(at, 3_960))
    assert ledger(organization) == by_minutes
    assert by_minutes


def test_a_clock_that_jumps_back_an_hour_meters_nothing_again(organization, member, at):
    session = start(organization, member, at)
    report(session, at)
    meter(organization, later(at, 120))
    meter(organization, later(at, -3_480))
    meter(organization, later(at, 120))
    assert billed(session) == 120


def test_a_reservation_shrinks_by_use_and_goes_with_the_session(organization, member, at):
    session = start(organization, member, at, engine_size="large")
    assert Allowance.objects.get().reserved_compute_seconds == 120
    report(session, at)
    meter(organization, later(at, 25))
    assert Allowance.objects.get().reserved_compute_seconds == 70
    stop(session, later(at, 26))
    assert Allowance.objects.get().reserved_compute_seconds == 0


def test_a_start_and_an_end_are_in_the_audit_log(organization, member, at):
    session = start(organization, member, at)
    stop(session, later(at, 9))
    events = AuditEntry.objects.filter(subject_id=session.id).order_by("at", "id")
    assert [entry.event for entry in events] == [Event.SESSION_STARTED, Event.SESSION_ENDED]
    assert events[1].actor_id == member.pk


def test_container_runs_are_kept_once_and_get_their_exit(organization, member, at):
    session = start(organization, member, at)
    run = services.ContainerSeen(id="abc", image="acme/web:1", started_at=at, name="web")
    gone = services.ContainerSeen(
        id="abc", image="acme/web:1", started_at=at, exited_at=later(at, 9), exit_code=3
    )
    report(session, later(at, 1), containers=(run, run))
    report(session, later(at, 10), containers=(gone,))
    report(session, later(at, 11), containers=(run,))
    kept = ContainerRun.objects.get()
    assert (kept.name, kept.exited_at, kept.exit_code) == ("web", later(at, 9), 3)


def test_access_taken_away_while_a_start_was_first_ends_it_at_its_start(
    organization, owner, member, at
):
    session = start(organization, member, later(at, 5))
    orgs_services.revoke_person(
        actor=actor(owner), at=later(at, 3), organization=organization, person=member
    )
    view = seen(session, later(at, 6))
    assert (view.end_reason, view.ended_at) == ("access_revoked", later(at, 5))


def test_access_lost_and_found_again_before_a_start_does_not_end_it(
    organization, owner, member, at
):
    for change in (orgs_services.revoke_person, orgs_services.grant_to_person):
        change(actor=actor(owner), at=at, organization=organization, person=member)
    assert seen(start(organization, member, at), later(at, 1)).state == "idle"
