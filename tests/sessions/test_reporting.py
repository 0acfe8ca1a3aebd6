"""The short way of a report: the same outcome as the long one, in a fixed number of statements."""

import contextlib
from dataclasses import asdict, replace
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offload_portal.common.refusals import Refusal
from sessions import services
from sessions.models import ContainerRun, Pulse, Sample, Session, Stretch
from sessions.selectors import find_own_reading, find_reading, views_of
from sessions.services.reporting import record
from tests import factories
from tests.sessions.lives import later, meter, start

pytestmark = pytest.mark.django_db

IMAGES = ("acme/api:1", "acme/web:1", "hello-world")


def seen_whole(session, at):
    """The view as lists read it: set by set."""
    rows = Session.objects.as_shown()
    return views_of([rows.get(pk=session.pk)], at)[0]


def long_way(session, at, report):
    services.report(actor=factories.actor(session.person), at=at, session=session, report=report)
    return seen_whole(session, at)


def short_way(session, at, report):
    reading = find_own_reading(session.person, session.pk)
    return record(actor=factories.actor(session.person), at=at, reading=reading, report=report)


def outcome(way, session, at, report):
    try:
        with transaction.atomic():
            view = way(session, at, report)
    except Refusal as refused:
        return refused.code, refused.extra
    owned = {"id": None, "user_id": None, "user_name": "", "user_email": "", "version": ""}
    return asdict(replace(view, **owned)), view.version


def rows(session):
    """Everything a report may write, without identifiers."""
    own = {"session_id": session.pk}
    names = [field.attname for field in Pulse._meta.concrete_fields if field.name != "session"]
    return (
        list(Pulse.objects.filter(**own).values_list(*names)),
        list(Stretch.objects.filter(**own).order_by("started_at").values_list("idle_at")),
        list(
            ContainerRun.objects.filter(**own)
            .order_by("container_id", "started_at")
            .values_list("container_id", "name", "image", "started_at", "exited_at", "exit_code")
        ),
        list(Sample.objects.filter(**own).order_by("at").values_list("at", "memory_bytes")),
        list(Session.objects.filter(pk=session.pk).values_list("version", "ended_at")),
    )


@pytest.fixture
def twins(organization, member, at):
    """Two sessions with the same life; the idle timeout is longer than the inactivity prompt."""
    other = factories.licensed_member(organization, "Mia Member", at=at)
    pair = [start(organization, person, at) for person in (member, other)]
    Session.objects.update(idle_timeout_seconds=240, prompt_seconds=900)
    return pair


containers = st.builds(
    lambda number, image, began, lasted, code: services.ContainerSeen(
        id=f"c{number}",
        name=f"name-{code}",
        image=image,
        started_at=later(factories.AT, began),
        exited_at=None if lasted is None else later(factories.AT, began + lasted),
        exit_code=code if lasted is not None else None,
    ),
    st.integers(0, 2),
    st.sampled_from(IMAGES),
    st.integers(0, 3),
    st.none() | st.integers(0, 5),
    st.integers(0, 2),
)
samples = st.builds(
    lambda second, memory: services.SampleSeen(later(factories.AT, second), 1_000, memory),
    st.integers(0, 5),
    st.integers(0, 9),
)
reports = st.builds(
    lambda ahead, running, calls, seen, sampled: (
        ahead,
        services.ActivityReport(
            sequence=1,
            running_containers=running,
            api_calls=calls,
            containers=tuple(seen),
            samples=tuple(sampled),
        ),
    ),
    st.integers(-1, 2),
    st.integers(0, 1),
    st.integers(0, 1),
    st.lists(containers, max_size=3),
    st.lists(samples, max_size=2),
)
steps = st.tuples(
    st.sampled_from((0, 1, 30, 60, 179, 180, 239, 240, 241, 539, 540)),
    st.none() | st.sampled_from(("meter", "stay", "idle")),
    reports,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(life=st.lists(steps, min_size=1, max_size=8))
def test_both_ways_answer_and_write_the_same(organization, twins, at, life):
    savepoint = transaction.savepoint()
    now, sequence = at, 1
    for wait, event, (ahead, report) in life:
        now = later(now, wait)
        happen(event, organization, twins, now)
        sequence = max(1, sequence + ahead)
        told = replace(report, sequence=sequence)
        one = outcome(long_way, twins[0], now, told)
        other = outcome(short_way, twins[1], now, told)
        assert other == one
        assert rows(twins[1]) == rows(twins[0])
    transaction.savepoint_rollback(savepoint)


def happen(event, organization, sessions, at):
    if event == "meter":
        meter(organization, at)
        return
    for session in sessions if event else ():
        with contextlib.suppress(Refusal), transaction.atomic():
            services.answer_prompt(
                actor=factories.actor(session.person), at=at, session=session, answer=event
            )


def statements(session, at, report):
    reading = find_own_reading(session.person, session.pk)
    with CaptureQueriesContext(connection) as queries:
        record(actor=factories.actor(session.person), at=at, reading=reading, report=report)
    return [query["sql"] for query in queries]


def test_a_report_that_lets_activity_grow_is_one_statement(twins, at):
    session = twins[0]
    long_way(session, at, services.ActivityReport(sequence=1, running_containers=1))
    grown = statements(session, later(at, 60), services.ActivityReport(sequence=2, api_calls=1))
    assert len(grown) == 1
    again = services.ActivityReport(sequence=2, api_calls=1)
    assert statements(session, later(at, 61), again) == []


def test_so_is_one_of_a_session_that_waits_for_its_first_activity(twins, at):
    nothing = services.ActivityReport(sequence=1)
    assert len(statements(twins[0], later(at, 5), nothing)) == 1
    assert Pulse.objects.get(pk=twins[0].pk).sequence == 1


def test_containers_and_samples_add_one_statement_each(twins, at):
    session = twins[0]
    long_way(session, at, services.ActivityReport(sequence=1, running_containers=1))

    def told(sequence, count):
        return services.ActivityReport(
            sequence=sequence,
            running_containers=1,
            containers=tuple(
                services.ContainerSeen(f"c{sequence}-{number}", "acme/api:1", at)
                for number in range(count)
            ),
            samples=tuple(
                services.SampleSeen(later(at, 20 * (sequence - 2) + number), 1, 1)
                for number in range(count)
            ),
        )

    for sequence, count in ((2, 1), (3, 40)):
        assert len(statements(session, later(at, 60), told(sequence, count))) == 3
    assert ContainerRun.objects.count() == Sample.objects.count() == 41


def test_whose_view_grew_old_reads_again(twins, at, monkeypatch):
    """A prompt answered, the watermark moved, a report that overtook: none is written over."""
    session = twins[0]
    long_way(session, at, services.ActivityReport(sequence=1, running_containers=1))
    old = find_own_reading(session.person, session.pk)
    meter(session.organization, later(at, 90))
    report = services.ActivityReport(sequence=2, running_containers=1)
    view = record(
        actor=factories.actor(session.person), at=later(at, 60), reading=old, report=report
    )
    # Rule 18: a fact is recorded with the later of its instant and the watermark.
    assert Pulse.objects.get(pk=session.pk).last_activity_at == at + timedelta(seconds=90)
    assert view == seen_whole(session, later(at, 60))
    long_way(session, later(at, 100), replace(report, sequence=4))
    stale = replace(report, sequence=3)
    record(actor=factories.actor(session.person), at=later(at, 95), reading=old, report=stale)
    pulse = Pulse.objects.get(pk=session.pk)
    assert (pulse.sequence, pulse.last_activity_at) == (4, later(at, 100))


def test_who_loses_every_race_takes_the_long_way(twins, at, monkeypatch):
    session = twins[0]
    long_way(session, at, services.ActivityReport(sequence=1, running_containers=1))
    monkeypatch.setattr("sessions.services.reporting._grow", lambda *given: False)
    report = services.ActivityReport(sequence=2, running_containers=1)
    view = short_way(session, later(at, 60), report)
    assert view == seen_whole(session, later(at, 60))
    assert Pulse.objects.get(pk=session.pk).sequence == 2


def test_only_its_user_reports(twins, organization, owner, at):
    reading = find_reading(owner, twins[0].pk)
    with pytest.raises(Refusal) as refused:
        record(
            actor=factories.actor(owner),
            at=at,
            reading=reading,
            report=services.ActivityReport(sequence=1, running_containers=1),
        )
    assert refused.value.status == 404
