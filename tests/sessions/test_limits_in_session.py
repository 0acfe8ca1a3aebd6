"""Limits that hold in mid-session (product.md rule 19)."""

import pytest

from offload_portal.common.refusals import Refusal
from sessions import services
from tests.factories import actor
from tests.sessions.lives import billed, later, meter, report, seen, start, stop
from usage import services as usage_services
from usage.models import Allowance, LedgerEntry, Pool, UnpaidTime

pytestmark = pytest.mark.django_db


def leave(organization, compute_seconds):
    """Let the commitment have this much left."""
    pool = Pool.objects.get(organization=organization)
    Pool.objects.update(used_compute_seconds=pool.compute_seconds - compute_seconds)
    Allowance.objects.update(left_compute_seconds=compute_seconds)


def set_on_demand(organization, owner, at, **setting):
    services.change_allowance(
        organization=organization,
        at=at,
        change=lambda instant: usage_services.set_on_demand(
            actor=actor(owner), at=instant, organization=organization, **setting
        ),
    )


def keep_busy(session, at, seconds):
    for second in range(0, seconds, 60):
        report(session, later(at, second))


@pytest.mark.parametrize(("left", "may"), [(59, False), (60, True), (61, True)])
def test_a_start_needs_a_minute_of_its_size(organization, member, at, left, may):
    leave(organization, left)
    if may:
        assert start(organization, member, at).reserved_compute_seconds == 60
        return
    with pytest.raises(Refusal) as refused:
        start(organization, member, at)
    assert (refused.value.code, refused.value.status) == ("no_allowance", 402)
    assert refused.value.extra["left"] == left
    assert refused.value.extra["needed"] == 60
    assert "59" in refused.value.sentence


def test_what_another_session_reserved_is_not_there_for_a_start(organization, owner, member, at):
    leave(organization, 100)
    start(organization, owner, at)
    with pytest.raises(Refusal) as refused:
        start(organization, member, at)
    assert (refused.value.extra["left"], refused.value.extra["reserved"]) == (100, 60)


def test_the_session_ends_at_the_end_of_the_second_in_which_nothing_is_left(
    organization, member, at
):
    leave(organization, 90)
    session = start(organization, member, at)
    keep_busy(session, at, 200)
    meter(organization, later(at, 200))
    session.refresh_from_db()
    assert (session.ended_at, session.end_reason) == (later(at, 90), "allowance_exhausted")
    assert billed(session) == session.billed_seconds == 90


def test_the_rest_of_the_second_is_free(organization, owner, member, at):
    leave(organization, 125)
    first = start(organization, owner, at)
    second = start(organization, member, at)
    for session in (first, second):
        keep_busy(session, at, 120)
    meter(organization, later(at, 300))
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.ended_at == second.ended_at == later(at, 63)
    assert UnpaidTime.objects.get().session_id == second.id
    assert UnpaidTime.objects.get().compute_seconds == 1
    assert billed(first) == billed(second) == 63


def test_an_idle_session_ends_with_the_rest(organization, owner, member, at):
    leave(organization, 130)
    busy, idle = start(organization, owner, at), start(organization, member, at)
    keep_busy(busy, at, 130)
    meter(organization, later(at, 131))
    idle.refresh_from_db()
    assert (idle.ended_at, idle.end_reason) == (later(at, 130), "allowance_exhausted")


def test_a_purchase_at_that_very_second_saves_it(organization, owner, member, at):
    leave(organization, 90)
    session = start(organization, member, at)
    keep_busy(session, at, 90)
    services.change_allowance(
        organization=organization,
        at=later(at, 90),
        change=lambda instant: usage_services.buy_top_up(
            actor=actor(owner), at=instant, organization=organization, compute_seconds=3_600
        ),
    )
    meter(organization, later(at, 100))
    assert seen(session, later(at, 100)).state == "active"


def test_a_purchase_one_second_later_does_not(organization, owner, member, at):
    leave(organization, 90)
    session = start(organization, member, at)
    keep_busy(session, at, 90)
    services.change_allowance(
        organization=organization,
        at=later(at, 91),
        change=lambda instant: usage_services.buy_top_up(
            actor=actor(owner), at=instant, organization=organization, compute_seconds=3_600
        ),
    )
    session.refresh_from_db()
    assert (session.ended_at, session.end_reason) == (later(at, 90), "allowance_exhausted")


def test_on_demand_pays_beyond_the_commitment_up_to_its_limit(organization, owner, member, at):
    leave(organization, 60)
    rate = usage_rate(organization)
    set_on_demand(organization, owner, at, mode="limited", limit_microusd=40 * rate + rate - 1)
    session = start(organization, member, at)
    keep_busy(session, at, 200)
    meter(organization, later(at, 200))
    session.refresh_from_db()
    assert session.ended_at == later(at, 100)
    paid = LedgerEntry.objects.get(source="on_demand")
    assert (paid.compute_seconds, paid.cost_microusd) == (40, 40 * rate)


def test_a_limit_of_zero_blocks_on_demand_only(organization, owner, member, at):
    set_on_demand(organization, owner, at, mode="limited", limit_microusd=0)
    session = start(organization, member, at)
    report(session, at)
    stop(session, later(at, 30))
    assert LedgerEntry.objects.get().source == "committed"


def test_letting_sessions_finish_bills_past_the_limit(organization, owner, member, at):
    leave(organization, 60)
    rate = usage_rate(organization)
    set_on_demand(
        organization, owner, at, mode="limited", limit_microusd=20 * rate, let_finish=True
    )
    session = start(organization, member, at)
    keep_busy(session, at, 100)
    stop(session, later(at, 100))
    by_source = seen(session, later(at, 100)).by_source
    assert {name: use.compute_seconds for name, use in by_source.items()} == {
        "committed": 60,
        "on_demand": 20,
        "over_limit": 20,
    }
    with pytest.raises(Refusal) as refused:
        start(organization, member, later(at, 101))
    assert refused.value.code == "on_demand_limit_reached"


def test_switching_on_demand_off_at_once_ends_what_it_paid_for(organization, owner, member, at):
    leave(organization, 60)
    set_on_demand(organization, owner, at, mode="unlimited")
    session = start(organization, member, at)
    keep_busy(session, at, 100)
    set_on_demand(organization, owner, later(at, 80), mode="off", at_once=True)
    meter(organization, later(at, 81))
    session.refresh_from_db()
    assert (session.ended_at, session.end_reason) == (later(at, 80), "allowance_exhausted")


def test_a_limit_lowered_under_what_is_used_takes_effect_after_its_notice(
    organization, owner, member, at
):
    leave(organization, 60)
    set_on_demand(organization, owner, at, mode="unlimited")
    session = start(organization, member, at)
    keep_busy(session, at, 900)
    set_on_demand(organization, owner, later(at, 80), mode="off")
    meter(organization, later(at, 900))
    session.refresh_from_db()
    assert session.ended_at == later(at, 80 + 600)


def usage_rate(organization):
    return organization.rates.order_by("valid_from").last().microusd_per_compute_second
