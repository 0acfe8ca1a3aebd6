"""What a session's user is told before anything is stopped (product.md rules 14, 19, 22)."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from offload_portal.common.periods import from_seconds
from orgs.selectors import policy_terms
from orgs.services import PolicyChange, update_policy
from orgs.services.overrides import OverrideChange, add_override
from sessions import services
from sessions.models import Session
from sessions.selectors import find_session, insights
from sessions.selectors.facts import facts_of
from sessions.selectors.notices import around, notices_of
from sessions.selectors.versions import standings, versions
from tests.factories import actor, license_for, subscribed_organization
from tests.sessions.lives import later, meter, report, seen, start, stop
from tests.sessions.worlds import keep_awake
from tests.usage.worlds import leave, on_demand, top_up
from usage.models import Allowance
from usage.services import set_on_demand

pytestmark = pytest.mark.django_db
HOUR = 3_600
RATE = 50  # micro-dollars per compute-second of the team plan


@pytest.fixture
def busy(organization, owner, member, at):
    """A session that stays active all day, in an organization with so much time left."""

    def begin(left, *, awake=86_400, on_demand=None, **more):
        leave(organization, left)
        if on_demand is not None:
            limit(organization, owner, at, on_demand, **more)
        session = start(organization, member, at)
        keep_awake(session, awake)
        report(session, at)
        return session

    return begin


def told(session, at, kind="allowance_low"):
    return next((one for one in seen(session, at).notices if one.kind == kind), None)


def kinds(session, at):
    return [str(one.kind) for one in seen(session, at).notices]


# The forecast


@pytest.mark.parametrize(
    ("before_end", "is_told", "urgent"),
    [
        (901, False, False),
        (900, True, False),
        (899, True, False),
        (301, True, False),
        (300, True, True),
        (1, True, True),
    ],
)
def test_a_notice_comes_15_and_5_minutes_before_time_runs_out(
    organization, busy, at, before_end, is_told, urgent
):
    session = busy(2_000)
    meter(organization, later(at, 1_000))
    notice = told(session, later(at, 2_000 - before_end))
    assert (notice is not None) == is_told
    if notice:
        assert (notice.at, notice.urgent, notice.ends_session) == (later(at, 2_000), urgent, True)


def test_it_is_gone_with_the_session(organization, busy, at):
    session = busy(1_000)
    meter(organization, later(at, 500))
    assert kinds(session, later(at, 999)) == ["allowance_low"]
    meter(organization, later(at, 1_000 + 60))
    assert seen(session, later(at, 1_060)).ended_at == later(at, 1_000)
    assert kinds(session, later(at, 1_060)) == []


def test_three_sizes_run_it_out_together(organization, owner, member, colleague, at):
    policy(organization, owner, at, engine_sizes=("standard", "large", "gpu"), gpu_allowed=True)
    license_for(organization, colleague, at=at)
    leave(organization, 9 * 660)
    for size, person in (("standard", owner), ("large", member), ("gpu", colleague)):
        session = start(organization, person, at, engine_size=size)
        keep_awake(session, 86_400)
        report(session, at)
    meter(organization, later(at, 60))
    assert told(session, later(at, 60)).at == later(at, 660)


def test_an_open_gap_that_may_still_resume_counts(organization, busy, at):
    session = busy(1_300, awake=100)  # idle from 100 on; its idle end is at 400
    meter(organization, later(at, 390))
    # Resumed at 390 it would have used 390: 910 are left from there.
    assert Allowance.objects.get().sessions_end_at == later(at, 1_300)
    Session.objects.filter(pk=session.pk).update(idle_end_seconds=HOUR)
    assert told(session, later(at, 399)) is None
    assert told(session, later(at, 400)).at == later(at, 1_300)


def test_a_gap_that_ended_its_session_counts_no_longer(organization, busy, at):
    busy(1_300, awake=100)
    meter(organization, later(at, 400))
    assert Allowance.objects.get().sessions_end_at is None


def test_who_waits_for_the_first_activity_uses_nothing_yet(organization, member, at):
    leave(organization, 500)
    start(organization, member, at)
    meter(organization, later(at, 60))
    assert Allowance.objects.get().sessions_end_at is None


def test_stopping_takes_the_notice_back_from_the_others(organization, owner, busy, at):
    first = busy(1_000)
    other = start(organization, owner, at)
    meter(organization, later(at, 200))
    assert kinds(other, later(at, 200)) == ["allowance_low"]
    stop(first, later(at, 201))
    assert kinds(other, later(at, 201)) == []


def test_a_top_up_takes_the_notice_back_at_once(organization, owner, busy, at):
    session = busy(1_000)
    meter(organization, later(at, 200))
    assert kinds(session, later(at, 200)) == ["allowance_low"]
    top_up(organization, owner, later(at, 210), 1)
    assert kinds(session, later(at, 210)) == []


def test_raising_the_limit_takes_the_notice_back_at_once(organization, owner, busy, at):
    session = busy(0, on_demand=500)
    meter(organization, later(at, 100))
    assert told(session, later(at, 100)).at == later(at, 500)
    limit(organization, owner, later(at, 110), 5_000)
    assert kinds(session, later(at, 110)) == []


def test_unlimited_on_demand_gives_no_notice(organization, owner, busy, at):
    session = busy(500)
    on_demand(organization, owner, at, "unlimited")
    meter(organization, later(at, 200))
    assert kinds(session, later(at, 200)) == []


def test_where_sessions_may_finish_it_says_that_only_starts_are_refused(organization, busy, at):
    session = busy(0, on_demand=500, let_finish=True)
    meter(organization, later(at, 100))
    notice = told(session, later(at, 100))
    assert (notice.at, notice.ends_session) == (later(at, 500), False)
    assert "new sessions are refused" in notice.sentence
    meter(organization, later(at, 560))
    meter(organization, later(at, 620))
    reached = told(session, later(at, 620))
    assert (reached.at, reached.ends_session) == (later(at, 500), False)
    assert "is reached" in reached.sentence


# A lower limit


def test_a_limit_lowered_under_what_is_used_is_told_from_when_it_was_set(
    organization, owner, busy, at
):
    session = busy(0, on_demand=5_000)
    meter(organization, later(at, 300))
    assert kinds(session, later(at, 300)) == []
    limit(organization, owner, later(at, 310), 100)
    notice = told(session, later(at, 310), "limit_reached_at")
    assert (notice.at, notice.urgent, notice.ends_session) == (later(at, 910), False, True)
    assert told(session, later(at, 609), "limit_reached_at").urgent is False
    assert told(session, later(at, 610), "limit_reached_at").urgent is True
    meter(organization, later(at, 911))
    session.refresh_from_db()
    assert (session.ended_at, session.end_reason) == (later(at, 910), "allowance_exhausted")


def test_raised_again_in_time_it_ends_nothing(organization, owner, busy, at):
    session = busy(0, on_demand=5_000)
    limit(organization, owner, later(at, 310), 100)
    limit(organization, owner, later(at, 320), 5_000)
    assert kinds(session, later(at, 320)) == []


def test_where_a_top_up_would_pay_on_the_lower_limit_ends_nothing(organization, owner, busy, at):
    session = busy(0, on_demand=5_000)
    limit(organization, owner, later(at, 310), 100)
    top_up(organization, owner, later(at, 320), 1)
    assert told(session, later(at, 320), "limit_reached_at") is None


def test_who_starts_within_the_notice_is_told_too(organization, owner, busy, at):
    busy(0, on_demand=5_000)
    limit(organization, owner, later(at, 310), 100)
    session = start(organization, owner, later(at, 400))
    assert told(session, later(at, 400), "limit_reached_at").at == later(at, 910)


# On demand


def test_it_is_told_once_when_on_demand_takes_over(organization, owner, busy, at):
    session = busy(400, on_demand=50_000)
    meter(organization, later(at, 300))
    assert kinds(session, later(at, 300)) == []
    meter(organization, later(at, 460))
    assert told(session, later(at, 460), "on_demand_now").at == later(at, 400)
    meter(organization, later(at, 520))
    assert told(session, later(at, 520), "on_demand_now").at == later(at, 400)
    after = start(organization, owner, later(at, 530))
    assert kinds(after, later(at, 530)) == []
    top_up(organization, owner, later(at, 540), 1)
    meter(organization, later(at, 600))
    assert kinds(session, later(at, 600)) == []
    assert ("on_demand", later(at, 400)) in events(session, later(at, 600))


# The session's own length, and the subscription


@pytest.mark.parametrize(
    ("second", "is_told", "urgent"),
    [(2_699, False, False), (2_700, True, False), (3_299, True, False), (3_300, True, True)],
)
def test_the_longest_session_is_told_15_and_5_minutes_before(
    organization, owner, member, at, second, is_told, urgent
):
    policy(organization, owner, at, longest_session_seconds=HOUR)
    session = start(organization, member, at)
    keep_awake(session, 86_400)
    report(session, at)
    notice = told(session, later(at, second), "session_length")
    assert (notice is not None) == is_told
    if notice:
        assert (notice.at, notice.urgent) == (later(at, HOUR), urgent)


def test_a_trial_that_ends_is_told_a_day_before(owner, at):
    place = subscribed_organization(owner, at=at, plan="trial")
    ends = at + timedelta(days=14)
    begun = ends - timedelta(hours=25)
    session = start(place, owner, begun)
    keep_awake(session, 200_000)
    report(session, begun)
    day = timedelta(days=1)
    assert kinds(session, ends - day - timedelta(seconds=1)) == []
    notice = told(session, ends - day, "subscription_ending")
    assert (notice.at, notice.urgent, notice.ends_session) == (ends, False, True)
    assert told(session, later(ends, -300), "subscription_ending").urgent is True
    assert kinds(session, ends) == []


# The policy


def test_a_changed_policy_is_told_with_what_holds_from_the_next_start(
    organization, owner, member, at
):
    session = start(organization, member, at)
    policy(
        organization,
        owner,
        later(at, 10),
        idle_timeout_seconds=600,
        longest_session_seconds=2 * HOUR,
        engine_sizes=("large",),
    )
    notice = told(session, later(at, 10), "policy_changed")
    assert (notice.at, notice.ends_session) == (later(at, 10), False)
    assert notice.sentence == (
        "The policy has changed. From your next start: an idle timeout of 10 m instead of 5 m; "
        "sessions of at most 2 h; no engine of the size standard."
    )
    assert kinds(start_again(session, later(at, 20), size="large"), later(at, 20)) == []


def test_a_change_that_means_nothing_to_the_session_is_told_plainly(
    organization, owner, member, at
):
    session = start(organization, member, at)
    policy(organization, owner, later(at, 10), sessions_per_person=3)
    sentence = told(session, later(at, 10), "policy_changed").sentence
    assert sentence == "The policy has changed; it holds from your next start."


def test_whom_a_policy_of_their_own_concerns_is_told_so_and_nobody_else(
    organization, owner, member, at
):
    session, other = start(organization, member, at), start(organization, owner, at)
    change = OverrideChange(
        name="Long", terms={"longest_session_seconds": HOUR}, team_ids=[], person_ids=[member.pk]
    )
    add_override(actor=actor(owner), at=later(at, 10), organization=organization, change=change)
    sentence = told(session, later(at, 10), "policy_changed").sentence
    assert sentence == "The policy has changed; it holds from your next start."
    assert kinds(other, later(at, 10)) == []
    assert kinds(start_again(session, later(at, 20)), later(at, 20)) == []


# The tag, and what it costs


def test_the_tag_changes_with_a_notice_and_does_not_tick(organization, busy, at):
    session = busy(2_000)
    meter(organization, later(at, 1_000))
    tags = [seen(session, later(at, second)).version for second in (1_099, 1_100, 1_500, 1_699)]
    assert tags[0] != tags[1] == tags[2] == tags[3]
    assert seen(session, later(at, 1_700)).version != tags[3]


def test_a_forecast_that_moves_does_not_change_the_tag(organization, owner, busy, at):
    session = busy(2_000)
    other = start(organization, owner, later(at, 1_190))
    meter(organization, later(at, 1_200))
    before = seen(session, later(at, 1_201))
    report(other, later(at, 1_202))
    meter(organization, later(at, 1_202))
    after = seen(session, later(at, 1_202))
    assert before.notices[0].at == later(at, 2_000)
    assert after.notices[0].at == later(at, 1_601)
    assert before.version == after.version


def test_who_waits_for_news_is_woken_when_a_notice_comes(organization, busy, at):
    session = busy(2_000)
    meter(organization, later(at, 1_000))
    instants, now = [], later(at, 1_000)
    for _step in range(2):
        until = versions([session.id], now)[session.id].until
        assert until is not None
        now = from_seconds(until)
        instants.append(int((now - at).total_seconds()))
    assert instants == [1_100, 1_700]


def test_who_waits_hears_of_what_the_meter_found(organization, owner, busy, at):
    session = busy(1_000)
    before = standings([session.id])
    meter(organization, later(at, 60))
    found = standings([session.id])
    assert found != before
    policy(organization, owner, later(at, 70), sessions_per_person=2)
    assert standings([session.id]) != found


def test_notices_cost_no_statement(organization, owner, busy, at, django_assert_num_queries):
    session = busy(1_000)
    meter(organization, later(at, 200))
    row = Session.objects.as_shown().prefetch_related("stretches").get(pk=session.pk)
    with django_assert_num_queries(0):
        assert notices_of(row, facts_of(row), around(row), later(at, 200))


def test_insights_tell_when_it_was_told(organization, busy, at):
    session = busy(1_000)
    meter(organization, later(at, 60))
    assert ("allowance_low", later(at, 60)) not in events(session, later(at, 60))
    meter(organization, later(at, 120))
    meter(organization, later(at, 180))
    assert ("allowance_low", later(at, 120)) in events(session, later(at, 180))


# Helpers


def limit(organization, owner, at, compute_seconds, **more):
    """On-demand limited to so many compute-seconds of the period."""
    services.change_allowance(
        organization=organization,
        at=at,
        change=lambda instant: set_on_demand(
            actor=actor(owner),
            at=instant,
            organization=organization,
            mode="limited",
            limit_microusd=compute_seconds * RATE,
            **more,
        ),
    )


def policy(organization, owner, at, **changed):
    terms = policy_terms(organization)
    names = (field.name for field in fields(PolicyChange))
    same = PolicyChange(**{name: getattr(terms, name) for name in names})
    change = replace(same, **changed)
    update_policy(actor=actor(owner), at=at, organization=organization, change=change)


def start_again(session, at, size="standard"):
    stop(session, at)
    return start(session.organization, session.person, at, engine_size=size)


def events(session, at):
    found = insights(find_session(session.person, session.id)[0], at)
    return [(event.kind, event.at) for event in found.events]
