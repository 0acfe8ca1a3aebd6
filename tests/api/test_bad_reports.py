"""Reports and callers as they should not be: what is kept, what is refused, who can cure it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orgs.models import Token
from orgs.services import tokens
from sessions.models import ContainerRun, Sample, Session
from tests.factories import actor

pytestmark = pytest.mark.django_db
NOON = "2026-03-11T12:00:00Z"


def zulu(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def session(api, member, organization):
    started = api(member).post("sessions", {"organization": organization.slug})
    assert started.status_code == 201, started.content
    return started.json()


@pytest.fixture
def report(api, member, session):
    caller = api(member)

    def send(sequence=1, **body):
        body = {"sequence": sequence, **body}
        return caller.post(f"sessions/{session['id']}/activity", body)

    return send


def run(number=1, **more):
    return {"id": f"c{number}", "image": "nginx", "started_at": NOON, **more}


def sample(at, **more):
    return {"at": zulu(at), "cpu_percent": 1, "memory_bytes": 1, **more}


# --- Order ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "status"), [(299, 200), (300, 410), (301, 410)])
def test_a_client_that_vanished_finds_its_session_ended_at_exactly_the_idle_end(
    report, clock, at, seconds, status
):
    clock.shift(seconds)
    answer = report(api_calls=1)
    assert answer.status_code == status
    if status == 410:
        told = answer.json()
        assert (told["code"], told["end_reason"]) == ("session_ended", "idle")
        assert told["ended_at"] == zulu(at + timedelta(seconds=300))


def test_after_a_stop_a_report_is_told_the_reason_and_changes_nothing(
    api, member, session, report, clock, at
):
    clock.shift(10)
    report(running_containers=1)
    api(member).post(f"sessions/{session['id']}/stop")
    before = Session.objects.get().version
    late = report(2, running_containers=1, containers=[run()], samples=[sample(at)])
    assert (late.status_code, late.json()["end_reason"]) == (410, "stopped")
    assert Session.objects.get().version == before
    assert not ContainerRun.objects.exists()
    assert not Sample.objects.exists()


def test_reports_out_of_order_and_repeated_change_nothing(report, clock):
    report(5, running_containers=2, containers=[run(1)])
    clock.shift(20)
    for old in (5, 4, 1):
        answer = report(old, api_calls=9, containers=[run(2)])
        assert answer.status_code == 200
        assert answer.json()["last_activity_at"] == NOON
    assert [one.container_id for one in ContainerRun.objects.all()] == ["c1"]
    assert report(6, api_calls=1).json()["last_activity_at"] == "2026-03-11T12:00:20Z"


# --- Time -------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [-10, 10, 60 * 24 * 365])
def test_a_clients_clock_neither_makes_activity_nor_bills(
    report, api, member, session, clock, at, minutes
):
    """Rule 9: activity is when the portal received it."""
    off = at + timedelta(minutes=minutes)
    clock.shift(10)
    told = report(
        running_containers=1, containers=[run(started_at=zulu(off))], samples=[sample(off)]
    )
    assert told.json()["last_activity_at"] == "2026-03-11T12:00:10Z"
    clock.shift(20)
    ended = api(member).post(f"sessions/{session['id']}/stop").json()
    assert ended["billed_seconds"] == 20


def test_a_clock_ahead_is_moved_back_and_its_samples_keep_their_distances(report, clock, at):
    clock.shift(60)
    ahead = at + timedelta(minutes=11)
    report(samples=[sample(ahead - timedelta(seconds=second)) for second in (30, 15, 0)])
    kept = list(Sample.objects.order_by("at").values_list("at", flat=True))
    now = at + timedelta(seconds=60)
    assert kept == [now - timedelta(seconds=second) for second in (30, 15, 0)]


@pytest.mark.parametrize(
    ("second", "kept"), [(-1, 0), (0, 0), (1, 1), (59, 59), (60, 60), (61, 60)]
)
def test_a_sample_lies_between_the_start_and_the_report(report, clock, at, second, kept):
    clock.shift(60)
    report(samples=[sample(at + timedelta(seconds=second))])
    assert Sample.objects.get().at == at + timedelta(seconds=kept)


def test_a_run_is_kept_as_told_and_shown_within_its_session(
    report, api, member, session, clock, at
):
    clock.shift(60)
    report(
        running_containers=1,
        containers=[
            run(
                1, started_at="2001-01-01T00:00:00Z", exited_at="2026-03-11T12:00:30Z", exit_code=0
            ),
            run(2, started_at="2099-01-01T00:00:00Z"),
        ],
    )
    assert ContainerRun.objects.get(container_id="c2").started_at.year == 2099
    shown = api(member).get(f"sessions/{session['id']}/insights").json()["containers"]
    assert [(one["id"], one["started_at"], one["exited_at"]) for one in shown] == [
        ("c1", NOON, "2026-03-11T12:00:30Z"),
        ("c2", "2026-03-11T12:01:00Z", None),
    ]
    # Told again it is the same run, however wrong its clock is.
    report(2, running_containers=1, containers=[run(2, started_at="2099-01-01T00:00:00Z")])
    assert ContainerRun.objects.count() == 2


# --- Size -------------------------------------------------------------------------------------


def test_five_megabytes_are_refused_with_the_cure(api, member, session):
    caller = api(member)
    fill = " " * (5 * 1024 * 1024 - len('{"sequence": 1}'))
    path = f"sessions/{session['id']}/activity"
    assert caller.post(path, '{"sequence": 1}' + fill).status_code == 200
    answer = caller.post(path, '{"sequence": 1}' + fill + " ")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "several smaller ones" in answer.json()["detail"]


def test_ten_thousand_containers_are_kept_with_few_statements(report):
    def counted(sequence, runs):
        with CaptureQueriesContext(connection) as captured:
            answer = report(sequence, running_containers=1, containers=runs)
        assert answer.status_code == 200, answer.content
        return len(captured)

    many = range(1, 10_001)
    one = counted(1, [run(0)])
    begun = counted(2, [run(number) for number in many])
    ended = counted(3, [run(number, exited_at=NOON, exit_code=0) for number in many])
    assert ContainerRun.objects.filter(exited_at__isnull=False).count() == 10_000
    # SQLite takes so many values at a time only.
    assert begun == ended <= one + (0 if connection.vendor == "postgresql" else 100)


def test_a_run_that_has_exited_never_comes_back_to_life(report):
    ended = {"exited_at": NOON, "exit_code": 3}
    report(1, running_containers=1, containers=[run(**ended), run()])
    report(2, running_containers=1, containers=[run()])
    report(3, running_containers=1, containers=[run(exited_at="2026-03-11T12:00:09Z", exit_code=0)])
    kept = ContainerRun.objects.get()
    assert (zulu(kept.exited_at), kept.exit_code) == (NOON, 3)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("name", "a\x1b[2Jb"),
        ("name", "a\nb"),
        ("image", "a\tb"),
        ("name", "a\x00b"),
        ("image", "\x00"),
    ],
)
def test_control_characters_in_names_are_refused_by_field(report, where, text):
    answer = report(containers=[run(**{where: text})])
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [f"containers.0.{where}"]
    assert not ContainerRun.objects.exists()


# --- A token that is revoked ---------------------------------------------------------------------


def test_a_token_revoked_in_mid_session_ends_its_calls_and_not_the_session(
    api, member, owner, session, report, clock, at
):
    report(running_containers=1)
    for token in Token.objects.filter(person=member):
        tokens.revoke_token(actor=actor(member), at=at, token=token)
    clock.shift(30)
    refused = report(2, running_containers=1)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    seen = api(owner).get(f"sessions/{session['id']}").json()
    assert (seen["state"], seen["last_activity_at"]) == ("active", NOON)
    stopped = api(owner).post(f"sessions/{session['id']}/stop").json()
    assert (stopped["end_reason"], stopped["billed_seconds"]) == ("stopped_by_owner", 30)
