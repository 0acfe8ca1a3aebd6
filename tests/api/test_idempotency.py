"""The same key and body get the same answer (targets R4)."""

import uuid
from datetime import timedelta
from unittest import mock

import pytest

from offload_portal.api import idempotency, tasks
from offload_portal.api.models import KeptAnswer
from orgs.models import Organization
from sessions.models import Session

pytestmark = pytest.mark.django_db


def start(caller, organization, key="k1", **more):
    body = {"organization": organization.slug, **more}
    return caller.post("sessions", body, **{"Idempotency-Key": key})


def test_a_replay_has_one_effect_and_the_same_bytes(api, member, organization, clock):
    caller = api(member)
    first = start(caller, organization)
    clock.shift(100)
    second = start(caller, organization)
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert first.headers["Location"] == second.headers["Location"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Session.objects.count() == 1


def test_a_refusal_is_kept_too(api, member, organization):
    caller = api(member)
    start(caller, organization)
    refused = start(caller, organization, "k2")
    assert refused.json()["code"] == "session_already_running"
    caller.post(f"sessions/{Session.objects.get().pk}/stop")
    again = start(caller, organization, "k2")
    assert (again.status_code, again.content) == (409, refused.content)
    assert again.headers["Content-Type"] == "application/problem+json"


def test_another_body_or_path_with_the_key_is_422(api, member, organization):
    caller = api(member)
    start(caller, organization)
    for answer in (
        start(caller, organization, labels={"a": "b"}),
        caller.post("organizations", {"name": "New"}, **{"Idempotency-Key": "k1"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Organization.objects.count() == 1


def test_keys_belong_to_a_caller(api, member, owner, organization):
    assert start(api(member), organization).status_code == 201
    assert start(api(owner), organization).status_code == 201
    assert Session.objects.count() == 2


def test_another_token_of_the_same_person_replays(api, member, organization):
    first = start(api(member), organization)
    assert start(api(member), organization).content == first.content


def crash(caller, organization):
    """The process dies while the first is under way: its claim stays without an answer."""
    with (
        mock.patch.object(idempotency, "_run", side_effect=SystemExit),
        pytest.raises(SystemExit),
    ):
        start(caller, organization)


def test_while_the_first_is_under_way_it_is_409(api, member, organization, clock):
    caller = api(member)
    crash(caller, organization)
    clock.shift(59)
    answer = start(caller, organization)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_in_use")
    assert answer.headers["Retry-After"] == "1"


def test_a_claim_that_nobody_finished_is_taken_over_after_a_minute(
    api, member, organization, clock
):
    caller = api(member)
    crash(caller, organization)
    clock.shift(60)
    answer = start(caller, organization)
    assert answer.status_code == 201
    assert start(caller, organization).content == answer.content


def test_a_crash_after_the_effect_leaves_both_or_neither(api, member, organization, clock):
    """The answer is kept in the effect's transaction: without it the effect is undone."""
    caller = api(member)
    with (
        mock.patch.object(idempotency, "_keep", side_effect=SystemExit),
        pytest.raises(SystemExit),
    ):
        start(caller, organization)
    assert not Session.objects.exists()
    clock.shift(60)
    assert start(caller, organization).status_code == 201


def test_who_lost_the_claim_undoes_what_it_did(api, member, organization, clock):
    """It was stuck for more than a minute, and another request took over in the meantime."""
    caller = api(member)
    keep = idempotency._keep
    answers: list[None] = []

    def overtaken(kept, claim, answer):
        if not answers:
            answers.append(None)
            KeptAnswer.objects.update(claim=uuid.uuid4())
        keep(kept, claim, answer)

    with mock.patch.object(idempotency, "_keep", overtaken):
        answer = start(caller, organization)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_in_use")
    assert not Session.objects.exists()


def test_a_fault_of_ours_lets_the_key_go(api, member, organization):
    caller = api(member)
    with mock.patch("sessions.services.start", side_effect=KeyError):
        assert start(caller, organization).status_code == 500
    assert start(caller, organization).status_code == 201


def test_a_key_lives_for_a_day(api, member, organization, clock, at):
    caller = api(member)
    first = start(caller, organization)
    clock.shift(timedelta(hours=24) - timedelta(seconds=1))
    assert start(caller, organization).content == first.content
    clock.shift(1)
    assert start(caller, organization).content != first.content
    clock.shift(timedelta(hours=25))
    tasks.tidy()
    assert not KeptAnswer.objects.exists()


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä"])
def test_a_key_that_is_none_is_400(api, member, organization, key):
    answer = start(api(member), organization, key)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_idempotency_key"
    assert not Session.objects.exists()


def test_a_body_that_is_no_json_is_kept_as_it_is(api, member):
    caller = api(member)
    for _turn in range(2):
        answer = caller.post("sessions", b"{", **{"Idempotency-Key": "k"})
        assert answer.status_code == 400
