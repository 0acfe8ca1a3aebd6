"""The ledger beside a fresh computation, and its corrections (product.md rule 17)."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F, Sum

from offload_portal.common.refusals import Refusal
from orgs.models import AuditEntry
from sessions import services
from sessions.models import Session
from sessions.services import reconciling
from sessions.services.remetering import remeter
from tests import factories
from tests.sessions import worlds
from tests.sessions.lives import later, meter
from tests.usage.worlds import on_demand, top_up
from usage.models import Allowance, Cap, LedgerEntry, Pool, UnpaidTime
from usage.selectors import uses_of_sessions

pytestmark = pytest.mark.django_db


def run(organization, at, *, dry_run=False, reason="A second was counted twice", by=None):
    return remeter(
        actor=factories.actor(by or factories.operator()),
        at=at,
        organization=organization,
        reason=reason,
        dry_run=dry_run,
    )


def sums(session):
    use = uses_of_sessions([(session.pk, session.organization_id)])[session.pk]
    return {source: (one.seconds, one.compute_seconds) for source, one in use.items()}


@pytest.fixture
def month(organization, owner, member, at):
    """Committed time used up, a top-up, on-demand beyond it, a limit that ends a session."""
    pool = Pool.objects.get(organization=organization)
    worlds.session(organization, member, at, 900)
    on_demand(organization, owner, later(at, 1_000), "limited", 1)
    top_up(organization, owner, later(at, 1_100), 1)
    worlds.session(organization, member, later(at, 1_200), 1_500, size="large")
    worlds.session(organization, owner, later(at, 3_000), 700)
    meter(organization, later(at, 4_000))
    assert pool.compute_seconds
    return later(at, 4_000)


def test_what_the_meter_wrote_is_what_a_fresh_computation_says(organization, month):
    assert run(organization, month, dry_run=True).differences == ()


def test_also_over_a_period_s_boundary_with_a_cap_that_was_reached(organization, owner, member, at):
    boundary = Allowance.objects.get().period_end
    assert boundary is not None
    begin = boundary - timedelta(seconds=600)
    services.set_cap(
        actor=factories.actor(owner),
        at=begin,
        organization=organization,
        scope="person",
        subject_id=member.pk,
        limit_compute_seconds=900,
    )
    session = worlds.start(organization, member, begin)
    worlds.keep_awake(session, 86_400)
    worlds.report(session, begin, 1)
    for seconds in (100, 650, 2_000):
        meter(organization, begin + timedelta(seconds=seconds))
    session.refresh_from_db()
    assert (session.ended_at, session.end_reason) == (
        begin + timedelta(seconds=1_500),
        "cap_reached",
    )
    assert run(organization, begin + timedelta(seconds=2_000), dry_run=True).differences == ()


@pytest.mark.parametrize("by", [7, -7])
def test_what_was_tampered_with_is_brought_back_by_another_entry(organization, month, by):
    entry = LedgerEntry.objects.order_by("hour", "id")[0]
    kept = (entry.seconds, entry.compute_seconds)
    LedgerEntry.objects.filter(id=entry.id).update(
        seconds=F("seconds") + by, compute_seconds=F("compute_seconds") + by
    )
    found = run(organization, month, dry_run=True)
    assert [one.missing[:3] for one in found.differences] == [(-by, 0, -by)]
    assert not LedgerEntry.objects.exclude(corrects=None).exists(), "a look writes nothing"
    assert run(organization, month).written
    correction = LedgerEntry.objects.exclude(corrects=None).get()
    assert (correction.corrects, correction.corrected_hour) == (entry.id, entry.hour)
    assert (correction.seconds, correction.compute_seconds) == (-by, -by)
    assert correction.reason == "A second was counted twice"
    session = Session.objects.get(pk=entry.session_id)
    assert sum(wall for wall, _compute in sums(session).values()) == session.billed_seconds
    changed = LedgerEntry.objects.get(id=entry.id)
    assert (changed.seconds - by, changed.compute_seconds - by) == kept, "the entry stays"


def test_again_it_finds_nothing_and_the_numbers_are_one(organization, month):
    LedgerEntry.objects.update(seconds=F("seconds") + 3, compute_seconds=F("compute_seconds") + 3)
    run(organization, month)
    assert run(organization, month, dry_run=True).differences == ()
    later_on = month + timedelta(hours=2)
    meter(organization, later_on)
    assert reconciling.reconcile(at=later_on, everything=True).differ == 0


def test_a_lost_entry_is_written_again_in_the_open_hour(organization, member, at):
    session = worlds.session(organization, member, at, 900)
    meter(organization, at + timedelta(days=1))
    LedgerEntry.objects.all().delete()
    run(organization, at + timedelta(days=1))
    (entry,) = LedgerEntry.objects.all()
    assert (entry.corrects, entry.seconds) == (session.pk, 900)
    assert entry.hour == at + timedelta(days=1)
    assert run(organization, at + timedelta(days=1), dry_run=True).differences == ()


def test_allowance_pools_caps_and_unpaid_time_are_restated(organization, owner, member, at):
    services.set_cap(
        actor=factories.actor(owner),
        at=at,
        organization=organization,
        scope="person",
        subject_id=member.pk,
        limit_compute_seconds=100_000,
    )
    worlds.session(organization, member, at, 900)
    meter(organization, later(at, 1_000))
    LedgerEntry.objects.update(seconds=0, compute_seconds=0)
    Pool.objects.update(used_compute_seconds=0)
    Cap.objects.update(used_compute_seconds=0)
    UnpaidTime.objects.create(organization=organization, session_id=member.pk, seconds=5)
    run(organization, later(at, 1_000))
    assert Pool.objects.get().used_compute_seconds == 900
    assert Cap.objects.get().used_compute_seconds == 900
    assert UnpaidTime.objects.aggregate(rest=Sum("seconds"))["rest"] == 0
    row = Allowance.objects.get()
    assert row.left_compute_seconds == Pool.objects.get().compute_seconds - 900


def test_an_earlier_period_is_corrected_in_the_open_one_and_draws_nothing_from_it(
    organization, owner, member, at
):
    services.set_cap(
        actor=factories.actor(owner),
        at=at,
        organization=organization,
        scope="person",
        subject_id=member.pk,
        limit_compute_seconds=100_000,
    )
    worlds.session(organization, member, at, 900)
    then = at + timedelta(days=40)
    meter(organization, then)
    before = Allowance.objects.get().left_compute_seconds
    LedgerEntry.objects.update(seconds=800, compute_seconds=800)
    run(organization, then)
    correction = LedgerEntry.objects.exclude(corrects=None).get()
    assert correction.period_start == Allowance.objects.get().period_start
    assert correction.compute_seconds == 100
    assert Allowance.objects.get().left_compute_seconds == before
    assert Cap.objects.get().used_compute_seconds == 0


def test_it_is_audited_with_its_reason_and_who_ordered_it(organization, month):
    LedgerEntry.objects.update(seconds=F("seconds") + 1)
    operator = factories.operator()
    run(organization, month, by=operator)
    entry = AuditEntry.objects.get(event="ledger.corrected")
    assert entry.actor_id == operator.pk
    assert entry.after["entries"] == LedgerEntry.objects.exclude(corrects=None).count()
    assert set(LedgerEntry.objects.exclude(corrects=None).values_list("ordered_by", flat=True)) == {
        operator.pk
    }


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_without_a_reason_nothing_is_written(organization, month, reason):
    LedgerEntry.objects.update(seconds=F("seconds") + 1)
    with pytest.raises(Refusal, match="Give a reason"):
        run(organization, month, reason=reason)
    assert not LedgerEntry.objects.exclude(corrects=None).exists()
    LedgerEntry.objects.update(seconds=F("seconds") - 1)


def tell(*arguments, **options):
    out = StringIO()
    call_command("remeter", *arguments, stdout=out, **options)
    return out.getvalue()


def test_the_command_shows_the_difference_and_corrects_it(organization, month, clock):
    clock.move_to(month)
    assert "as a fresh computation has it" in tell(organization.slug, dry_run=True)
    LedgerEntry.objects.update(seconds=F("seconds") + 1, compute_seconds=F("compute_seconds") + 1)
    with pytest.raises(CommandError, match="without --dry-run they are corrected"):
        tell("--all", dry_run=True)
    operator = factories.operator()
    told = tell(organization.slug, reason="A second too many", by=operator.email)
    assert "entries corrected" in told
    assert "as a fresh computation has it" in tell("--all", dry_run=True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Name one organization"),
        (("no-such",), "There is no organization no-such"),
    ],
)
def test_the_command_says_what_it_needs(organization, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        tell(*arguments, dry_run=True)
    with pytest.raises(CommandError, match="--by"):
        tell(organization.slug, reason="x", by="nobody@example.com")
