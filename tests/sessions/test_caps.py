"""Caps of teams and people, in mid-session as at the start (product.md rule 19)."""

from datetime import timedelta

import pytest

from offload_portal.common.refusals import Refusal
from orgs import services as orgs_services
from sessions import services
from sessions.models import Session
from sessions.services.starting import StartRequest
from tests import factories
from tests.sessions.lives import billed, later, meter, report, seen, start, stop
from tests.sessions.worlds import keep_awake
from tests.usage.worlds import leave, on_demand
from usage.models import Allowance, Cap, CapVersion, UnpaidTime

pytestmark = pytest.mark.django_db
NOTICE = 600


@pytest.fixture
def cap(organization, owner, at):
    """Cap a person, or a team, at so many compute-seconds."""

    def put(subject, limit, when=None, scope=None, **more):
        scope = scope or ("person" if hasattr(subject, "email") else "team")
        return services.set_cap(
            actor=factories.actor(owner),
            at=when or at,
            organization=organization,
            scope=scope,
            subject_id=subject.pk,
            limit_compute_seconds=limit,
            **more,
        )

    return put


@pytest.fixture
def team_with(organization, owner, at):
    def make(*people, name="Data"):
        actor = factories.actor(owner)
        return orgs_services.create_team(
            actor=actor,
            at=at,
            organization=organization,
            name=name,
            person_ids=[person.pk for person in people],
        )

    return make


def busy(organization, person, at, **wish):
    """A session that stays active for a day."""
    session = start(organization, person, at, **wish)
    keep_awake(session, 86_400)
    report(session, at)
    return session


def after(session):
    session.refresh_from_db()
    return session


def period_end():
    end = Allowance.objects.get().period_end
    assert end is not None
    return end


def used(subject):
    return Cap.objects.get(subject_id=subject.pk).used_compute_seconds


# Starting


@pytest.mark.parametrize(("left", "may"), [(59, False), (60, True), (61, True)])
def test_a_start_needs_a_minute_of_its_size_within_the_cap(
    organization, member, cap, at, left, may
):
    cap(member, left)
    if may:
        assert start(organization, member, at).reserved_compute_seconds == 60
        return
    with pytest.raises(Refusal) as refused:
        start(organization, member, at)
    refusal = refused.value
    assert (refusal.code, refusal.status) == ("cap_reached", 402)
    assert (refusal.extra["scope"], refusal.extra["left"], refusal.extra["needed"]) == (
        "person",
        59,
        60,
    )
    assert Allowance.objects.get().reserved_compute_seconds == 0


@pytest.mark.parametrize(("left", "may"), [(119, False), (120, True)])
def test_a_larger_engine_needs_more_of_it(organization, member, cap, at, left, may):
    cap(member, left)
    if may:
        assert start(organization, member, at, engine_size="large").reserved_compute_seconds == 120
        return
    with pytest.raises(Refusal, match="come to your own cap"):
        start(organization, member, at, engine_size="large")


def test_what_a_colleague_reserved_of_the_teams_cap_is_not_there_for_a_start(
    organization, owner, member, cap, team_with, at
):
    cap(team_with(owner, member), 100)
    start(organization, owner, at)
    with pytest.raises(Refusal) as refused:
        start(organization, member, at)
    assert (refused.value.extra["left"], refused.value.extra["reserved"]) == (100, 60)


def test_who_is_not_under_the_cap_starts(organization, owner, member, cap, team_with, at):
    cap(team_with(member), 0)
    assert start(organization, owner, at).pk


def test_user_cap_blocks_though_the_organization_has_room_and_the_text_names_the_user_cap(
    organization, member, cap, at
):
    cap(member, 0)
    with pytest.raises(Refusal) as refused:
        start(organization, member, at)
    assert "your own cap" in refused.value.sentence
    assert "the organization has time left" in refused.value.sentence
    assert "Olga Owner" in refused.value.sentence


def test_organization_100_user_50_team_20_the_tightest_wins_and_all_are_reported(
    organization, member, cap, team_with, at
):
    leave(organization, 100)
    cap(member, 50)
    cap(team_with(member), 20)
    with pytest.raises(Refusal) as refused:
        start(organization, member, at)
    extra = refused.value.extra
    assert (extra["scope"], extra["limit"], extra["left"]) == ("team", 20, 20)
    assert "The team Data" in refused.value.sentence
    assert sorted((one["scope"], one["limit"]) for one in extra["caps"]) == [
        ("person", 50),
        ("team", 20),
    ]


def test_the_organization_comes_first(organization, member, cap, at):
    leave(organization, 10)
    cap(member, 5)
    with pytest.raises(Refusal) as refused:
        start(organization, member, at)
    assert refused.value.code == "no_allowance"


def test_a_dry_run_says_what_the_tightest_cap_affords(organization, member, cap, team_with, at):
    def affordable():
        preview = services.preview_start(
            at=at,
            person=member,
            organization=organization,
            request=StartRequest(engine_size="large"),
        )
        return preview.affordable_seconds

    cap(member, 1_000)
    assert affordable() == 500
    cap(team_with(member), 600)
    assert affordable() == 300


# In mid-session


def test_its_sessions_end_at_the_exact_second_and_others_go_on(
    organization, owner, member, cap, at
):
    version = cap(member, 90)
    capped, free = busy(organization, member, at), busy(organization, owner, at)
    meter(organization, later(at, 200))
    assert (after(capped).ended_at, capped.end_reason) == (later(at, 90), "cap_reached")
    assert capped.exhausted_cap == version.cap_id
    assert billed(capped) == capped.billed_seconds == 90
    assert after(free).ended_at is None
    stop(free, later(at, 200))


@pytest.mark.parametrize("seconds", [89, 90, 91])
def test_the_same_whatever_the_schedule_of_the_meter(organization, member, cap, at, seconds):
    cap(member, 90)
    session = busy(organization, member, at)
    meter(organization, later(at, seconds))
    meter(organization, later(at, 200))
    assert after(session).ended_at == later(at, 90)


def test_the_rest_of_the_second_is_free(organization, owner, member, cap, team_with, at):
    cap(team_with(owner, member), 125)
    first, second = busy(organization, owner, at), busy(organization, member, at)
    meter(organization, later(at, 300))
    assert after(first).ended_at == after(second).ended_at == later(at, 63)
    assert UnpaidTime.objects.get().session_id == second.id
    assert UnpaidTime.objects.get().compute_seconds == 1


def test_who_is_idle_ends_too(organization, owner, member, cap, team_with, at):
    cap(team_with(owner, member), 150)
    working, idle = busy(organization, owner, at), start(organization, member, at)
    meter(organization, later(at, 151))
    assert after(working).ended_at == after(idle).ended_at == later(at, 150)


def test_where_both_are_used_up_in_one_second_it_is_the_allowance(organization, member, cap, at):
    leave(organization, 90)
    cap(member, 90)
    session = busy(organization, member, at)
    meter(organization, later(at, 200))
    assert (after(session).end_reason, session.exhausted_cap) == ("allowance_exhausted", None)


def test_a_stop_in_its_second_is_a_stop(organization, member, cap, at):
    cap(member, 90)
    session = busy(organization, member, at)
    stop(session, later(at, 90))
    assert after(session).end_reason == "stopped"


def test_letting_sessions_finish_does_not_pass_a_cap(organization, owner, member, cap, at):
    leave(organization, 10)
    on_demand(organization, owner, at, "limited", 1_000, let_finish=True)
    cap(member, 90)
    session = busy(organization, member, at)
    meter(organization, later(at, 200))
    assert (after(session).ended_at, session.end_reason) == (later(at, 90), "cap_reached")


def test_a_new_period_counts_from_zero(organization, member, cap, at):
    cap(member, 10_000)
    session = busy(organization, member, at)
    meter(organization, later(at, 100))
    assert used(member) == 100
    stop(session, later(at, 100))
    boundary = period_end()
    meter(organization, boundary - timedelta(seconds=1))
    assert used(member) == 100
    meter(organization, boundary)
    assert used(member) == 0


# What counts


def test_a_cap_made_on_day_20_counts_days_1_to_19(organization, member, cap, at):
    session = busy(organization, member, at)
    stop(session, later(at, 500))
    day_20 = at + timedelta(days=19)
    cap(member, 559, day_20)
    assert used(member) == 500
    with pytest.raises(Refusal) as refused:
        start(organization, member, day_20)
    assert refused.value.extra["left"] == 59


def test_a_cap_that_was_lifted_knows_what_was_used_meanwhile(organization, member, cap, at):
    cap(member, 1_000)
    cap(member, None, later(at, 1))
    session = busy(organization, member, later(at, 2))
    stop(session, later(at, 302))
    cap(member, 1_000, later(at, 303))
    assert used(member) == 300


def test_a_session_counts_for_the_teams_of_its_start(
    organization, owner, member, cap, team_with, at
):
    before, then = team_with(member, name="Before"), team_with(owner, name="Then")
    cap(before, 100_000)
    cap(then, 100_000)
    session = busy(organization, member, at)
    change = {
        "actor": factories.actor(owner),
        "at": later(at, 60),
        "organization": organization,
        "person_ids": [member.pk],
    }
    orgs_services.remove_from_team(team_id=before.pk, **change)
    orgs_services.add_to_team(team_id=then.pk, **change)
    meter(organization, later(at, 100))
    assert (used(before), used(then)) == (100, 0)
    stop(session, later(at, 100))
    again = busy(organization, member, later(at, 200))
    meter(organization, later(at, 230))
    assert (used(before), used(then)) == (100, 30)
    stop(again, later(at, 230))


def test_time_of_every_source_counts(organization, owner, member, cap, at):
    leave(organization, 40)
    on_demand(organization, owner, at, "unlimited")
    cap(member, 1_000)
    session = busy(organization, member, at)
    meter(organization, later(at, 100))
    assert used(member) == 100
    stop(session, later(at, 100))


# Changing it


def test_cap_raised_above_use_blocked_sessions_may_start_at_once(organization, member, cap, at):
    cap(member, 60)
    session = busy(organization, member, at)
    meter(organization, later(at, 61))
    assert after(session).end_reason == "cap_reached"
    with pytest.raises(Refusal):
        start(organization, member, later(at, 61))
    cap(member, 120, later(at, 61))
    assert start(organization, member, later(at, 61)).pk


def test_cap_lowered_below_use_confirm_then_ladder_for_running_sessions(
    organization, member, cap, at
):
    cap(member, 100_000)
    session = busy(organization, member, at)
    version = cap(member, 50, later(at, 100))
    assert version.effective_at == later(at, 100 + NOTICE)
    meter(organization, later(at, 100 + NOTICE))
    assert after(session).ended_at is None
    meter(organization, later(at, 101 + NOTICE))
    assert (after(session).ended_at, session.end_reason) == (
        later(at, 100 + NOTICE),
        "cap_reached",
    )


def test_raised_before_the_notice_is_over_nobody_ends(organization, member, cap, at):
    cap(member, 100_000)
    session = busy(organization, member, at)
    cap(member, 50, later(at, 100))
    cap(member, 200_000, later(at, 400))
    meter(organization, later(at, 2_000))
    assert after(session).ended_at is None
    stop(session, later(at, 2_000))


def test_at_once_it_ends_at_once(organization, member, cap, at):
    cap(member, 100_000)
    session = busy(organization, member, at)
    cap(member, 50, later(at, 100), at_once=True)
    meter(organization, later(at, 102))
    assert after(session).ended_at == later(at, 100)


@pytest.mark.parametrize(("limit", "waits"), [(99, True), (100, False), (101, False)])
def test_only_under_what_is_used_it_waits(organization, member, cap, at, limit, waits):
    session = busy(organization, member, at)
    version = cap(member, limit, later(at, 100))
    assert (version.effective_at > version.recorded_at) == waits
    stop(session, later(at, 100))


def test_every_change_is_kept_with_who_when_from_to_and_why(organization, owner, member, cap, at):
    cap(member, 100, reason="Training is over")
    cap(member, None, later(at, 5))
    rows = list(CapVersion.objects.order_by("recorded_at"))
    assert [row.limit_compute_seconds for row in rows] == [100, None]
    assert (rows[0].actor, rows[0].reason, rows[0].recorded_at) == (owner, "Training is over", at)


@pytest.mark.parametrize("limit", [-1, 10**18])
def test_an_amount_that_cannot_be_is_refused_with_the_cure(organization, member, cap, limit):
    with pytest.raises(Refusal) as refused:
        cap(member, limit)
    assert list(refused.value.errors) == ["limit_compute_seconds"]
    assert not Cap.objects.exists()


def test_somebody_else_s_people_and_teams_are_unknown(organization, member, cap, at):
    stranger = factories.person("Sam Stranger")
    with pytest.raises(Refusal) as refused:
        cap(stranger, 100)
    assert refused.value.status == 404
    with pytest.raises(Refusal):
        cap(member, 100, scope="team")


# What its user is told


def told(session, at):
    kinds = ("cap_low", "cap_reached_at")
    return next((one for one in seen(session, at).notices if one.kind in kinds), None)


@pytest.mark.parametrize(
    ("before_end", "is_told", "urgent"),
    [(901, False, False), (900, True, False), (301, True, False), (300, True, True)],
)
def test_a_notice_comes_15_and_5_minutes_before_the_cap_is_reached(
    organization, member, cap, at, before_end, is_told, urgent
):
    cap(member, 2_000)
    session = busy(organization, member, at)
    meter(organization, later(at, 1_000))
    notice = told(session, later(at, 2_000 - before_end))
    assert (notice is not None) == is_told
    if notice:
        assert (notice.at, notice.urgent, notice.ends_session) == (later(at, 2_000), urgent, True)
        assert "your own cap" in notice.sentence


def test_the_team_is_named_and_those_outside_it_are_told_nothing(
    organization, owner, member, cap, team_with, at
):
    cap(team_with(member), 1_200)
    inside, outside = busy(organization, member, at), busy(organization, owner, at)
    meter(organization, later(at, 600))
    assert "The team Data comes to its cap" in told(inside, later(at, 600)).sentence
    assert told(outside, later(at, 600)) is None


def test_two_of_a_team_use_it_up_twice_as_fast(organization, owner, member, cap, team_with, at):
    cap(team_with(owner, member), 2_000)
    first, _second = busy(organization, owner, at), busy(organization, member, at)
    meter(organization, later(at, 300))
    assert told(first, later(at, 300)).at == later(at, 1_000)


def test_an_open_gap_that_may_still_be_resumed_counts(
    organization, owner, member, cap, team_with, at
):
    cap(team_with(owner, member), 1_200)
    idle = start(organization, member, at)
    report(idle, at)
    working = busy(organization, owner, at)
    meter(organization, later(at, 400))
    # 300 s active and 100 s of a gap that a resume would bill, beside 400 s of work: 400 are left.
    assert told(working, later(at, 400)).at == later(at, 600)


def test_a_lower_cap_that_is_to_come_is_told_from_when_it_was_set(organization, member, cap, at):
    cap(member, 100_000)
    session = busy(organization, member, at)
    cap(member, 50, later(at, 100))
    notice = told(session, later(at, 100))
    assert (notice.kind, notice.at) == ("cap_reached_at", later(at, 100 + NOTICE))
    assert "A lower cap of yours" in notice.sentence
    cap(member, 100_000, later(at, 200))
    assert told(session, later(at, 200)) is None


def test_the_notice_is_over_with_the_period(organization, member, cap, at):
    boundary = period_end()
    begin = boundary - timedelta(seconds=1_000)
    cap(member, 1_100, begin)
    session = busy(organization, member, begin)
    meter(organization, begin + timedelta(seconds=500))
    assert told(session, begin + timedelta(seconds=500)) is None
    assert after(session).cap_ahead is None


def test_whoever_nears_a_cap_is_metered_every_few_seconds(organization, member, cap, at):
    cap(member, 90)
    session = busy(organization, member, at)
    for passed in range(4, 92, 4):
        assert services.meet_bounds(at=later(at, passed)).ended == 0
    assert services.meet_bounds(at=later(at, 92)).ended == 1
    assert after(session).ended_at == later(at, 90)


def test_without_caps_nothing_is_asked_for_them(
    organization, member, at, django_assert_max_num_queries
):
    session = busy(organization, member, at)
    assert not Session.objects.exclude(cap_ahead=None).exists()
    with django_assert_max_num_queries(40) as asked:
        meter(organization, later(at, 60))
    assert not any("usage_cap" in query["sql"] for query in asked.captured_queries)
    stop(session, later(at, 60))
